"""Stage 2, first half: soft clusters of the tokens of one cultural channel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from calm_lm.model.layers import projection_head


def gumbel_temperature(step: int, total: int, start: float = 1.0, end: float = 0.2) -> float:
    """Temperature at `step` of `total`: a cosine from `start` to `end` (paper), held at the ends."""
    share = min(max(step / max(total, 1), 0.0), 1.0)
    return end + 0.5 * (start - end) * (1 + math.cos(math.pi * share))


def gumbel_noise(like: Tensor) -> Tensor:
    """Standard Gumbel noise in the shape of `like`, drawn in float32: half precision rounds the draw to 0 or 1."""
    uniform = torch.rand(like.shape, dtype=torch.float32, device=like.device)
    return -torch.log(-torch.log(uniform.clamp(1e-9, 1 - 1e-7)))


class Clusterer(nn.Module):
    """Assigns every token of a channel softly to K clusters.

    K = 5, the Gumbel-softmax, its temperature and the head's hidden size are the paper's; clustering tokens
    (rather than whole examples) and the soft rather than straight-through form are ours.
    """

    def __init__(self, width: int, hidden: int, n_clusters: int, dropout: float, noise: bool = True) -> None:
        super().__init__()
        self.noise = noise
        self.head = projection_head(width, hidden, n_clusters, dropout)

    def forward(self, tokens: Tensor, mask: Tensor, temperature: float) -> Tensor:
        """Assignments [.., T, K] of tokens [.., T, d]; rows sum to one on real tokens and to zero on padding.

        While training, Gumbel noise is added; at prediction the assignment is the plain softmax.
        """
        logits = self.head(tokens).float()
        if self.training and self.noise:
            logits = logits + gumbel_noise(logits)
        assignment = (logits / temperature).softmax(-1)
        masked: Tensor = assignment * mask.unsqueeze(-1).to(assignment.dtype)
        return masked


def cluster_sums(tokens: Tensor, assignment: Tensor) -> tuple[Tensor, Tensor]:
    """Unnormalised cluster tokens and their mass: [B, T, d], [B, T, K] -> [B, K, d], [B, K]."""
    return torch.bmm(assignment.transpose(1, 2), tokens), assignment.sum(1)
