"""The door for shares over options: what enters is sound, what does not is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.stats.shares import option_cells, option_pair, option_shares, scale_positions, with_gaps


def test_rounding_errors_are_divided_away_and_larger_ones_refused() -> None:
    shares = option_shares([[0.33333, 0.33333, 0.33333]], "p")
    assert shares.sum() == pytest.approx(1, abs=1e-15)
    with pytest.raises(CalmError, match=r"\[S07\] row 2, field 'p', value '0.9'"):
        option_shares([[0.5, 0.5], [0.5, 0.4]], "p")


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ([[1.0]], "S20"),  # an item with one option
        ([[0.5, 0.5], [1.0]], "S02"),
        ([[1.2, -0.2]], "S06"),
        ([[np.nan, 1.0]], "S04"),
        ([0.5, 0.5], "S03"),
        ([["a", "b"]], "S02"),
    ],
)
def test_bad_shares_are_named(bad: object, code: str) -> None:
    with pytest.raises(CalmError, match=rf"\[{code}\].*'people'"):
        option_shares(bad, "people")  # type: ignore[arg-type]


def test_a_pair_has_one_shape() -> None:
    with pytest.raises(CalmError, match="S09"):
        option_pair([[0.5, 0.5]], [[0.5, 0.5, 0.0]])


def test_positions_are_ranks_or_scaled() -> None:
    np.testing.assert_array_equal(scale_positions(3, None), [0, 0.5, 1])
    np.testing.assert_allclose(scale_positions(3, [1, 2, 10]), [0, 1 / 9, 1])
    for bad in ([1, 2], [1, 1, 2], [3, 2, 1]):
        with pytest.raises(CalmError, match="S21"):
            scale_positions(3, bad)


def test_whole_cells_may_be_missing_and_parts_of_them_not() -> None:
    gap = [np.nan, np.nan]
    cells, present = option_cells([[[0.2, 0.8], gap], [gap, [1, 0]]], "shares", "N, C, K")
    np.testing.assert_array_equal(present, [[True, False], [False, True]])
    np.testing.assert_array_equal(cells[present], [[0.2, 0.8], [1, 0]])
    with pytest.raises(CalmError, match=r"S04\] row 2, field 'shares\[0\]'"):
        option_cells([[[0.2, 0.8], [np.nan, 1.0]]], "shares", "N, C, K")


@pytest.mark.parametrize("bad", [[[1.0, 2.0], [1.0]], [1.0, 2.0], [["a"]], np.empty((0, 2)), [[None]]])
def test_other_shapes_are_refused(bad: object) -> None:
    with pytest.raises(CalmError, match="S29"):
        with_gaps(bad, "positions", "N, C")  # type: ignore[arg-type]


cell = st.one_of(st.floats(), st.integers(-9, 9), st.none(), st.text(max_size=2), st.sampled_from([0.5, 0.25, 1.0]))


@settings(max_examples=300)
@given(st.one_of(cell, st.lists(cell, max_size=3), st.lists(st.lists(cell, max_size=3), max_size=3)))
def test_whatever_is_given_is_shares_or_a_named_mistake(given_values: object) -> None:
    for read in (option_shares, lambda values, field: with_gaps(values, field, "N, K")):
        try:
            rows = read(given_values, "people")  # type: ignore[operator]
        except CalmError:
            continue
        assert rows.ndim == 2
        assert read is not option_shares or np.allclose(rows.sum(axis=1), 1)
