"""Small pieces that several stages share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def projection_head(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    """The paper's projection head: two layers with ReLU and dropout between them. [..., inputs] -> [..., outputs]."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, outputs))


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean over tokens. values [B, T, D], weights [B, T] >= 0 -> [B, D]; a row without weight gives zeros."""
    weights = weights.to(values.dtype)
    total = weights.sum(1, keepdim=True)
    return torch.bmm(weights.unsqueeze(1), values).squeeze(1) / total.clamp_min(1e-6)


class StateScale(nn.Module):
    """Mean and spread of the backbone's states on the training texts, kept with the weights.

    Middle layers of language models carry a few huge, nearly constant features; heads see states with each
    feature centred and scaled, and what is fused back is scaled up again. Ours.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))

    @torch.no_grad()
    def fit(self, values: Tensor) -> None:
        """Measure `values` [N, width]; features that never move get a spread of one."""
        std = values.std(0)
        self.mean.copy_(values.mean(0))
        self.std.copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(self, values: Tensor) -> Tensor:
        """Centre and scale. [..., width] -> [..., width]."""
        return (values - self.mean) / self.std
