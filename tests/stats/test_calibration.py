"""Temperature scaling, risk against coverage, and the abstention threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize_scalar

from calm_lm.stats.calibration import (
    COLDEST,
    HOTTEST,
    Temperature,
    abstention_threshold,
    fit_temperature,
    risk_coverage,
)
from calm_lm.stats.probability import cross_entropy_to_shares, one_hot, softmax, vote_shares

answers = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=1, max_size=40)


@pytest.mark.parametrize("planted", [0.4, 1.0, 3.0])
def test_a_planted_temperature_is_found_and_equals_scipy(planted: float) -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(scale=2, size=(4000, 3))
    y = (softmax(honest).cumsum(axis=1) < rng.random((4000, 1))).sum(axis=1)
    logits, shares = honest * planted, one_hot(y, 3)
    found = fit_temperature(logits, shares).value
    theirs = minimize_scalar(
        lambda t: cross_entropy_to_shares(softmax(logits / t), shares), bounds=(COLDEST, HOTTEST), method="bounded"
    )
    assert found == pytest.approx(theirs.x, rel=1e-3)
    assert found == pytest.approx(planted, rel=0.1)


def test_vote_shares_are_a_target_too() -> None:
    rng = np.random.default_rng(1)
    honest = rng.normal(size=(3000, 2))
    votes = rng.multinomial(5, softmax(honest))
    assert fit_temperature(honest * 2, vote_shares(votes)).value == pytest.approx(2, rel=0.1)


def test_the_fit_stays_in_its_range() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 2.0]])
    assert fit_temperature(logits, one_hot([0, 1], 2)).value == COLDEST
    assert fit_temperature(logits, one_hot([1, 0], 2)).value == HOTTEST
    assert fit_temperature(np.full((3, 2), 7.0), one_hot([0, 1, 1], 2)).value == 1.0


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(2, 4)), elements=st.floats(-50, 50, width=32)),
    st.floats(COLDEST, HOTTEST),
)
def test_calibration_never_changes_the_most_likely_label(logits: np.ndarray, temperature: float) -> None:
    scaled = Temperature(temperature).apply(logits)
    np.testing.assert_array_equal(scaled.argmax(axis=1), logits.argmax(axis=1))
    np.testing.assert_allclose(scaled * temperature, logits)


def test_the_threshold_by_hand() -> None:
    confidence, correct = [0.9, 0.8, 0.8, 0.6, 0.5], [1, 1, 0, 1, 0]
    assert abstention_threshold(confidence, correct, 0.75) == (0.6, 0.8, 0.75)
    assert abstention_threshold(confidence, correct, 0.6) == (0.5, 1.0, 0.6)
    assert abstention_threshold(confidence, correct, 1.0) == (0.9, 0.2, 1.0)
    never = abstention_threshold([0.9, 0.1], [0, 1], 0.8)
    assert never == (None, 0.0, None)
    assert never.keep([0.5, 1.0]).tolist() == [False, False]


@given(answers, st.floats(0, 1))
def test_no_smaller_threshold_reaches_the_target(rows: list[tuple[int, int]], target: float) -> None:
    confidence, correct = np.array(rows, dtype=float).T
    found = abstention_threshold(confidence, correct, target)
    reaching = [t for t in np.unique(confidence) if correct[confidence >= t].mean() >= target - 1e-9]
    assert found.threshold == (min(reaching) if reaching else None)
    kept = found.keep(confidence)
    assert kept.mean() == pytest.approx(found.coverage)
    assert found.accuracy is None or correct[kept].mean() == pytest.approx(found.accuracy)


@given(answers)
def test_the_curve_ends_at_all_rows_and_keeps_ties_together(rows: list[tuple[int, int]]) -> None:
    confidence, correct = np.array(rows, dtype=float).T
    curve = risk_coverage(confidence, correct)
    assert curve.coverage[-1] == 1.0
    assert curve.risk[-1] == pytest.approx(1 - correct.mean())
    for threshold, coverage, risk in zip(*curve, strict=True):
        kept = confidence >= threshold
        assert (coverage, risk) == pytest.approx((kept.mean(), 1 - correct[kept].mean()))
    assert len(curve.threshold) == len(set(confidence.tolist()))
