"""Evidence for training rows: found once before the run, encoded anew with the current weights at each step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Example
from calm_lm.model.batch import reading
from calm_lm.model.calm import EVIDENCE, CalmModel
from calm_lm.model.loop import EvidenceRows
from calm_lm.model.norms import NormSource, cite, evidence_rows
from calm_lm.model.views import Views


class Grounds:
    """Norm records that speak to each row of one split."""

    def __init__(self, source: NormSource, examples: Sequence[Example], model: CalmModel) -> None:
        self.found = cite(source, [e.text for e in examples], [e.reader for e in examples], EVIDENCE)
        records = {hit.record.sentence(): hit.record.culture for hits in self.found for hit in hits}
        self.sentences = list(records)
        self.number = {sentence: i for i, sentence in enumerate(self.sentences)}
        known = model.manifest.readers
        self.readers = model.reader_weights([Blend.of(c) if c in known else None for c in records.values()])

    def evidence(self, rows: Tensor, model: CalmModel, views: Views, temperature: float) -> EvidenceRows | None:
        """Evidence of some rows; records they cite are encoded with the network as it is now."""
        found = [self.found[row] for row in rows.tolist()]
        needed = sorted({self.number[hit.record.sentence()] for hits in found for hit in hits})
        if not needed:
            return None
        local = {self.sentences[number]: i for i, number in enumerate(needed)}
        texts = views([self.sentences[number] for number in needed])
        place = texts.tokens.device
        records = reading(texts, self.readers[needed].to(place), torch.arange(len(needed), device=place))
        return evidence_rows(found, local, model.network.encode(records, temperature).state, EVIDENCE)
