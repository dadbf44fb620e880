"""Rows to scores: hand-computed means, worst cultures, paired differences, and what an interval may not do."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from calm_lm.errors import CalmError
from calm_lm.evaluation.table import Metric, Table, figure
from calm_lm.stats.sums import few_drawn

LOWER = Metric("distance", "Distance", higher_is_better=False)
HIGHER = Metric("closeness", "Closeness", higher_is_better=True)
SIGNED = Metric("lead", "Lead", higher_is_better=None, low=None, high=None)
NAN = float("nan")


def test_the_headline_is_the_mean_over_cultures_with_the_worst_beside_it():
    table = Table(["q1", "q2", "q3", "q1", "q2"], ["EG", "EG", "EG", "TR", "TR"])
    score = table.score(LOWER, np.array([0.1, 0.2, 0.3, 0.5, 0.7]))
    assert score["mean"] == pytest.approx((0.2 + 0.6) / 2)
    assert score["overall"] == pytest.approx(1.8 / 5)
    assert (score["worst_culture"], score["worst"]) == ("TR", pytest.approx(0.6))
    assert table.score(HIGHER, np.array([0.1, 0.2, 0.3, 0.5, 0.7]))["worst_culture"] == "EG"
    assert score["by_culture"]["EG"]["value"] == pytest.approx(0.2)
    json.dumps(score, allow_nan=False)


def test_rows_without_a_score_do_not_count_and_are_no_zeros():
    table = Table(["q1", "q2", "q1", "q2"], ["EG", "EG", "TR", "TR"])
    score = table.score(LOWER, np.array([0.4, NAN, NAN, NAN]))
    assert score["mean"] == score["overall"] == pytest.approx(0.4)
    assert score["by_culture"]["TR"] == {"value": None, "interval": None}
    assert score["rows"] == 1
    nothing = table.score(LOWER, np.full(4, NAN))
    assert nothing["mean"] is nothing["worst_culture"] is nothing["interval"] is None


def test_a_paired_difference_uses_only_rows_that_both_have():
    table = Table(["q1", "q2", "q3"], ["EG", "EG", "EG"])
    gap = table.compare(LOWER, np.array([0.5, 0.9, NAN]), np.array([0.3, NAN, 0.1]))
    assert gap is not None
    assert gap["difference"] == pytest.approx(0.2)
    assert table.compare(LOWER, np.array([0.5, NAN, NAN]), np.array([NAN, 0.1, 0.1])) is None


def test_one_system_is_not_different_from_itself():
    rng = np.random.default_rng(0)
    table = Table([f"q{i}" for i in range(20)] * 2, ["EG"] * 20 + ["TR"] * 20)
    values = rng.random(40)
    gap = table.compare(LOWER, values, values)
    assert gap is not None
    assert (gap["difference"], gap["interval"], gap["p"]) == (0.0, [0.0, 0.0], 1.0)


def test_the_interval_is_that_of_a_bootstrap_over_questions_done_another_way():
    rng = np.random.default_rng(1)
    questions = [f"q{i}" for i in range(60)] * 2
    cultures = np.array(["EG"] * 60 + ["TR"] * 60)
    values = rng.random(120) + np.tile(rng.random(60), 2)  # questions differ, in both cultures alike

    def mean(rows):
        return float(np.mean([values[rows][cultures[rows] == name].mean() for name in ("EG", "TR")]))

    draws = np.random.default_rng(3).integers(60, size=(2000, few_drawn(60)))
    others = np.quantile([mean(np.concatenate([drawn, drawn + 60])) for drawn in draws], [0.025, 0.975])
    assert Table(questions, cultures.tolist(), replicates=2000).score(LOWER, values)["interval"] == pytest.approx(
        others.tolist(), abs=0.01
    )


def test_questions_of_one_culture_each_give_an_interval_as_wide_as_that_of_a_mean():
    values = np.random.default_rng(5).normal(0, 1, 120)
    names = [str(i) for i in range(120)]
    low, high = Table(names, names, replicates=2000).score(LOWER, values)["interval"]
    assert (high - low) / (2 * 1.96 * values.std() / 120**0.5) == pytest.approx(1, abs=0.06)


def test_cultures_with_many_and_few_questions_still_count_alike():
    table = Table([f"q{i}" for i in range(6)], ["EG"] * 5 + ["TR"])
    means = table.means(np.array([0.0, 0.1, 0.3, 0.5, 0.6, 0.9]))
    assert means[0] == pytest.approx((0.3 + 0.9) / 2)
    assert np.isfinite(means).all()


def test_of_one_question_nothing_is_certain():
    table = Table(["q1", "q1", "q2"], ["EG", "TR", "EG"])
    here, there = np.array([0.5, 0.6, NAN]), np.array([0.3, 0.3, NAN])
    assert table.score(LOWER, here)["interval"] is None
    assert figure(table.means(here), title="x", higher_is_better=None)["interval"] is None
    gap = table.compare(LOWER, here, there)
    assert gap is not None
    assert (gap["difference"], gap["interval"], gap["p"]) == (pytest.approx(0.25), None, 1.0)


def test_an_interval_needs_five_questions_of_its_own():
    names = [f"q{i}" for i in range(9)]
    score = Table(names, ["EG"] * 5 + ["TR"] * 4).score(LOWER, np.linspace(0, 1, 9))
    assert score["interval"] is not None
    assert score["by_culture"]["EG"]["interval"] is not None
    assert score["by_culture"]["TR"] == {"value": pytest.approx(0.8125), "interval": None}
    four = Table(names[:4], ["EG"] * 4)
    assert four.score(LOWER, np.linspace(0, 1, 4))["interval"] is None
    gap = four.compare(LOWER, np.linspace(0.2, 0.4, 4), np.zeros(4))
    assert gap is not None
    assert (gap["interval"], gap["p"]) == (None, 1.0)


@pytest.mark.parametrize("questions", [5, 8, 20])
def test_intervals_over_few_questions_hold_the_truth_as_often_as_they_say(questions):
    """Of 400 samples 95 % is 380, standard error 4.4; drawing as many questions as there are holds 85 % of five."""
    rng = np.random.default_rng(questions)
    table = Table([f"q{i}" for i in range(questions)], ["EG"] * questions, replicates=400)
    ends = [table.score(SIGNED, rng.normal(size=questions))["interval"] for _ in range(400)]
    assert sum(low <= 0 <= high for low, high in ends) >= 0.9 * 400


def test_how_many_questions_are_drawn_by_hand():
    # t at 0.975: 2.776 of 4 degrees, 2.365 of 7, 2.093 of 19; 4 * (1.96 / 2.776)^2 = 1.99
    assert [few_drawn(n) for n in (1, 2, 5, 8, 20)] == [1, 1, 2, 5, 17]
    assert few_drawn(1000) == 997


@pytest.mark.parametrize(("questions", "least"), [(5, 0.0625), (6, 0.03125)])
def test_few_questions_never_make_a_small_p(questions, least):
    """All signs agree: of 2^G patterns of signs, two are as extreme."""
    values = np.linspace(0.2, 0.4, questions)
    names = [f"q{i}" for i in range(questions)]
    gap = Table(names, ["EG"] * questions).compare(LOWER, values, np.zeros(questions))
    assert gap is not None
    assert gap["p"] == pytest.approx(least)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, 12, elements=st.floats(0, 1)), st.permutations(range(12)))
def test_the_order_of_rows_changes_no_score(values, order):
    questions = [f"q{i % 4}" for i in range(12)]
    cultures = [("EG", "TR", "QA")[i // 4] for i in range(12)]
    plain = Table(questions, cultures, replicates=50).score(LOWER, values)
    moved = Table([questions[i] for i in order], [cultures[i] for i in order], replicates=50).score(
        LOWER, values[list(order)]
    )
    assert moved["mean"] == pytest.approx(plain["mean"])
    assert moved["interval"] == pytest.approx(plain["interval"])
    assert min(values) - 1e-12 <= plain["mean"] <= max(values) + 1e-12


def test_a_figure_without_enough_replicates_has_no_interval():
    made = figure(np.array([0.5, NAN, NAN, 0.4]), title="x", higher_is_better=None)
    assert made == {"title": "x", "value": 0.5, "interval": None, "higher_is_better": None}


def test_nothing_to_score_is_an_error():
    with pytest.raises(CalmError, match="E40"):
        Table([], [])


@pytest.mark.parametrize(("difference", "least"), [(0.0, 0.85), (0.1, 0.85)])
def test_cultures_with_few_questions_are_not_called_unequal_by_chance(difference, least):
    rng, held, plain = np.random.default_rng(5), 0, []
    cultures = [f"x-{at // 10}" for at in range(80)]
    for at in range(100):
        truth = difference * rng.standard_normal(8)
        values = np.repeat(truth, 10) + rng.normal(0, 0.4, 80)
        spread = Table([str(row) for row in range(80)], cultures, seed=at, replicates=200).spread(values)
        low, high = np.quantile(spread[1:], [0.025, 0.975])
        held += low <= truth.std() + 1e-12 <= high + 1e-12
        plain.append(values.reshape(8, 10).mean(1).std())
        assert low <= spread[0] <= high
        assert spread[0] < plain[-1]
    assert held / 100 >= least
    assert np.mean(plain) > difference + 0.04  # what the plain standard deviation would have told


def test_inequality_that_chance_cannot_make_is_left_as_it_is():
    table = Table([str(at) for at in range(40)], [str(at // 20) for at in range(40)], replicates=100)
    assert table.spread(np.repeat([0.0, 1.0], 20)) == pytest.approx(0.5)
