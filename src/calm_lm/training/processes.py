"""The processes of one run: who writes, which rows each computes, and how the rows of all come together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from accelerate import PartialState
from torch import Tensor

STREAM = 1_000_003  # keeps the noise of one process apart from that of another seed's


class Processes:
    """The group that `accelerate launch` (or torchrun) announced, or this process alone.

    Every process draws the same batch, computes its own part of the rows and joins what all computed, so each
    holds the loss of the whole batch. Only the main process writes files.

    Args:
        cpu: the group meets on the CPU (gloo) although the machine has accelerators.

    Attributes:
        rank: number of this process, from 0.
        count: how many there are.
    """

    def __init__(self, *, cpu: bool) -> None:
        self._state = PartialState(cpu=cpu)
        self.rank, self.count = int(self._state.process_index), int(self._state.num_processes)

    @property
    def main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when every process has come here."""
        self._state.wait_for_everyone()

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The main process runs the block, then the others do and find what it wrote."""
        with self._state.main_process_first():
            yield

    def part_ways(self, seed: int) -> None:
        """Give each further process noise of its own; weights were made before, alike everywhere."""
        if not self.main:
            torch.manual_seed(seed + STREAM * self.rank)

    def join(self, rows: Tensor, sizes: Sequence[int]) -> Tensor:
        """Rows of all processes in their order: own [sizes[rank], ...] -> [sum(sizes), ...].

        Only the own rows carry gradients. A loss of the joined rows is the same number in every process and its
        gradient reaches each process's rows once, so the sum over processes is the gradient of the whole batch.
        """
        if self.count == 1:
            return rows
        held = rows.detach().to(self._state.device)
        padded = held.new_zeros((max(sizes), *rows.shape[1:]))
        padded[: len(rows)] = held
        pieces = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(pieces, padded)
        pieces = [piece[:size].to(rows.device) for piece, size in zip(pieces, sizes, strict=True)]
        return torch.cat([rows if rank == self.rank else piece for rank, piece in enumerate(pieces)])

    def agree(self, value: float) -> float:
        """The main process's value, everywhere."""
        return float(self._all(value)[0])

    def anywhere(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return bool(self._all(float(flag)).any())

    def _all(self, value: float) -> Tensor:
        return self.join(torch.tensor([value], dtype=torch.float64), [1] * self.count)
