from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset, Example
from calm_lm.errors import CalmError
from calm_lm.training.material import Vocabulary, build_rows


def row(text, label=None, votes=None, reader=None, author=None):
    return Example(text, f"{text}-{reader}", text, label, votes, reader=reader, author=author)


ROWS = (
    row("a", 1, (4, 1), Blend.of("SG")),  # the majority of its votes is not its label
    row("a", 0, None, Blend.of("AU")),
    row("b", None, (1, 3), None, Blend.of("GB")),
    row("b", None, None, Blend.parse("SG=0.25,AU=0.75")),
    row("c", 1, (0, 0), Blend.of("GB")),
)


def dataset(contrast="reader", **splits):
    return Dataset("d", ("fine", "odd"), 1, {"train": ROWS, **splits}, contrast)


def rows(target, contrast="reader"):
    data = dataset(contrast)
    return build_rows(data, "train", Vocabulary.of(data, readers=True), target=target)


def test_targets_are_vote_shares_where_there_are_votes():
    built = rows("shares")
    torch.testing.assert_close(built.shares, torch.tensor([[0.8, 0.2], [1, 0], [0.25, 0.75], [0, 0], [0, 1]]))
    assert built.known.tolist() == [1, 1, 1, 0, 1]
    assert built.labels.tolist() == [1, 0, -1, -1, 1]
    assert built.votes.tolist() == [[4, 1], [0, 0], [1, 3], [0, 0], [0, 0]]


def test_targets_are_labels_when_asked():
    built = rows("labels")
    assert built.shares.tolist() == [[0, 1], [1, 0], [0, 0], [0, 0], [0, 1]]
    assert built.known.tolist() == [1, 1, 0, 0, 1]


def test_texts_readers_and_cultures_become_numbers():
    built = rows("shares")
    assert built.texts == ("a", "b", "c")
    assert built.text_of.tolist() == [0, 0, 1, 1, 2]
    assert built.readers.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0], [0.75, 0, 0.25], [0, 1, 0]]
    assert built.cultures.tolist() == [2, 0, -1, 0, 1]  # a blend counts as its heaviest part
    assert rows("shares", contrast="author").cultures.tolist() == [-1, -1, 0, -1, -1]
    assert rows("shares", contrast=None).cultures.tolist() == [-1] * 5


def test_a_culture_that_training_never_saw_has_no_profile():
    data = dataset(valid=(row("v", 1, None, Blend.of("US")),))
    vocabulary = Vocabulary.of(data, readers=True)
    assert vocabulary == Vocabulary(("fine", "odd"), ("AU", "GB", "SG"), ("AU", "GB", "SG"))
    assert not build_rows(data, "valid", vocabulary, target="shares").readers.any()


def test_a_blind_model_has_neither_readers_nor_a_window_over_them():
    assert Vocabulary.of(dataset(), readers=False) == Vocabulary(("fine", "odd"), (), ())
    assert Vocabulary.of(dataset("author"), readers=False).cultures == ("GB",)


def test_a_set_without_labels_has_rows_too():
    data = replace(dataset("author"), labels=(), splits={"train": (row("b", author=Blend.of("GB")),)})
    built = build_rows(data, "train", Vocabulary.of(data, readers=True), target="shares")
    assert built.shares.shape == (1, 0)
    assert built.known.tolist() == [0]


@pytest.mark.parametrize("splits", [{}, {"valid": ROWS}, {"train": ()}])
def test_rows_of_a_split_that_is_not_there(splits):
    data = Dataset("d", ("fine", "odd"), 1, splits, None)
    with pytest.raises(CalmError, match=r"\[T03\].*'train'"):
        build_rows(data, "train", Vocabulary.of(data, readers=True), target="shares")
