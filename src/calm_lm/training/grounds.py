"""Evidence for the rows of a split: found once, read anew with the current weights at each step of training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from calm_lm.culture.blend import Blend
from calm_lm.model.calm import EVIDENCE, CalmModel
from calm_lm.model.evidence import EvidenceRows
from calm_lm.model.norms import Found, different_claims, evidence_rows, read_claims
from calm_lm.model.views import Views
from calm_lm.training.material import Rows
from calm_lm.training.sampler import PairedRows

LENT = 0.4  # share of training rows that reflect on the evidence of another reader
DROPPED = 0.2  # share that reflect on none
NOTHING = -1
STREAM = 11  # keeps this draw apart from the sampler's, which has the same seed


class Grounds:
    """Norm records that speak to each row of one split.

    Args:
        rows: the split.
        model: knows the readers, and where records are searched (`CalmModel.norms`).
        readers: [N, n_readers], in place of the rows' own (controls).
        withhold: cite as if the store knew nothing of the situation that each row's first record speaks of.
    """

    def __init__(self, rows: Rows, model: CalmModel, readers: Tensor | None = None, *, withhold: bool = False) -> None:
        cultures = model.blends(rows.readers if readers is None else readers)
        search = _cite_without_first if withhold else CalmModel.cite
        self.found = search(model, rows.texts, rows.text_of, cultures)
        self.phrases = tuple(dict.fromkeys(part for claim in different_claims(self.found) for part in claim))
        self.telling = torch.tensor([bool(hits) for hits in self.found]) & (rows.known > 0)

    def evidence(self, rows: Tensor, model: CalmModel, views: Views) -> EvidenceRows | None:
        """Evidence of some rows [B], `NOTHING` for no evidence; records are read with the network as it is now."""
        found = [self.found[row] if row != NOTHING else [] for row in rows.tolist()]
        claims = different_claims(found)
        if not claims:
            return None
        places = {claim: i for i, claim in enumerate(claims)}
        return evidence_rows(found, places, read_claims(model.network, views, claims), EVIDENCE)

    def lend(self, drawn: PairedRows, seed: int, step: int) -> Tensor:
        """For each row of a batch, the row whose evidence and target its reflection gets, or `NOTHING`. [B] int64.

        Some rows get those of another reader of the same text, as if their culture had come to hold that norm. In
        the training data a norm and its culture always go together; only a lent one tells the second answer to go by
        what is cited, also against what the model knows of the reader. Others get none, so that reflection without
        evidence is learned too. Ours.
        """
        rng = np.random.default_rng((seed, STREAM, step))
        lent: list[Tensor] = []
        for rows in torch.split(drawn.rows, list(drawn.lengths)):
            others = rows[torch.from_numpy(rng.permutation(len(rows)))]
            chance = torch.from_numpy(rng.random(len(rows)))
            cited = torch.where((chance < LENT) & self.telling[others], others, rows)
            lent.append(cited.masked_fill(chance >= 1 - DROPPED, NOTHING))
        return torch.cat(lent)


def _cite_without_first(
    model: CalmModel, texts: Sequence[str], text_of: Tensor, cultures: Sequence[Blend | None]
) -> list[list[Found]]:
    """As `CalmModel.cite` would from a store without any record of the situation of each row's first one.

    Several records may speak of one situation, so the search goes deeper until enough others are found.
    """
    k = EVIDENCE + 1
    while True:
        found = model.cite(texts, text_of, cultures, k=k)
        others = [[h for h in hits if h.record.situation != hits[0].record.situation][:EVIDENCE] for hits in found]
        if all(len(hits) < k or len(left) == EVIDENCE for hits, left in zip(found, others, strict=True)):
            return others
        k *= 2
