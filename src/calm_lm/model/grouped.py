"""Linear layers of many experts at once: rows sorted by expert, one matrix product per expert, no copies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

Bounds = Sequence[tuple[int, int]]


class _GroupedProduct(torch.autograd.Function):
    """y[a:b] = x[a:b] W_g^T + b_g for every group g, written straight into one output.

    Against a loop over modules this saves the gather and the concatenation per expert, and gives every
    expert a gradient (zero where it saw no row), which keeps optimiser state and data-parallel runs simple.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, bounds: Bounds) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.bounds = bounds
        y = x.new_empty(x.size(0), weight.size(1))
        for group, (start, stop) in enumerate(bounds):
            if start < stop:
                torch.addmm(bias[group], x[start:stop], weight[group].t(), out=y[start:stop])
        return y

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        dy = upstream[0].contiguous()
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        d_weight = torch.empty_like(weight)
        d_bias = weight.new_empty(weight.shape[:2])
        for group, (start, stop) in enumerate(ctx.bounds):
            if start < stop:
                rows = dy[start:stop]
                torch.mm(rows.t(), x[start:stop], out=d_weight[group])
                torch.sum(rows, 0, out=d_bias[group])
                if dx is not None:
                    torch.mm(rows, weight[group], out=dx[start:stop])
            else:
                d_weight[group].zero_()
                d_bias[group].zero_()
        return dx, d_weight, d_bias, None


class GroupedLinear(nn.Module):
    """G linear layers over rows sorted by group. x [M, inputs], `bounds` G (start, stop) pairs -> [M, outputs]."""

    def __init__(self, groups: int, inputs: int, outputs: int) -> None:
        super().__init__()
        reach = 1 / math.sqrt(inputs)  # the same start as nn.Linear
        self.weight = nn.Parameter(torch.empty(groups, outputs, inputs).uniform_(-reach, reach))
        self.bias = nn.Parameter(torch.empty(groups, outputs).uniform_(-reach, reach))

    def forward(self, x: Tensor, bounds: Bounds) -> Tensor:
        """Apply layer g to rows bounds[g]."""
        y: Tensor = _GroupedProduct.apply(x, self.weight, self.bias, bounds)
        return y


class GroupedNorm(nn.Module):
    """Layer norm whose gain and shift belong to each row's group. x [N, K, d], group [N] -> [N, K, d]."""

    def __init__(self, groups: int, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(groups, width))
        self.shift = nn.Parameter(torch.zeros(groups, width))

    def forward(self, x: Tensor, group: Tensor) -> Tensor:
        """Normalise over the last axis."""
        normal = torch.nn.functional.layer_norm(x, x.shape[-1:])
        return torch.addcmul(self.shift[group].unsqueeze(1), normal, self.gain[group].unsqueeze(1))
