"""Layers of many experts at once: rows sorted by expert, one matrix product per expert, no copies.

Against a loop over modules this saves the gather and the concatenation per expert, and gives every expert a
gradient (zero where it saw no row), which keeps optimiser state and data-parallel runs simple.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Bounds = Sequence[tuple[int, int]]


class GradientSpace:
    """Memory for gradients of one shape, handed out again once nothing refers to the gradient that was in it.

    The weights of all experts together are one large block, which a CPU's allocator takes fresh from the system
    at every step; clearing its pages costs a seventh of a training step. A loan is an array that only the tensor
    made of it holds, so it ends exactly when the tensor, and every view of it, is gone.
    """

    def __init__(self) -> None:
        self._blocks: list[Tensor] = []
        self._loans: list[weakref.ref[Any]] = []

    def take(self, like: Tensor) -> Tensor:
        """An uninitialised tensor with the shape of `like`."""
        if like.device.type != "cpu" or like.dtype not in (torch.float32, torch.float64):
            return torch.empty_like(like)
        if any(block.shape != like.shape or block.dtype != like.dtype for block in self._blocks):
            self._blocks, self._loans = [], []
        ended = [number for number, loan in enumerate(self._loans) if loan() is None]
        block = self._blocks.pop(ended[0]) if ended else torch.empty_like(like, memory_format=torch.contiguous_format)
        if ended:
            del self._loans[ended[0]]
        array = block.numpy()
        self._blocks.append(block)
        self._loans.append(weakref.ref(array))
        return torch.from_numpy(array)


class _GroupedProduct(torch.autograd.Function):
    """y[a:b] = x[a:b] W_g^T + b_g for every group g, written straight into one output."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, bounds: Bounds, space: GradientSpace) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.bounds, ctx.space = bounds, space
        y = x.new_empty(x.size(0), weight.size(1))
        for group, (start, stop) in enumerate(bounds):
            if start < stop:
                torch.addmm(bias[group], x[start:stop], weight[group].t(), out=y[start:stop])
        return y

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None]:
        x, weight = ctx.saved_tensors
        dy = upstream[0].contiguous()
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        d_weight = ctx.space.take(weight)
        d_bias = weight.new_empty(weight.shape[:2])
        for group, (start, stop) in enumerate(ctx.bounds):
            rows = dy[start:stop]
            _weight_gradients(rows, x[start:stop], d_weight[group], d_bias[group])
            if dx is not None and start < stop:
                torch.mm(rows, weight[group], out=dx[start:stop])
        return dx, d_weight, d_bias, None, None


def _weight_gradients(dy: Tensor, x: Tensor, d_weight: Tensor, d_bias: Tensor) -> None:
    """Fill in the gradients of one group's linear layer; zero where it saw no row."""
    torch.mm(dy.t(), x, out=d_weight)
    torch.sum(dy, 0, out=d_bias)


