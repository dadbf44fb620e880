"""Figures from weights: the same as from repeated rows, and the same as scikit-learn and `stats` compute."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_score, roc_auc_score

from calm_lm.evaluation.kinds import resampling
from calm_lm.evaluation.kinds.resampling import Resampling
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task
from calm_lm.stats import classification

REPLICATES = 200


def plan_of() -> Plan:
    return Plan(Wanted(load_task("crehate")), (), replicates=REPLICATES)


@pytest.fixture
def drawn():
    """Invented rows with ties, three redraws as whole-number weights, and the rows those weights stand for."""
    rng = np.random.default_rng(11)
    labels, score = rng.integers(0, 2, 60), rng.integers(0, 13, 60) / 12
    weights = np.vstack([np.ones(60), rng.integers(0, 4, (3, 60))]).astype(np.float64)
    return labels, score, weights, [np.repeat(np.arange(60), row.astype(int)) for row in weights]


def test_ranking_figures_are_those_of_the_repeated_rows(drawn):
    labels, score, weights, repeated = drawn
    areas = [roc_auc_score(labels[at], score[at]) for at in repeated]
    assert resampling.auroc(labels == 1, score, weights) == pytest.approx(areas)
    precisions = [average_precision_score(labels[at], score[at]) for at in repeated]
    assert resampling.average_precision(labels == 1, score, weights) == pytest.approx(precisions)


def test_label_figures_are_those_of_the_repeated_rows(drawn):
    labels, score, weights, repeated = drawn
    answered = (score > 0.4).astype(int)
    f1 = resampling.f1(labels == 1, answered == 1, weights)
    assert f1 == pytest.approx([f1_score(labels[at], answered[at]) for at in repeated])
    macro = resampling.macro_f1(labels, answered, weights, 2)
    assert macro == pytest.approx([classification.macro_f1(labels[at], answered[at], 2) for at in repeated])
    precision = resampling.share(labels == 1, answered == 1, weights)
    assert precision == pytest.approx([precision_score(labels[at], answered[at]) for at in repeated])


def test_roots_of_a_squared_figure_are_taken_after_the_mean_over_cultures():
    """Two cultures whose squares are 0.25 and -0.09: the mean is the root of 0.08, and the second is 0."""
    cultures = ["AU"] * 6 + ["SG"] * 6
    redraws = Resampling([str(i) for i in range(12)], cultures, plan_of())

    def planted(at, weights):
        return np.full(len(weights), 0.25 if at[0] == 0 else -0.09)

    told = redraws.figure(np.ones(12, dtype=bool), planted, "x", better=False, squared=True)
    assert {name: each["value"] for name, each in told["by_culture"].items()} == {"AU": 0.5, "SG": 0.0}
    assert told["value"] == pytest.approx(0.08**0.5)
    assert told["interval"] == pytest.approx([0.08**0.5] * 2)


def test_average_precision_by_hand():
    positive, score = np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1])
    weights = np.array([[1.0, 1, 1, 1], [1, 3, 1, 3]])
    assert resampling.average_precision(positive, score, weights) == pytest.approx(
        [0.5 + 0.5 * 2 / 3, 0.5 + 0.5 * 2 / 5]
    )
    assert resampling.average_precision(positive, np.zeros(4), weights[:1]) == pytest.approx([0.5])  # ties together
    assert math.isnan(resampling.average_precision(np.zeros(4, dtype=bool), score, weights)[0])
    assert math.isnan(resampling.auroc(positive | True, score, weights)[0])


def test_a_label_that_never_occurs_is_left_out_of_macro_f1():
    labels = np.zeros(3, dtype=np.int64)
    assert resampling.macro_f1(labels, labels, np.ones((1, 3)), 2)[0] == 1


def test_rows_of_a_group_are_redrawn_together_and_cultures_weigh_alike():
    """Two groups that are each all right or all wrong: a redraw gives 0, one half or 1, and nothing between."""
    right = np.array([True, True, False, False, False, True])
    cultures = ["AU", "AU", "AU", "AU", "SG", "SG"]
    redraws = Resampling(["a", "a", "b", "b", "c", "d"], cultures, plan_of())
    seen = {}

    def statistic(at, weights):
        values = resampling.share(right[at], np.ones(len(at), dtype=bool), weights)
        seen[len(at)] = values
        return values

    told = redraws.figure(np.ones(6, dtype=bool), statistic, "share", better=True)
    assert told["value"] == 0.5
    assert {name: each["value"] for name, each in told["by_culture"].items()} == {"AU": 0.5, "SG": 0.5}
    shares = seen[4][np.isfinite(seen[4])]
    assert np.isclose(shares[:, None], [0, 1 / 4, 1 / 3, 0.5, 2 / 3, 3 / 4, 1]).any(1).all()
    assert len(shares) > REPLICATES / 2


def test_one_text_gives_no_interval():
    redraws = Resampling(["a", "a"], ["AU", "AU"], plan_of())
    everything = np.ones(2, dtype=bool)
    told = redraws.figure(everything, lambda at, w: resampling.share(everything, everything, w), "share", better=True)
    assert (told["value"], told["interval"]) == (1, None)
