"""What cited norms say for each label, added to a second answer.

The gate of the reflective loop moves a state towards its evidence as far as training found that to pay; on rows the
model has learned by heart it does not. This part is linear and fitted on validation rows alone
(`calm_lm.training.norm_vote`), so it learns what records are worth on texts the model has not seen. Ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calm_lm.model.evidence import EvidenceRows

SHARPNESS = 7  # a record of half the first one's score counts 1/128 of it


class NormVote(nn.Module):
    """`logits + g * W [m; 1]`, with m the norms cited and g how far they are trusted to speak to the text.

    `m = sum_j a_j s_j`, s_j the sentence embedding of record j's norm, a_j in proportion to the 7th power of its
    score; `g = sigmoid((c - trusted_from) / width)`, c the score of the first record. W is 0 until it is fitted.
    In a blend that 7th power favours the heavier culture beyond its share: of 60 and 40 percent, equally near, the
    first one's record is heard at 94 percent.
    """

    coefficients: Tensor
    trusted_from: Tensor
    width: Tensor

    def __init__(self, d_sentence: int, n_labels: int) -> None:
        super().__init__()
        self.register_buffer("coefficients", torch.zeros(d_sentence + 1, n_labels))
        self.register_buffer("trusted_from", torch.zeros(1))
        self.register_buffer("width", torch.ones(1))

    @property
    def fitted(self) -> bool:
        """Whether it says anything."""
        return bool(self.coefficients.any())

    def hear(self, evidence: EvidenceRows) -> Tensor:
        """What is said to each row, `[m; 1]`: [B, d_sentence + 1]; zeros without evidence."""
        loud = evidence.weight**SHARPNESS
        share = loud / loud.sum(1, keepdim=True).clamp_min(1e-30)
        said = torch.einsum("bk,bkd->bd", share, evidence.states.phrases[evidence.records])
        return torch.cat([said, share.sum(1, keepdim=True)], 1)

    def trust(self, score: Tensor) -> Tensor:
        """How far each row's records are trusted, by the score of its first one [B]; 0 where that is 0 (none found)."""
        return torch.sigmoid((score - self.trusted_from) / self.width) * (score > 0)

    def forward(self, logits: Tensor, evidence: EvidenceRows) -> tuple[Tensor, Tensor]:
        """Second logits [B, n_labels] with the vote, and how far each row's records are trusted [B]."""
        trust = self.trust(evidence.score)
        return logits + trust.unsqueeze(1) * (self.hear(evidence) @ self.coefficients), trust
