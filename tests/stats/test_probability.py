"""Predicted distributions against vote shares."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import softmax as scipy_softmax
from sklearn import metrics

from calm_lm.stats.probability import (
    EPSILON,
    brier,
    cross_entropy_rows,
    cross_entropy_to_shares,
    expected_calibration_error,
    one_hot,
    softmax,
    vote_shares,
)

logit_tables = hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(2, 4)), elements=st.floats(-8, 8))


def test_softmax_equals_scipy_and_stands_large_logits() -> None:
    logits = np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, -1000.0]])
    np.testing.assert_allclose(softmax(logits), scipy_softmax(logits, axis=1), rtol=1e-12)


def test_scores_of_hard_labels_equal_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    p, y = softmax(rng.normal(size=(50, 3))), rng.integers(3, size=50)
    assert cross_entropy_to_shares(p, one_hot(y, 3)) == pytest.approx(metrics.log_loss(y, p, labels=[0, 1, 2]))
    assert cross_entropy_rows(p, one_hot(y, 3))[0] == pytest.approx(-math.log(p[0, y[0]]))
    two, binary = softmax(rng.normal(size=(50, 2))), rng.integers(2, size=50)
    assert brier(two, one_hot(binary, 2)) == pytest.approx(2 * metrics.brier_score_loss(binary, two[:, 1]))


@given(logit_tables, st.integers(0, 2**32 - 1))
def test_cross_entropy_and_brier_are_least_at_the_shares(logits: np.ndarray, seed: int) -> None:
    shares = softmax(logits)
    other = softmax(np.random.default_rng(seed).normal(size=logits.shape))
    assert cross_entropy_to_shares(shares, shares) <= cross_entropy_to_shares(other, shares) + 1e-9
    assert brier(shares, shares) == 0 <= brier(other, shares) <= 2


def test_a_probability_of_zero_costs_what_epsilon_says() -> None:
    assert cross_entropy_to_shares([[1.0, 0.0]], [[0, 1]]) == pytest.approx(-math.log(EPSILON))
    assert cross_entropy_to_shares([[1.0, 0.0]], [[0.6, 0.4]]) == pytest.approx(-0.4 * math.log(EPSILON))


def test_vote_shares_by_hand() -> None:
    np.testing.assert_allclose(vote_shares([[3, 1], [0, 5]]), [[0.75, 0.25], [0, 1]])
    np.testing.assert_allclose(vote_shares([[3, 1], [0, 0]], prior=0.5), [[0.7, 0.3], [0.5, 0.5]])


def test_calibration_error_by_hand() -> None:
    # two bins of two rows: (0.6, 0.7) with one right, (0.8, 0.9) with both right
    p = [[0.6, 0.4], [0.3, 0.7], [0.8, 0.2], [0.1, 0.9]]
    shares = one_hot([1, 1, 0, 1], 2)
    assert expected_calibration_error(p, shares, bins=2) == pytest.approx(0.5 * 0.15 + 0.5 * 0.15)
    assert expected_calibration_error(p, shares, bins=1) == pytest.approx(0.0)
    assert expected_calibration_error([[0.6, 0.4]], [[0.5, 0.5]]) == pytest.approx(0.1)


def test_bins_of_calibration_error_hold_equal_numbers_of_rows() -> None:
    rng = np.random.default_rng(2)
    p, y = softmax(rng.normal(size=(150, 2))), rng.integers(2, size=150)
    order = np.argsort(p.max(axis=1))
    bins = [order[start : start + 10] for start in range(0, 150, 10)]
    gaps = [abs(p[b].max(axis=1).mean() - np.mean(p[b].argmax(axis=1) == y[b])) for b in bins]
    assert expected_calibration_error(p, one_hot(y, 2)) == pytest.approx(np.mean(gaps))


@given(st.lists(st.tuples(st.sampled_from([0.5, 0.6, 0.9]), st.integers(0, 1)), min_size=1, max_size=30), st.data())
def test_calibration_error_ignores_the_order_of_tied_rows(rows: list[tuple[float, int]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    first, second = (
        expected_calibration_error([[c, 1 - c] for c, _ in one], one_hot([y for _, y in one], 2), bins=4)
        for one in (rows, shuffled)
    )
    assert first == pytest.approx(second)
    assert 0 <= first <= 1


def test_chance_votes_are_calibrated_and_overconfidence_is_measured() -> None:
    rng = np.random.default_rng(3)
    p = np.repeat(rng.uniform(0.5, 1, size=20_000)[:, None], 2, axis=1)
    p[:, 1] = 1 - p[:, 0]
    y = (rng.random(20_000) > p[:, 0]).astype(int)
    assert expected_calibration_error(p, one_hot(y, 2)) < 0.02
    assert expected_calibration_error(np.tile([0.95, 0.05], (20_000, 1)), one_hot(y, 2)) == pytest.approx(0.2, abs=0.02)
