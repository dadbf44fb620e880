"""What a trained run can do that a language model cannot: answer fixed labels as one of its readers would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from calm_lm.stats.arrays import Floats


@runtime_checkable
class Classifier(Protocol):
    """A model that gives shares of fixed labels.

    Attributes:
        labels: what it answers, in the order of the shares.
        readers: whom it can read for.
        fitted_on: name of the data set it was fitted on.
    """

    labels: tuple[str, ...]
    readers: tuple[str, ...]
    fitted_on: str

    def classify(self, texts: Sequence[str], readers: Sequence[str | None]) -> Floats:
        """Shares of the labels [N, L] of each text as read by `readers[i]`, by nobody in particular where None."""
        ...
