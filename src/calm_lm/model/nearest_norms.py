"""Norm records by meaning: those whose situation lies nearest to the text in the sentence encoder's space. Ours.

A text seldom shares words with the record that speaks to it ("coins for the waiter", "leaving a tip"). On the bundled
demo's training rows the record that decides a row comes first in 65 % of searches by meaning and in 36 % by words
(`experiments/norm_search.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from calm_lm.culture.blend import Blend
from calm_lm.lm.protocol import SentenceEncoder
from calm_lm.model.norms import NormSentence, NormSource


class HeldSentence(NormSentence, Protocol):
    """A norm record that names whose it is."""

    @property
    def culture(self) -> str:
        """Culture id."""
        ...


@runtime_checkable
class HeldNorms(NormSource, Protocol):
    """A norm source whose records can be read through, as a `NormStore`."""

    @property
    def records(self) -> Sequence[HeldSentence]:
        """All of them."""
        ...


class Near(NamedTuple):
    """A record and its cosine with the text, times the weight of its culture."""

    record: HeldSentence
    score: float


class NearestNorms:
    """A norm source that searches the records of another by meaning.

    Args:
        records: with culture and situation.
        encoder: unit-length embeddings of texts and situations.
    """

    def __init__(self, records: Sequence[HeldSentence], encoder: SentenceEncoder) -> None:
        self._encoder = encoder
        self._vectors: dict[str, Tensor] = {}  # of the texts that are searched now
        situations = list(dict.fromkeys(record.situation for record in records))
        vectors = encoder.embed(situations).cpu() if situations else torch.zeros(0, 1)
        place = {situation: i for i, situation in enumerate(situations)}
        self._of: dict[str, tuple[list[HeldSentence], Tensor]] = {}
        for culture in dict.fromkeys(record.culture for record in records):
            held = [record for record in records if record.culture == culture]
            self._of[culture] = held, vectors[[place[record.situation] for record in held]]

    def know(self, texts: Sequence[str], vectors: Tensor | None = None) -> None:
        """Take the embeddings [N, d] of texts that are about to be searched; they are computed where None is given."""
        found = self._encoder.embed(texts) if vectors is None else vectors
        self._vectors = dict(zip(texts, found.cpu(), strict=True))

    def search(self, text: str, culture: Blend, k: int) -> list[Near]:
        """At most `k` records of the blend's cultures with a cosine above 0, the nearest first."""
        if text not in self._vectors:
            self.know([text])
        found = []
        for part, weight in culture.parts:
            held, vectors = self._of.get(part, ([], torch.zeros(0, 1)))
            if held:
                scores = weight * (vectors @ self._vectors[text])
                found += [Near(held[i], float(scores[i])) for i in scores.topk(min(k, len(held))).indices.tolist()]
        return sorted((near for near in found if near.score > 0), key=lambda near: -near.score)[:k]


def by_meaning(source: NormSource | None, encoder: SentenceEncoder | None) -> NormSource | None:
    """The same records searched by meaning, where there is an encoder and they can be read through."""
    if encoder is None or not isinstance(source, HeldNorms):
        return source
    return NearestNorms(source.records, encoder)