class _GroupedFeedForward(torch.autograd.Function):
    """y[a:b] = drop(relu(x[a:b] U_g^T + u_g)) D_g^T + d_g for every group g.

    One function, so that a group's hidden rows are made, used and differentiated while they lie in the cache,
    and only what survives ReLU and dropout is kept: where it is positive, the gradient passes.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        up: Tensor,
        up_bias: Tensor,
        down: Tensor,
        down_bias: Tensor,
        bounds: Bounds,
        drop: float,
        spaces: tuple[GradientSpace, GradientSpace],
    ) -> Tensor:
        hidden = x.new_empty(x.size(0), up.size(1))
        y = x.new_empty(x.size(0), down.size(1))
        for group, (start, stop) in enumerate(bounds):
            if start < stop:
                rows = hidden[start:stop]
                torch.addmm(up_bias[group], x[start:stop], up[group].t(), out=rows)
                F.dropout(rows.relu_(), drop, inplace=True)
                torch.addmm(down_bias[group], rows, down[group].t(), out=y[start:stop])
        ctx.save_for_backward(x, up, down, hidden)
        ctx.bounds, ctx.scale, ctx.spaces = bounds, 1 / (1 - drop), spaces
        return y

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        x, up, down, hidden = ctx.saved_tensors
        dy = upstream[0].contiguous()
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        d_up, d_down = (space.take(weight) for space, weight in zip(ctx.spaces, (up, down), strict=True))
        d_up_bias, d_down_bias = up.new_empty(up.shape[:2]), down.new_empty(down.shape[:2])
        for group, (start, stop) in enumerate(ctx.bounds):
            rows, kept = dy[start:stop], hidden[start:stop]
            _weight_gradients(rows, kept, d_down[group], d_down_bias[group])
            d_hidden = torch.ops.aten.threshold_backward(rows @ down[group], kept, 0)
            if ctx.scale != 1:
                d_hidden *= ctx.scale
            _weight_gradients(d_hidden, x[start:stop], d_up[group], d_up_bias[group])
            if dx is not None and start < stop:
                torch.mm(d_hidden, up[group], out=dx[start:stop])
        return dx, d_up, d_up_bias, d_down, d_down_bias, None, None, None


class _GroupedNorm(torch.autograd.Function):
    """y[a:b] = layer_norm(x[a:b]) * gain_g + shift_g for every group g."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, shift: Tensor, bounds: Bounds) -> Tensor:
        y = torch.empty_like(x)
        mean, spread = x.new_empty(x.size(0), 1), x.new_empty(x.size(0), 1)
        for group, (start, stop) in enumerate(bounds):
            if start < stop:
                found = torch.native_layer_norm(x[start:stop], x.shape[-1:], gain[group], shift[group], 1e-5)
                for whole, part in zip((y, mean, spread), found, strict=True):
                    whole[start:stop] = part
        ctx.save_for_backward(x, gain, shift, mean, spread)
        ctx.bounds = bounds
        return y

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, gain, shift, mean, spread = ctx.saved_tensors
        dy = upstream[0].contiguous()
        dx, d_gain, d_shift = torch.empty_like(x), torch.zeros_like(gain), torch.zeros_like(shift)
        for group, (start, stop) in enumerate(ctx.bounds):
            if start < stop:
                at = slice(start, stop)
                dx[at], d_gain[group], d_shift[group] = torch.ops.aten.native_layer_norm_backward(
                    dy[at], x[at], x.shape[-1:], mean[at], spread[at], gain[group], shift[group], [True, True, True]
                )
        return dx, d_gain, d_shift, None


class GroupedLinear(nn.Module):
    """G linear layers over rows sorted by group. x [M, inputs], `bounds` G (start, stop) pairs -> [M, outputs]."""

    def __init__(self, groups: int, inputs: int, outputs: int) -> None:
        super().__init__()
        reach = 1 / math.sqrt(inputs)  # the same start as nn.Linear
        self.weight = nn.Parameter(torch.empty(groups, outputs, inputs).uniform_(-reach, reach))
        self.bias = nn.Parameter(torch.empty(groups, outputs).uniform_(-reach, reach))
        self.space = GradientSpace()

    def forward(self, x: Tensor, bounds: Bounds) -> Tensor:
        """Apply layer g to rows bounds[g]."""
        y: Tensor = _GroupedProduct.apply(x, self.weight, self.bias, bounds, self.space)  # type: ignore[no-untyped-call]
        return y


class GroupedNorm(nn.Module):
    """G layer norms over rows sorted by group. x [M, width], `bounds` G (start, stop) pairs -> [M, width]."""

    def __init__(self, groups: int, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(groups, width))
        self.shift = nn.Parameter(torch.zeros(groups, width))

    def forward(self, x: Tensor, bounds: Bounds) -> Tensor:
        """Normalise rows bounds[g] with norm g."""
        y: Tensor = _GroupedNorm.apply(x, self.gain, self.shift, bounds)  # type: ignore[no-untyped-call]
        return y


def feed_forward(x: Tensor, up: GroupedLinear, down: GroupedLinear, bounds: Bounds, drop: float) -> Tensor:
    """`down(dropout(relu(up(x))))` in one step; `drop` 0 drops nothing. [M, width] -> [M, width]."""
    weights = (up.weight, up.bias, down.weight, down.bias)
    y: Tensor = _GroupedFeedForward.apply(x, *weights, bounds, drop, (up.space, down.space))  # type: ignore[no-untyped-call]
    return y
