"""A sample keeps the balance, cuts no group of a label, and says what it did."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from calm_lm.data.example import Dataset, Example
from calm_lm.data.sample import sample_rows


def make(count: int) -> Dataset:
    rows = tuple(Example(f"text {i}", str(i), f"g{i // 2}", int((i // 2) % 3 == 0)) for i in range(count))
    return Dataset("made", ("no", "yes"), 1, {"train": rows, "valid": rows[:40], "test": rows[:30]}, None)


@given(st.integers(20, 200), st.integers(0, 5))
def test_balance_size_and_groups(rows: int, seed: int) -> None:
    small = sample_rows(make(300), rows, seed)
    train = small.splits["train"]
    assert rows - 4 <= len(train) <= rows
    assert abs(sum(row.label or 0 for row in train) / len(train) - 1 / 3) < 0.1
    groups = [row.group for row in train]
    assert all(groups.count(group) == 2 for group in set(groups))
    assert small.splits["test"] == make(300).splits["test"]
    assert "stratified sample" in small.notes[-1]
    assert small == sample_rows(make(300), rows, seed)


def test_a_set_that_is_small_enough_is_left_alone() -> None:
    whole = make(40)
    assert sample_rows(whole, 1_000) is whole
