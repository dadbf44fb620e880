"""Shuffled votes keep posts and panels and lose the reader; permuted readers never keep their own."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset, Example
from calm_lm.evaluation.controls import shuffle_votes
from calm_lm.evaluation.system import other_readers
from calm_lm.training.material import Vocabulary, build_rows

READERS = ("AU", "GB", "SG")


def small_set(panels: list[list[tuple[int, int]]]) -> Dataset:
    rows = tuple(
        Example(f"post {number}", f"{number}-{reader}", str(number), int(votes[1] > votes[0]), votes, Blend.of(reader))
        for number, panel in enumerate(panels)
        for reader, votes in zip(READERS, panel, strict=True)
    )
    return Dataset("small", ("no", "yes"), 1, {"train": rows}, "reader")


panels = st.lists(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=3), min_size=1, max_size=6
)


@given(panels, st.integers(0, 3))
def test_posts_keep_their_votes_and_readers_their_panel_sizes(given_panels, seed) -> None:
    before, after = small_set(given_panels), shuffle_votes(small_set(given_panels), seed)
    for old, new in zip(before.splits["train"], after.splits["train"], strict=True):
        assert (old.text, old.id, old.reader) == (new.text, new.id, new.reader)
        assert sum(old.votes or ()) == sum(new.votes or ())
    totals = [Counter[str](), Counter[str]()]
    for total, dataset in zip(totals, (before, after), strict=True):
        for row in dataset.splits["train"]:
            total[row.group] += (row.votes or (0, 0))[1]
    assert totals[0] == totals[1]


def test_labels_follow_the_dealt_votes_and_ties_keep_the_old_one() -> None:
    shuffled = shuffle_votes(small_set([[(5, 0), (0, 5), (1, 4)]] * 20), 0)
    for row in shuffled.splits["train"]:
        no, yes = row.votes or (0, 0)
        assert no == yes or row.label == int(yes > no)


def test_shuffling_removes_what_only_the_reader_knew() -> None:
    apart = small_set([[(5, 0), (0, 5), (0, 5)]] * 200)
    shares = [row.votes[1] / 5 for row in shuffle_votes(apart, 1).splits["train"] if row.reader == Blend.of("AU")]
    assert abs(np.mean(shares) - 2 / 3) < 0.05


def test_every_row_is_read_by_somebody_else() -> None:
    dataset = small_set([[(3, 2)] * 3] * 30)
    rows = build_rows(dataset, "train", Vocabulary.of(dataset, readers=True), target="shares")
    other = other_readers(rows, 0)
    assert torch.equal(other.sum(1), torch.ones(90))
    assert not (other.argmax(1) == rows.readers.argmax(1)).any()
    assert not torch.equal(other, other_readers(rows, 1))
