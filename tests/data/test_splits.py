from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.data.example import Example
from calm_lm.data.splits import SHARES, grouped_folds, grouped_split, normalise_text
from calm_lm.errors import CalmError


def rows(groups: list[int], labels: list[int] | None = None) -> list[Example]:
    labels = labels or [0] * len(groups)
    return [
        Example(text=f"t{at}", id=str(at), group=f"g{group}", label=label)
        for at, (group, label) in enumerate(zip(groups, labels, strict=True))
    ]


many = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 2)), min_size=1, max_size=80)


@given(many, st.integers(0, 99), st.randoms())
def test_no_group_on_two_sides_and_no_row_lost_in_any_order(pairs, seed, random):
    examples = rows([g for g, _ in pairs])
    split = grouped_split(examples, SHARES, seed)
    sides = {name: {row.group for row in held} for name, held in split.items()}
    assert sum(map(len, sides.values())) == len(set().union(*sides.values())) == len({row.group for row in examples})
    assert sorted(row.id for held in split.values() for row in held) == sorted(row.id for row in examples)
    assert len(split) == min(3, len({row.group for row in examples}))
    shuffled = random.sample(examples, len(examples))
    again = grouped_split(shuffled, SHARES, seed)
    assert {name: {row.id for row in held} for name, held in again.items()} == {
        name: {row.id for row in held} for name, held in split.items()
    }


@given(many, st.integers(2, 6), st.integers(0, 99), st.randoms())
def test_folds_hold_each_row_out_once_by_whole_groups(pairs, k, seed, random):
    examples = rows([g for g, _ in pairs], [label for _, label in pairs])
    if len({row.group for row in examples}) < k:
        with pytest.raises(CalmError, match="D77"):
            grouped_folds(examples, k, seed)
        return
    folds = grouped_folds(examples, k, seed)
    assert sorted(i for _, held in folds for i in held) == list(range(len(examples)))
    for train, held in folds:
        assert held
        assert sorted(train + held) == list(range(len(examples)))
        assert not {examples[i].group for i in train} & {examples[i].group for i in held}
    shuffled = random.sample(examples, len(examples))
    again = grouped_folds(shuffled, k, seed)
    assert [{examples[i].id for i in held} for _, held in folds] == [
        {shuffled[i].id for i in held} for _, held in again
    ]


def test_shares_are_met_and_a_seed_changes_the_split():
    examples = rows([at // 5 for at in range(5000)])
    split = grouped_split(examples)
    assert {name: len(held) for name, held in split.items()} == {"train": 3500, "valid": 500, "test": 1000}
    other = grouped_split(examples, SHARES, 1)
    assert {row.id for row in other["test"]} != {row.id for row in split["test"]}
    shared = len({row.group for row in other["test"]} & {row.group for row in split["test"]})
    assert 15 <= shared <= 70  # 40 of 200 expected of two independent draws


def test_the_split_is_the_same_in_every_process():
    # written down once: a change of the hash would move rows of finished runs between train and test
    split = grouped_split(rows(list(range(10))))
    assert {row.group for row in split["test"]} == {"g4", "g9"}
    assert {row.group for row in split["valid"]} == {"g5"}


def test_folds_are_balanced_by_label_and_differ_by_one_group():
    # five readers a post, as in CREHate: the labels of a post are 0 to 5 times "hate"
    examples = [
        Example(text=f"p{post}", id=f"{post}/{reader}", group=f"p{post}", label=int(reader < post % 6))
        for post in range(1343)
        for reader in range(5)
    ]
    for _, held in grouped_folds(examples, 5):
        assert len(held) // 5 in (268, 269)
        hateful = Counter(examples[i].group for i in held if examples[i].label == 1)
        kinds = Counter(hateful[group] for group in {examples[i].group for i in held})
        assert all(abs(kinds[kind] - 1343 / 6 / 5) <= 1 for kind in range(6))


@pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 0.5, "b": 0.6}, {"a": 1.5, "b": -0.5}, {"a": float("nan")}])
def test_shares_that_are_none(shares):
    with pytest.raises(CalmError, match="D76"):
        grouped_split(rows([1, 2]), shares)


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text):
    once = normalise_text(text)
    assert normalise_text(once) == once
    assert normalise_text(f"  {text}\n") == once


def test_texts_that_are_one():
    assert normalise_text("  The\u00a0STRASSE \n ﬁne") == normalise_text("the straße fine")
    assert normalise_text("cafe\u0301") == normalise_text("café")
    assert normalise_text("a b") != normalise_text("ab")
