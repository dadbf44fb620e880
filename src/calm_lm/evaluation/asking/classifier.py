"""What a trained run can do that a language model cannot: answer fixed labels as one of its readers would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from calm_lm.stats.arrays import Floats


@runtime_checkable
class Classifier(Protocol):
    """A model that gives shares of fixed labels.

    Attributes:
        labels: what it answers, in the order of the shares.
        readers: whom it can read for; empty where it was trained without readers.
        fitted_on: name of the data set it was fitted on.
    """

    labels: tuple[str, ...]
    readers: tuple[str, ...]
    fitted_on: str

    def classify(self, texts: Sequence[str], readers: Sequence[str | None]) -> Floats:
        """Shares of the labels [N, L] of each text as read by `readers[i]`, by nobody in particular where None.

        Raises:
            CalmError: M01 for a reader it does not know.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """A text, who reads it (None: nobody in particular), and the labels it is to be given."""

    text: str
    reader: str | None
    labels: tuple[str, ...]

    def parts(self) -> dict[str, Any]:
        """As it enters a cache key."""
        return {"text": self.text, "reader": self.reader, "labels": list(self.labels)}


@dataclass(frozen=True, slots=True)
class ReadingAnswer:
    """Shares of the labels, in their order, summing to one."""

    shares: tuple[float, ...]

    def value(self) -> dict[str, Any]:
        """As it is stored."""
        return {"shares": list(self.shares)}

    @classmethod
    def of(cls, value: dict[str, Any]) -> ReadingAnswer:
        """From what was stored."""
        return cls(tuple(value["shares"]))
