from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.lm.batching import length_sorted_batches, pad_tokens


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
