"""How evidence reaches the reflective loop: any source of norm records that can be searched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from calm_lm.culture.blend import Blend
from calm_lm.model.loop import EvidenceRows


class NormSentence(Protocol):
    """A norm record as far as the model is concerned."""

    @property
    def culture(self) -> str:
        """The culture the record speaks of."""
        ...

    @property
    def source(self) -> str:
        """Where it is documented."""
        ...

    def sentence(self) -> str:
        """The record in one plain line."""
        ...


class Found(Protocol):
    """A record with how well it fits."""

    @property
    def record(self) -> NormSentence:
        """The record."""
        ...

    @property
    def score(self) -> float:
        """Higher fits better; above zero."""
        ...


class NormSource(Protocol):
    """Anything that finds norm records for a text and a culture."""

    def search(self, text: str, culture: Blend, k: int) -> Sequence[Found]:
        """At most `k` records, best first; an empty answer is an honest one."""
        ...


def cite(source: NormSource, texts: Sequence[str], cultures: Sequence[Blend | None], k: int) -> list[list[Found]]:
    """Records for every row; a row without a culture gets none."""
    return [
        list(source.search(text, culture, k)) if culture is not None else []
        for text, culture in zip(texts, cultures, strict=True)
    ]


def evidence_rows(found: Sequence[Sequence[Found]], number_of: dict[str, int], states: Tensor, k: int) -> EvidenceRows:
    """Index and weight tensors for B rows of found records; weights are scores divided by their sum."""
    index = torch.zeros(len(found), k, dtype=torch.int64)
    weight = torch.zeros(len(found), k)
    for row, records in enumerate(found):
        total = sum(hit.score for hit in records)
        for place, hit in enumerate(records):
            index[row, place] = number_of[hit.record.sentence()]
            weight[row, place] = hit.score / total
    return EvidenceRows(states, index.to(states.device), weight.to(states.device))
