"""Symbols of places, diversity and leaks: by hand, by another way, and by what must always hold."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.stats.markedness import (
    NOBODY,
    distinct_n,
    evenness,
    jackknife_interval,
    leak_shares,
    owners,
    simpson_diversity,
    smoothed_log_odds,
)

counts = st.lists(st.integers(0, 6), min_size=2, max_size=6)


@st.composite
def corpora(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    places, symbols = draw(st.integers(2, 4)), draw(st.integers(1, 4))
    sizes = np.array(draw(st.lists(st.integers(1, 8), min_size=places, max_size=places)))
    held = np.array([[draw(st.integers(0, int(size))) for _ in range(symbols)] for size in sizes])
    return held, sizes


def test_log_odds_by_hand() -> None:
    # 3 of 4 texts here, 1 of 6 in the others: ln(3.5 / 1.5) - ln(1.5 / 5.5)
    found = smoothed_log_odds([[3, 0], [1, 0], [0, 2]], [4, 3, 3])
    assert found[0, 0] == pytest.approx(math.log(3.5 / 1.5) - math.log(1.5 / 5.5))
    assert found[2, 1] == pytest.approx(math.log(2.5 / 1.5) - math.log(0.5 / 7.5))


@given(corpora())
def test_log_odds_change_sign_between_two_places_and_ignore_the_order(corpus: tuple[np.ndarray, np.ndarray]) -> None:
    held, sizes = corpus
    found = smoothed_log_odds(held, sizes)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(smoothed_log_odds(held[::-1], sizes[::-1]), found[::-1])
    two = smoothed_log_odds(held[:2], sizes[:2])
    np.testing.assert_allclose(two[0], -two[1], atol=1e-12)
    more = held.copy()
    more[0, 0] = sizes[0]
    assert smoothed_log_odds(more, sizes)[0, 0] >= found[0, 0]


def test_a_symbol_belongs_to_the_place_where_it_stands_out() -> None:
    held = np.array([[4, 1, 2, 0], [0, 0, 2, 2], [0, 0, 2, 2]])
    odds = smoothed_log_odds(held, [4, 4, 4])
    # once is not enough, equal everywhere is nobody's, and neither is what two places share
    np.testing.assert_array_equal(owners(odds, held, math.log(3)), [0, NOBODY, NOBODY, NOBODY])
    np.testing.assert_array_equal(owners(odds, held, math.log(3), texts=1), [0, 0, NOBODY, NOBODY])


@given(counts)
def test_simpson_is_the_share_of_unlike_pairs(n: list[int]) -> None:
    kinds = [kind for kind, count in enumerate(n) for _ in range(count)]
    pairs = list(combinations(kinds, 2))
    found = simpson_diversity(n)
    if not pairs:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(np.mean([a != b for a, b in pairs]))


def test_distinct_by_hand() -> None:
    texts = [["red", "rice", "and", "red", "rice"], ["red", "rice"]]
    assert distinct_n(texts, 1) == 3 / 7
    assert distinct_n(texts, 2) == 3 / 5  # red rice, rice and, and red
    assert math.isnan(distinct_n([["one"]], 2))
    assert math.isnan(distinct_n([], 1))


def test_leak_by_hand() -> None:
    # symbols of places 0, 0, 2 and of nobody; the last counts for nothing
    found = leak_shares([1, 2, 1, 50], [0, 0, 2, NOBODY], 3)
    np.testing.assert_allclose(found, [0.75, 0, 0.25])
    assert evenness(found) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(3))
    assert np.isnan(leak_shares([0, 0], [0, 1], 2)).all()
    assert math.isnan(evenness([np.nan, np.nan]))


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=6))
def test_evenness_is_greatest_where_shares_are_equal(weights: list[float]) -> None:
    shares = np.array(weights) / sum(weights)
    assert 0 <= evenness(shares) <= 1 + 1e-12
    assert evenness(shares) == pytest.approx(evenness(shares[::-1]))
    assert evenness(np.full(len(weights), 1 / len(weights))) == pytest.approx(1)
    assert evenness(np.eye(len(weights))[0]) == 0


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=20))
def test_the_jackknife_of_a_mean_is_its_standard_error(values: list[float]) -> None:
    array = np.array(values)
    left_out = [np.delete(array, at).mean() for at in range(len(array))]
    low, high = jackknife_interval(array.mean(), left_out)
    assert (high - low) / 2 == pytest.approx(1.959964 * array.std(ddof=1) / np.sqrt(len(array)), abs=1e-9)
    assert (low + high) / 2 == pytest.approx(array.mean())


def test_bad_input_is_named() -> None:
    with pytest.raises(CalmError, match="S40"):
        simpson_diversity([1.5])
    with pytest.raises(CalmError, match="S40"):
        leak_shares([-1], [0], 1)
    with pytest.raises(CalmError, match="S41"):
        smoothed_log_odds([[1]], [2])
    with pytest.raises(CalmError, match="S41"):
        smoothed_log_odds([[3], [0]], [2, 2])
    with pytest.raises(CalmError, match="S42"):
        jackknife_interval(0.0, [1.0])
    with pytest.raises(CalmError, match="S01"):
        smoothed_log_odds([[1], [0]], [2, 2], prior=0)
