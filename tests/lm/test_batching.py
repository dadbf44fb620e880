from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.lm.batching import length_sorted_batches, pad_tokens, run_by_length


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 100))
def test_batches_hold_every_text_once_within_the_bound(lengths, bound):
    batches = length_sorted_batches(lengths, bound)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    flat = [lengths[index] for batch in batches for index in batch]
    assert flat == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch[0]] <= bound


def test_batches_are_filled():
    assert length_sorted_batches([4, 9, 4, 5, 1], 10) == [[1], [3, 0], [2, 4]]


@given(st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=1, max_size=5), st.booleans())
def test_padding_keeps_the_rows_and_their_side(rows, left):
    ids, mask = pad_tokens(rows, 0, left=left)
    assert [ids[i][mask[i]].tolist() for i in range(len(rows))] == rows
    edge = mask.long().diff(dim=1)
    assert torch.all(edge >= 0) if left else torch.all(edge <= 0)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=40))
def test_rows_run_by_length_give_what_they_give_together(lengths: list[int]) -> None:
    draw = torch.Generator().manual_seed(len(lengths))
    states = torch.randn(len(lengths), max(lengths), 3, generator=draw, dtype=torch.float64)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)

    def run(some: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Every token becomes the sum of the real tokens up to it."""
        return (some * real.unsqueeze(-1)).cumsum(1)

    apart = run_by_length(run, states.requires_grad_(), mask)
    assert torch.allclose(apart[mask], run(states, mask)[mask], rtol=1e-12)
    (slope,) = torch.autograd.grad(apart[mask].square().sum(), states)
    (wanted,) = torch.autograd.grad(run(states, mask)[mask].square().sum(), states)
    assert torch.allclose(slope, wanted, rtol=1e-10, atol=1e-12)


def test_rows_of_like_length_are_not_padded_to_the_longest() -> None:
    mask = torch.arange(50) < torch.tensor([50, *[3] * 31]).unsqueeze(1)
    seen = []
    run_by_length(lambda s, m: seen.append(s.shape[:2].numel()) or s, torch.zeros(32, 50, 2), mask)
    assert sum(seen) == 8 * 50 + 24 * 3
