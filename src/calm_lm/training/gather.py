"""Bringing the rows of several processes together, with gradients."""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as dist_nn
from torch import Tensor


class Gather:
    """Concatenates row tensors of all processes in rank order; with one process it does nothing.

    Gradients of what others computed from our rows flow back to us, so that the averaged gradient of W
    processes is the gradient of the whole batch. All processes must hold the same number of rows.
    """

    def __init__(self) -> None:
        self.active = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
        self.rank = dist.get_rank() if self.active else 0
        self.count = dist.get_world_size() if self.active else 1

    def all(self, rows: Tensor) -> Tensor:
        """[B, ...] -> [W * B, ...]."""
        if not self.active:
            return rows
        if rows.is_floating_point():
            return torch.cat(list(dist_nn.all_gather(rows)))
        pieces = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(pieces, rows.contiguous())
        return torch.cat(pieces)

    def positions(self, partner: Tensor) -> Tensor:
        """Gather positions that count within each process's rows, moved to where those rows now stand."""
        if not self.active:
            return partner
        shifted = torch.where(partner >= 0, partner + self.rank * len(partner), partner)
        return self.all(shifted)

    def own(self, count: int) -> slice:
        """The rows of this process among the gathered ones."""
        return slice(self.rank * count, (self.rank + 1) * count)
