"""Batches of texts of like length, so that little work is spent on padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS_AT_ONCE = 8


def length_sorted_batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Group texts by length, longest first, so that the first batch shows the peak of memory.

    Args:
        lengths: token count of each text.
        batch_tokens: bound on a batch's padded size (rows x longest row). One text above the bound
            makes a batch of its own.

    Returns:
        Indices into `lengths`; each occurs once, and equal lengths keep their order.
    """
    batches: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if room <= 0:
            batches.append([])
            room = max(1, batch_tokens // max(1, lengths[index]))
        batches[-1].append(index)
        room -= 1
    return batches


def pad_tokens(rows: Sequence[Sequence[int]], pad_id: int, *, left: bool = False) -> tuple[Tensor, Tensor]:
    """Pad rows of token ids to the longest row.

    Returns:
        (ids int64 [B, T], mask bool [B, T] True on real tokens), padding on the right unless `left`.
    """
    width = max((len(row) for row in rows), default=0)
    ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.bool)
    for i, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(0, len(row))
        ids[i, place] = torch.tensor(row, dtype=torch.long)
        mask[i, place] = True
    return ids, mask


def run_by_length(run: Callable[[Tensor, Tensor], Tensor], states: Tensor, mask: Tensor) -> Tensor:
    """`run(states, mask)` for rows of unequal length, a few of like length at a time; differentiable.

    On a CPU the time of a layer is that of its tokens, and in a batch of posts most of them are padding. On
    other devices all rows go together.

    Args:
        run: maps states [b, t, d] and mask [b, t] to states [b, t, d'].
        states: [B, T, d], right-padded.
        mask: [B, T] bool.

    Returns:
        [B, T, d'], zeros on padding where rows went apart.
    """
    if states.device.type != "cpu" or len(states) <= ROWS_AT_ONCE:
        return run(states, mask)
    lengths = mask.sum(1)
    order = torch.argsort(lengths, descending=True, stable=True)
    pieces = []
    for rows in torch.split(order, ROWS_AT_ONCE):
        longest = int(lengths[rows[0]])
        piece = run(states[rows, :longest], mask[rows, :longest])
        pieces.append(F.pad(piece, (0, 0, 0, states.size(1) - longest)))
    return torch.cat(pieces)[torch.argsort(order)]
