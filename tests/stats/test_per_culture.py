"""A metric culture by culture."""

from __future__ import annotations

import numpy as np
import pytest

from calm_lm.stats.bootstrap import bootstrap_interval
from calm_lm.stats.classification import accuracy, auroc
from calm_lm.stats.per_culture import score_cultures

Y = np.array([0, 1, 1, 0, 1, 1])
PREDICTED = np.array([0, 1, 0, 0, 0, 0])
CULTURES = ["SG", "SG", "SG", "AU", "AU", "AU"]


def right(rows: np.ndarray) -> float:
    return accuracy(Y[rows], PREDICTED[rows])


def test_each_mean_worst_and_overall() -> None:
    scores = score_cultures(right, CULTURES, higher_is_better=True)
    assert scores.by_culture == pytest.approx({"AU": 1 / 3, "SG": 2 / 3})
    assert list(scores.by_culture) == ["AU", "SG"]
    assert (scores.mean, scores.overall, scores.worst) == pytest.approx((0.5, 0.5, 1 / 3))
    assert scores.worst_culture == "AU"
    as_loss = score_cultures(right, CULTURES, higher_is_better=False)
    assert (as_loss.worst_culture, as_loss.worst) == ("SG", scores.by_culture["SG"])


def test_the_mean_weighs_cultures_and_overall_weighs_rows() -> None:
    scores = score_cultures(right, ["SG"] * 5 + ["AU"], higher_is_better=True)
    assert (scores.mean, scores.overall) == pytest.approx(((0.6 + 0.0) / 2, 0.5))


def test_a_culture_without_a_value_is_named() -> None:
    one_sided = np.array([0, 1, 1, 1, 1, 1])
    score = np.arange(6.0)
    scores = score_cultures(lambda rows: auroc(one_sided[rows], score[rows]), CULTURES, higher_is_better=True)
    assert np.isnan(scores.by_culture["AU"])
    assert (scores.undefined, scores.worst_culture, scores.mean) == (("AU",), "SG", 1.0)
    none = score_cultures(lambda rows: float("nan"), CULTURES, higher_is_better=True)
    assert none.worst_culture is None
    assert np.isnan([none.mean, none.worst, none.overall]).all()


def test_chosen_rows_count_as_often_as_they_are_drawn() -> None:
    scores = score_cultures(right, CULTURES, higher_is_better=True, rows=np.array([0, 0, 2, 3]))
    assert scores.by_culture == pytest.approx({"AU": 1.0, "SG": 2 / 3})
    assert scores.overall == pytest.approx(3 / 4)
    interval = bootstrap_interval(
        lambda rows: score_cultures(right, CULTURES, higher_is_better=True, rows=rows).mean,
        [0, 1, 2, 0, 1, 2],
        n=200,
        seed=0,
    )
    assert interval.low <= 0.5 <= interval.high
    assert interval.low < interval.high
