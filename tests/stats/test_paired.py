"""Differences of two systems, their tests, and the correction for many."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from calm_lm.stats.bootstrap import Statistic, bootstrap_mean
from calm_lm.stats.paired import holm, mcnemar, paired_difference, sign_flip_test

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def mean_of(values: np.ndarray) -> Statistic:
    return lambda rows: float(values[rows].mean())


def test_the_difference_uses_the_same_replicates_for_both() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 3)
    b = 5 * rng.normal(size=40)[groups]
    a = b + 0.2 + 0.1 * rng.normal(size=120)
    found = paired_difference(mean_of(a), mean_of(b), groups, n=400, seed=3)
    assert found.difference == pytest.approx((a - b).mean())
    assert found.interval == pytest.approx(bootstrap_mean(a - b, groups, n=400, seed=3), abs=1e-9)
    assert found.interval.low > 0
    assert found.p == 2 / 401


def test_swapping_the_systems_mirrors_the_result_and_a_system_equals_itself() -> None:
    rng = np.random.default_rng(1)
    a, b, groups = rng.normal(size=60), rng.normal(size=60), np.arange(60)
    one, other = (paired_difference(mean_of(x), mean_of(y), groups, n=300, seed=0) for x, y in ((a, b), (b, a)))
    assert one.p == other.p
    assert one.interval[:2] == pytest.approx((-other.interval.high, -other.interval.low))
    itself = paired_difference(mean_of(a), mean_of(a), groups, n=300, seed=0)
    assert itself == (0.0, (0.0, 0.0, 0.95), 1.0)


def test_p_under_no_difference_is_about_uniform() -> None:
    rng = np.random.default_rng(2)
    ps = [
        paired_difference(mean_of(rng.normal(size=40)), mean_of(rng.normal(size=40)), np.arange(40), n=99, seed=i).p
        for i in range(150)
    ]
    assert np.mean(np.array(ps) <= 0.1) == pytest.approx(0.1, abs=0.07)


def test_training_seeds_widen_the_difference() -> None:
    rng = np.random.default_rng(3)
    a, b, groups = rng.normal(size=80) + 0.5, rng.normal(size=80), np.arange(80)
    narrow = paired_difference(mean_of(a), mean_of(b), groups, n=400, seed=0)
    seeds = [mean_of(a + shift) for shift in (-1.0, 0.0, 1.0)]
    wide = paired_difference(seeds, mean_of(b), groups, n=400, seed=0)
    assert wide.difference == pytest.approx(narrow.difference)
    assert np.diff(wide.interval[:2]) > 1.5 * np.diff(narrow.interval[:2])
    both = paired_difference(seeds, seeds, groups, n=400, seed=0)
    assert both.interval.low < -0.3 < 0.3 < both.interval.high  # the seeds of two systems are no pairs


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60))
def test_mcnemar_equals_statsmodels(rows: list[tuple[int, int]]) -> None:
    a, b = np.array(rows).T
    table = np.histogram2d(a, b, bins=2, range=[[0, 1], [0, 1]])[0]
    found = mcnemar(a, b)
    assert (found.only_a, found.only_b) == (table[1, 0], table[0, 1])
    assert found.p == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue)


def test_mcnemar_by_hand() -> None:
    assert mcnemar([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0]).p == 2 / 32
    assert mcnemar([1, 0], [1, 0]) == (0, 0, 1.0)


def test_sign_flips_of_group_means_equal_full_enumeration() -> None:
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(9), [1, 2, 3, 1, 2, 3, 1, 2, 3])
    differences = rng.normal(size=18) + 0.5
    means = np.array([differences[groups == g].mean() for g in range(9)])
    all_sums = [abs(np.dot(signs, means)) for signs in itertools.product((-1, 1), repeat=9)]
    exact = np.mean(np.array(all_sums) >= abs(means.sum()) - 1e-12)
    assert sign_flip_test(differences, groups, n=20_000, seed=0) == pytest.approx(exact, abs=0.015)
    theirs = stats.permutation_test((means,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert exact == pytest.approx(theirs.pvalue)


def test_sign_flips_at_the_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sign_flip_test(np.zeros(5), np.arange(5), n=50, seed=0) == 1.0
    assert sign_flip_test(np.ones(40), np.arange(40), n=199, seed=0) == 1 / 200
    whole = sign_flip_test(np.arange(-3, 9), np.arange(12), n=500, seed=1)
    monkeypatch.setattr("calm_lm.stats.paired._CHUNK", 24)
    assert sign_flip_test(np.arange(-3, 9), np.arange(12), n=500, seed=1) == pytest.approx(whole, abs=0.05)


@settings(max_examples=15, deadline=None)  # statsmodels takes 40 ms a call
@given(p_lists)
def test_holm_equals_statsmodels_and_keeps_the_order(ps: list[float]) -> None:
    corrected = holm(ps)
    np.testing.assert_allclose(corrected, multipletests(ps, method="holm")[1], atol=1e-12)
    order = np.argsort(ps, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()
    assert (corrected >= np.array(ps)).all()
    assert (corrected <= 1).all()
