"""Calibration error without chance: by hand, unbiased over many samples, with groups, and intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.stats.calibration_error import (
    chance_in_gaps,
    equal_mass_bins,
    root,
    squared_calibration_error,
    squared_gaps,
)
from calm_lm.stats.probability import expected_calibration_error
from calm_lm.stats.sums import draw, few_drawn

ONCE = np.ones((1, 4))
rows = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 4)), min_size=4, max_size=60)


def test_by_hand() -> None:
    """Bins (0.6, 0.7) with one right and (0.8, 0.9) with both: gaps 0.15 and -0.15."""
    confidence, right = np.array([0.6, 0.7, 0.8, 0.9]), np.array([1.0, 0, 1, 1])
    bin_of = equal_mass_bins(confidence, 2)
    assert bin_of.tolist() == [0, 0, 1, 1]
    gap = confidence - right
    assert squared_gaps(gap, bin_of, ONCE) == pytest.approx([0.15**2])
    # gaps -0.4 and 0.7 have the variance 1.1^2 / 2, -0.2 and -0.1 have 0.1^2 / 2; a mean of two halves it
    chance = (1.1**2 / 4 + 0.1**2 / 4) / 2
    assert chance_in_gaps(gap, bin_of, np.arange(4)) == pytest.approx(chance)
    assert squared_calibration_error(confidence, right, bins=2) == pytest.approx([0.15**2 - chance])
    assert squared_calibration_error(confidence, right, bins=15) == pytest.approx([0.15**2 - chance])  # two rows a bin
    assert root([0.04, -0.04, np.nan]) == pytest.approx([0.2, 0, np.nan], nan_ok=True)


@given(rows)
def test_chance_is_the_variance_of_the_means_that_numpy_gives(drawn: list[tuple[int, int]]) -> None:
    confidence, right = np.array(drawn, dtype=float).T / [[10], [4]]
    bin_of = equal_mass_bins(confidence, max(1, len(drawn) // 6))
    gap = confidence - right
    bins = [gap[bin_of == place] for place in np.unique(bin_of)]
    found = chance_in_gaps(gap, bin_of, np.arange(len(gap)))
    if all(len(each) > 1 for each in bins):
        assert found == pytest.approx(sum(each.var(ddof=1) for each in bins) / len(gap))
    shuffled = np.random.default_rng(0).permutation(len(gap))
    assert chance_in_gaps(gap[shuffled], bin_of[shuffled], np.arange(len(gap))) == pytest.approx(found, nan_ok=True)


@given(rows)
@settings(max_examples=50)
def test_before_chance_is_taken_out_the_root_is_not_below_the_ece(drawn: list[tuple[int, int]]) -> None:
    confidence, right = np.array(drawn, dtype=float).T / [[20], [4]]
    p = np.stack([0.5 + confidence, 0.5 - confidence], 1)
    ece = expected_calibration_error(p, np.stack([right, 1 - right], 1), bins=3)
    plain = squared_gaps(p[:, 0] - right, equal_mass_bins(p[:, 0], 3), np.ones((1, len(p))))
    assert root(plain)[0] >= ece - 1e-12


@pytest.mark.parametrize("error", [0.0, 0.1])
@pytest.mark.parametrize("readers", [1, 3])
def test_it_is_right_on_average_and_the_ece_is_not(error: float, readers: int) -> None:
    """A planted overconfidence; three readers of one post who always agree are no more than one."""
    rng = np.random.default_rng(4)
    squares, usual, alone = [], [], []
    for _ in range(800):
        confidence = rng.uniform(0.7, 1 - 1e-9, 60)
        right = (rng.random(60) < confidence - error).astype(float)
        confidence, right, post = (np.repeat(each, readers) for each in (confidence, right, np.arange(60)))
        squares.append(squared_calibration_error(confidence, right, groups=post, bins=6)[0])
        alone.append(squared_calibration_error(confidence, right, bins=6)[0])
        p, shares = (np.stack([each, 1 - each], 1) for each in (confidence, right))
        usual.append(expected_calibration_error(p, shares, bins=6))
    noise = 3 * np.std(squares) / len(squares) ** 0.5
    assert np.mean(squares) == pytest.approx(error**2, abs=noise)
    assert np.mean(usual) > error + 0.02
    assert (np.mean(alone) > error**2 + noise) == (readers > 1)


def test_intervals_of_a_calibrated_and_of_an_overconfident_model_hold_the_truth() -> None:
    rng = np.random.default_rng(5)
    weights = draw(80, 1, 400, 0, few_drawn(80)).groups
    for error in (0.0, 0.15):
        held = 0
        for _ in range(150):
            confidence = rng.uniform(0.7, 1 - 1e-9, 80)
            right = (rng.random(80) < confidence - error).astype(float)
            found = squared_calibration_error(confidence, right, weights=weights, bins=8)
            assert found[1:].mean() == pytest.approx(found[0])
            low, high = np.quantile(root(found[1:]), [0.025, 0.975])
            held += low <= error <= high
        assert held / 150 > 0.92


def test_a_bin_of_one_group_borrows_and_one_group_alone_says_nothing() -> None:
    gap, bin_of = np.array([0.1, -0.1, 0.3]), np.array([0, 0, 1])
    # variance 0.02 a row in the first bin, the same for the row of the second: 0.01 x 2/3 + 0.02 x 1/3
    assert chance_in_gaps(gap, bin_of, np.arange(3)) == pytest.approx(0.02 / 3 + 0.02 / 3)
    assert np.isnan(squared_calibration_error([0.7, 0.8], [1, 0], groups=np.zeros(2, dtype=np.int64))[0])
    assert np.isnan(squared_calibration_error([0.7], [1])[0])


def test_wrong_values_are_named() -> None:
    for confidence, right in (([0.5], [1, 0]), ([np.nan], [1]), ([0.5], [2])):
        with pytest.raises(CalmError):
            squared_calibration_error(confidence, right)
    with pytest.raises(CalmError):
        equal_mass_bins([0.5], 0)
