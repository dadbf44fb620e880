"""Intervals: groups stay whole, seeds are drawn, and the truth is covered about as often as promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from calm_lm.errors import CalmError
from calm_lm.stats.bootstrap import (
    GroupRows,
    bootstrap_interval,
    bootstrap_mean,
    bootstrap_over_seeds,
    bootstrap_replicates,
    percentile_interval,
)
from calm_lm.stats.classification import auroc


@given(st.lists(st.integers(0, 5), min_size=2, max_size=30).filter(lambda ids: len(set(ids)) > 1), st.data())
def test_a_draw_takes_all_rows_of_a_group(ids: list[int], data: st.DataObject) -> None:
    groups = np.array(ids)
    names = np.unique(groups)
    drawn = np.array(data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=8)))
    expected = np.concatenate([np.flatnonzero(groups == names[k]) for k in drawn])
    np.testing.assert_array_equal(GroupRows.of(groups).take(drawn), expected)


def test_the_fast_mean_is_the_same_interval() -> None:
    rng = np.random.default_rng(0)
    values, groups = rng.normal(size=90), [f"post-{i}" for i in rng.integers(30, size=90)]
    slow = bootstrap_interval(lambda rows: float(values[rows].mean()), groups, n=200, seed=5, level=0.9)
    assert bootstrap_mean(values, groups, n=200, seed=5, level=0.9) == pytest.approx(slow, abs=1e-12)
    assert bootstrap_mean(values, groups, n=200, seed=6, level=0.9) != slow


def test_rows_of_their_own_give_the_interval_of_scipy() -> None:
    values = np.random.default_rng(1).exponential(size=200)
    low, high, _ = bootstrap_mean(values, np.arange(200), n=4000, seed=0)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=0).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.012)


def test_coverage_is_near_its_level_and_lost_when_groups_are_torn() -> None:
    rng = np.random.default_rng(2)
    whole = torn = 0
    for trial in range(200):
        posts = np.repeat(np.arange(50), 4)
        values = 3 + rng.normal(size=50)[posts] + 0.3 * rng.normal(size=200)
        low, high, _ = bootstrap_mean(values, posts, n=200, seed=trial)
        whole += low <= 3 <= high
        low, high, _ = bootstrap_mean(values, np.arange(200), n=200, seed=trial)
        torn += low <= 3 <= high
    assert 0.88 <= whole / 200 <= 0.99
    assert torn / 200 < 0.85


def test_equal_seeds_add_nothing_and_different_seeds_widen() -> None:
    values, groups = np.random.default_rng(3).normal(size=80), np.arange(80)

    def shifted(by: float) -> object:
        return lambda rows: float(values[rows].mean() + by)

    alone = bootstrap_mean(values, groups, n=300, seed=1)
    same = bootstrap_over_seeds([shifted(0)] * 3, groups, n=300, seed=1)  # type: ignore[list-item]
    assert same == pytest.approx(alone, abs=1e-12)
    spread = bootstrap_over_seeds([shifted(-1), shifted(0), shifted(1)], groups, n=300, seed=1)  # type: ignore[list-item]
    assert spread.low < alone.low - 0.3
    assert spread.high > alone.high + 0.3


def test_seeds_are_drawn_with_replacement_and_averaged() -> None:
    seeds = [lambda rows, k=k: float(k) for k in range(2)]
    means = bootstrap_replicates(seeds, [0, 1], n=2000, seed=0)
    assert set(means) == {0.0, 0.5, 1.0}
    assert np.mean(means == 0.5) == pytest.approx(0.5, abs=0.05)


def test_a_few_undefined_replicates_are_left_out_and_many_refused() -> None:
    score = np.random.default_rng(4).normal(size=20)
    rare, rarer = np.zeros(20, dtype=int), np.zeros(20, dtype=int)
    rare[:4], rarer[:1] = 1, 1
    interval = bootstrap_interval(lambda rows: auroc(rare[rows], score[rows]), np.arange(20), n=300, seed=0)
    assert 0 <= interval.low <= interval.high <= 1
    known = np.append(np.linspace(1, 2, 101), [float("nan")] * 9)
    assert percentile_interval(known, 0.9) == pytest.approx((1.05, 1.95, 0.9))
    with pytest.raises(CalmError, match="S13"):
        bootstrap_interval(lambda rows: auroc(rarer[rows], score[rows]), np.arange(20), n=300, seed=0)
