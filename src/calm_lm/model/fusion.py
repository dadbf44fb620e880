"""Fusing the identity state with the backbone's own knowledge."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calm_lm.model.layers import StateScale, projection_head


class IdentityFusion(nn.Module):
    """A gated residual: `delta = g * std * W_up z`, `g = sigmoid(MLP([W_down h; z]))`.

    That fusion is residual is the paper's; the gate, and `W_up` starting at zero, are ours: before the first
    step conditioned states equal the backbone's bit for bit. `h` is the pooled, scaled backbone state.
    Shapes: state [B, d], pooled [B, d_model] -> delta [B, d_model], in the units of the backbone's states.
    """

    def __init__(self, d_model: int, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.up = nn.Linear(width, d_model)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)
        self.down = nn.Linear(d_model, width)
        self.gate = projection_head(2 * width, hidden, d_model, dropout)

    def forward(self, state: Tensor, pooled: Tensor, scale: StateScale) -> Tensor:
        """The step [B, d_model] from the backbone's state to the identity."""
        gate = torch.sigmoid(self.gate(torch.cat([self.down(pooled), state], -1)))
        step: Tensor = gate * self.up(state) * scale.std
        return step
