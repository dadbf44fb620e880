"""False alarms at a fixed recall, and swaps of the group a text names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from calm_lm.stats.moderation import false_positive_rate, false_positive_rate_at_recall, swap_sensitivity

scored = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=2, max_size=40).filter(
    lambda rows: len({y for y, _ in rows}) == 2
)


@settings(deadline=None)
@given(scored, st.sampled_from([0.1, 0.5, 0.8, 0.9, 1.0]))
def test_the_operating_point_is_the_cheapest_of_the_curve(rows: list[tuple[int, int]], wanted: float) -> None:
    y, score = np.array(rows).T
    point = false_positive_rate_at_recall(y, score, wanted)
    fpr, tpr, _ = metrics.roc_curve(y, score, drop_intermediate=False)
    assert point.false_positive_rate == pytest.approx(fpr[tpr >= wanted - 1e-9].min())
    assert point.recall >= wanted - 1e-9
    flagged = score >= point.threshold
    assert point.recall == pytest.approx(metrics.recall_score(y, flagged))
    assert point.false_positive_rate == false_positive_rate(y, flagged)


def test_ties_flag_everybody_at_the_threshold() -> None:
    assert false_positive_rate_at_recall([1, 1, 0, 0], [0.9, 0.5, 0.5, 0.1], 0.5) == (0.0, 0.5, 0.9)
    assert false_positive_rate_at_recall([1, 1, 0, 0], [0.5, 0.5, 0.5, 0.1], 0.5) == (0.5, 1.0, 0.5)


def test_a_share_that_rounding_puts_above_a_whole_number_asks_for_no_row_more() -> None:
    assert 0.28 * 25 > 7
    y, score = [1] * 25 + [0], [*range(25, 0, -1), 18.5]
    assert false_positive_rate_at_recall(y, score, 0.28) == (0.0, 0.28, 19.0)


def test_rates_without_such_rows_are_not_defined() -> None:
    assert np.isnan(false_positive_rate([1, 1], [0, 1]))
    assert all(np.isnan(false_positive_rate_at_recall([0, 0], [0.1, 0.2], 0.5)))
    assert np.isnan(false_positive_rate_at_recall([1, 1], [0.1, 0.2], 0.5).false_positive_rate)


def test_swaps_by_hand() -> None:
    found = swap_sensitivity([0.4, 0.5, 0.9], [0.5, 0.5, 0.7])
    assert found == pytest.approx((0.1, 1 / 3))
    assert swap_sensitivity([0.4, 0.5, 0.9], [0.5, 0.5, 0.7], threshold=0.8).flipped == pytest.approx(1 / 3)
    assert swap_sensitivity([0.2, 0.8], [0.2, 0.8]) == (0.0, 0.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_a_swap_is_symmetric_and_bounded(rows: list[tuple[float, float]]) -> None:
    before, after = np.array(rows).T
    found = swap_sensitivity(before, after)
    assert found == swap_sensitivity(after, before)
    assert 0 <= found.mean_change <= 1
    assert 0 <= found.flipped <= 1
