"""What a baseline is given, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from calm_lm.data.example import Dataset
from calm_lm.stats.arrays import Floats
from calm_lm.training.config import RunConfig
from calm_lm.training.material import CachedViews, Progress, Rows, Vocabulary
from calm_lm.training.run import Pretrained

Group = Literal["frozen", "prompt", "lora", "demo"]
Need = Literal["sentence", "readers", "adapt_layers", "head", "norms"]


@dataclass(frozen=True, slots=True)
class BaselineInput:
    """Everything CALM was given, for a fair comparison.

    Attributes:
        dataset: fitted on its training rows; `dataset.name` chooses the wording of prompts.
        vocabulary: with the readers, also where CALM itself is culture-blind.
        train, valid: rows with the targets that CALM learns from; without `valid` nothing is tuned or calibrated.
        views: the unadapted backbone at the read layer, prepared for the texts of these rows and of all rows to come.
        config: of the CALM run beside which the baseline stands.
        pretrained: the backbone; LoRA layers of a trained CALM may be on it, they are taken off meanwhile.
        progress: told what takes long.
    """

    dataset: Dataset
    vocabulary: Vocabulary
    train: Rows
    valid: Rows | None
    views: CachedViews
    config: RunConfig
    pretrained: Pretrained
    progress: Progress


class Fitted(Protocol):
    """A fitted baseline; called with rows it gives predicted vote shares."""

    @property
    def name(self) -> str:
        """The baseline's name."""
        ...

    @property
    def parameters(self) -> int:
        """How many numbers were trained."""
        ...

    @property
    def variants(self) -> int:
        """How many settings were tried on the validation rows."""
        ...

    def __call__(self, rows: Rows) -> Floats:
        """Predicted vote shares, float64 [N, L], rows sum to 1."""
        ...


class Baseline(NamedTuple):
    """One way of doing without CALM.

    Attributes:
        name: as the user writes it.
        group: which group it is fitted with.
        what: one line for tables.
        seeds: whether chance enters, so that it is fitted once for each seed.
        fit: from what it is given and a seed.
        needs: what must be there for it to be fitted, or to differ from a baseline without it.
    """

    name: str
    group: Group
    what: str
    seeds: bool
    fit: Callable[[BaselineInput, int], Fitted]
    needs: frozenset[Need] = frozenset()
