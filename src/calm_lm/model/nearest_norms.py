"""Norm records by meaning: those whose situation lies nearest to the text in the sentence encoder's space. Ours.

A text seldom shares words with the record that speaks to it ("coins for the waiter", "leaving a tip");
`experiments/norm_search.py` tells how often each search finds it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from calm_lm.culture.blend import Blend
from calm_lm.culture.norms import Evidence, NormRecord, NormStore
from calm_lm.lm.protocol import SentenceEncoder
from calm_lm.model.norms import NormSource


class NearestNorms:
    """A norm source that searches records by meaning.

    The score is the cosine times the weight of the record's culture over that of the blend's heaviest one: how near
    the best record is does not depend on how many cultures the reader is blended of.

    Args:
        records: the norms, in any order.
        encoder: unit-length embeddings of texts and situations.
    """

    def __init__(self, records: Sequence[NormRecord], encoder: SentenceEncoder) -> None:
        self._encoder = encoder
        self._vectors: dict[str, Tensor] = {}  # of the texts that are searched now
        situations = list(dict.fromkeys(record.situation for record in records))
        vectors = encoder.embed(situations).cpu() if situations else torch.zeros(0, 1)
        place = {situation: i for i, situation in enumerate(situations)}
        self._of: dict[str, tuple[list[NormRecord], Tensor]] = {}
        for culture in dict.fromkeys(record.culture for record in records):
            held = [record for record in records if record.culture == culture]
            self._of[culture] = held, vectors[[place[record.situation] for record in held]]

    def know(self, texts: Sequence[str], vectors: Tensor | None = None) -> None:
        """Take the embeddings [N, d] of texts that are about to be searched; they are computed where None is given."""
        found = self._encoder.embed(texts) if vectors is None else vectors
        self._vectors = dict(zip(texts, found.cpu(), strict=True))

    def search(self, text: str, culture: Blend, k: int) -> list[Evidence]:
        """At most `k` records of the blend's cultures with a cosine above 0, the nearest first."""
        if text not in self._vectors:
            self.know([text])
        found, heaviest = [], max(weight for _, weight in culture.parts)
        for part, weight in culture.parts:
            held, vectors = self._of.get(part, ([], torch.zeros(0, 1)))
            if held:
                scores = weight / heaviest * (vectors @ self._vectors[text])
                found += [Evidence(held[i], float(scores[i])) for i in scores.topk(min(k, len(held))).indices.tolist()]
        return sorted((near for near in found if near.score > 0), key=lambda near: -near.score)[:k]


def by_meaning(source: NormSource | None, encoder: SentenceEncoder | None) -> NormSource | None:
    """The records of a store searched by meaning where there is an encoder; any other source as it is."""
    if encoder is None or not isinstance(source, NormStore):
        return source
    return NearestNorms(source.records, encoder)
