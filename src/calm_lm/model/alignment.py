"""Stage 2, second half: the identity alignment pool, where latent clusters attend to explicit ones."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class IdentityPool(nn.Module):
    """`LN(C_l + MHA(LN(C_l), LN(C_e), LN(C_e)))`: eight heads, from latent to explicit (paper); norms are ours.

    Without `cross_attention` every latent cluster receives the mean explicit cluster instead (ablation).
    Shapes: latent [B, K, d], explicit [B, K, d] -> [B, K, d].
    """

    def __init__(self, width: int, heads: int, cross_attention: bool) -> None:
        super().__init__()
        self.heads, self.cross_attention = heads, cross_attention
        self.norm_latent = nn.LayerNorm(width)
        self.norm_explicit = nn.LayerNorm(width)
        self.norm_out = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, latent: Tensor, explicit: Tensor) -> Tensor:
        """Align the latent clusters of B rows to the explicit ones: [B, K, d] twice -> [B, K, d]."""
        source = self.norm_explicit(explicit)
        if self.cross_attention:
            context = self._attend(self.norm_latent(latent), source)
        else:
            context = self.key_value(source.mean(1, keepdim=True)).chunk(2, -1)[1].expand_as(latent)
        aligned: Tensor = self.norm_out(latent + self.out(context))
        return aligned

    def _attend(self, latent: Tensor, explicit: Tensor) -> Tensor:
        rows, clusters, width = latent.shape
        split = (rows, clusters, self.heads, width // self.heads)
        query = self.query(latent).view(split).transpose(1, 2)  # [B, h, K, d/h]
        key, value = (part.reshape(split).transpose(1, 2) for part in self.key_value(explicit).chunk(2, -1))
        mixed = F.scaled_dot_product_attention(query, key, value)
        return mixed.transpose(1, 2).reshape(rows, clusters, width)
