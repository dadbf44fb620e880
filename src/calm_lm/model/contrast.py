"""Stage 1, second half: the contrastive window that gives each cultural channel its structure."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_lm.model.layers import projection_head


class ContrastiveWindow(nn.Module):
    """Independent projection heads for the explicit and the latent channel (paper). [B, d] -> unit vectors [B, d]."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.explicit = projection_head(width, hidden, width, dropout)
        self.latent = projection_head(width, hidden, width, dropout)

    def forward(self, explicit: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Project both channels [B, d] and bring them to unit length."""
        return F.normalize(self.explicit(explicit), dim=-1), F.normalize(self.latent(latent), dim=-1)


def culture_nt_xent(
    views: Tensor, partner: Tensor, culture: Tensor, temperature: float, *, anchors: slice = slice(None)
) -> Tensor:
    """NT-Xent whose negatives are examples of another culture.

    For view i with positive p(i):
    `-log(exp(s(i,p)/t) / (exp(s(i,p)/t) + sum over j with another culture of exp(s(i,j)/t)))`, mean over i.

    Positives of the same culture, mismatched negatives in the batch and t = 0.07 are the paper's. Same-culture
    pairs that are not the positive stand in neither place (ours). A batch of one culture has no negatives and
    a loss of exactly zero, which is why the sampler refuses to make one.

    Args:
        views: [N, d] unit vectors.
        partner: [N] int64, the row of each view's positive, or -1 for a view without one (not an anchor).
        culture: [N] int64 culture of each view.
        temperature: t.
        anchors: the rows this process owns when views were gathered from several.

    Returns:
        A scalar; zero when no anchor has a positive.
    """
    rows = torch.arange(views.size(0), device=views.device)[anchors]
    rows = rows[partner[rows] >= 0]
    if rows.numel() == 0:
        return views.sum() * 0.0
    similarity = views[rows] @ views.t() / temperature
    keep = culture[rows][:, None] != culture[None, :]
    keep.scatter_(1, partner[rows][:, None], True)
    return F.cross_entropy(similarity.masked_fill(~keep, float("-inf")), partner[rows])
