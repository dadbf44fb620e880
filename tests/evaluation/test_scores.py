"""Scores against scikit-learn and hand sums; intervals against the slow bootstrap; differences that are paired."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from calm_lm.evaluation.metrics import ACCURACY, CROSS_ENTROPY, MACRO_F1, METRICS
from calm_lm.evaluation.scores import Judge
from calm_lm.evaluation.truth import Truth
from calm_lm.stats.bootstrap import bootstrap_interval
from calm_lm.stats.calibration_error import squared_calibration_error
from calm_lm.stats.sums import draw


def test_values_are_those_of_scikit_learn_per_culture(truth: Truth, ignorant: np.ndarray) -> None:
    scores = Judge(truth, replicates=20).score([ignorant])
    answered = ignorant.argmax(1)
    for number, name in enumerate(truth.names):
        rows = truth.cultures == number
        f1 = f1_score(truth.labels[rows], answered[rows], average="macro")
        assert scores["macro_f1"]["by_culture"][name] == pytest.approx(f1)
        assert scores["accuracy"]["by_culture"][name] == pytest.approx((truth.labels == answered)[rows].mean())
        surprise = -(truth.shares[rows] * np.log(ignorant[rows])).sum(1).mean()
        assert scores["cross_entropy"]["by_culture"][name] == pytest.approx(surprise, rel=1e-6)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_mean_worst_and_overall_follow_from_the_cultures(metric, truth: Truth, ignorant: np.ndarray) -> None:
    score = Judge(truth, replicates=20).score([ignorant])[metric.name]
    values = score["by_culture"]
    assert score["mean"] == pytest.approx(np.mean(list(values.values())))
    pick = min if metric.higher_is_better else max
    assert score["worst"] == values[score["worst_culture"]] == pick(values.values())


def test_seeds_are_averaged_not_ensembled(truth: Truth, informed: np.ndarray, ignorant: np.ndarray) -> None:
    judge = Judge(truth, replicates=20)
    both = judge.score([informed, ignorant])["macro_f1"]
    alone = [judge.score([system])["macro_f1"]["mean"] for system in (informed, ignorant)]
    assert both["mean"] == pytest.approx(np.mean(alone))
    assert both["by_seed"] == pytest.approx(alone)


def test_interval_agrees_with_the_row_by_row_bootstrap(truth: Truth, ignorant: np.ndarray) -> None:
    right = (truth.labels == ignorant.argmax(1)).astype(float)
    slow = bootstrap_interval(lambda rows: float(right[rows].mean()), truth.groups, n=2_000, seed=3)
    fast = Judge(truth, seed=3, replicates=2_000).score([ignorant])["accuracy"]["interval"]
    assert fast[0] == pytest.approx(slow.low, abs=0.02)
    assert fast[1] == pytest.approx(slow.high, abs=0.02)


def test_a_better_system_is_clearly_ahead_and_itself_is_not(
    truth: Truth, informed: np.ndarray, ignorant: np.ndarray
) -> None:
    judge = Judge(truth)
    gap = judge.compare([informed], [ignorant])
    assert gap["cross_entropy"]["interval"][1] < 0 < gap["macro_f1"]["interval"][0]
    assert gap["cross_entropy"]["p"] < 0.01
    same = judge.compare([informed], [informed])["macro_f1"]
    assert same["difference"] == 0
    assert same["p"] == 1.0


def test_pairing_makes_the_difference_of_twins_narrow(truth: Truth, ignorant: np.ndarray) -> None:
    twin = ignorant.copy()
    twin[0] = twin[0, ::-1]
    low, high = Judge(truth).compare([twin], [ignorant])["cross_entropy"]["interval"]
    assert high - low < 0.03


def test_rows_without_a_label_count_for_shares_alone(truth: Truth, informed: np.ndarray) -> None:
    labels = truth.labels.copy()
    labels[:9] = -1
    unlabelled = Truth(labels, truth.shares, truth.groups, truth.cultures, truth.names, 1)
    scores = Judge(unlabelled, replicates=20).score([informed])
    everything = Judge(truth, replicates=20).score([informed])
    assert scores["cross_entropy"]["mean"] == pytest.approx(everything["cross_entropy"]["mean"])
    known = labels[9:]
    assert scores["accuracy"]["overall"] == pytest.approx((informed[9:].argmax(1) == known).mean())


def test_a_culture_without_labels_has_no_score_and_is_not_the_worst(truth: Truth, informed: np.ndarray) -> None:
    labels = np.where(truth.cultures == 2, -1, truth.labels)
    score = Judge(Truth(labels, truth.shares, truth.groups, truth.cultures, truth.names, 1), replicates=50)
    accuracy = score.score([informed])["accuracy"]
    assert accuracy["by_culture"]["SG"] is None
    assert accuracy["worst_culture"] in ("AU", "GB")


def test_first_replicate_is_the_data_and_draws_keep_their_size() -> None:
    draws = draw(40, 3, 200, seed=1)
    assert (draws.groups[0] == 1).all()
    assert (draws.groups.sum(1) == 40).all()
    np.testing.assert_allclose(draws.seeds.sum(1), 1)
    np.testing.assert_array_equal(draw(40, 5, 200, seed=1).groups, draws.groups)


def test_metrics_say_which_way_is_better() -> None:
    assert (ACCURACY.higher_is_better, MACRO_F1.higher_is_better, CROSS_ENTROPY.higher_is_better) == (True, True, False)


def test_chance_is_taken_out_of_the_calibration_error_and_not_out_of_the_ece() -> None:
    """A system that says how often it is right, read by two cultures; and one that is surer by 0.2."""
    rng = np.random.default_rng(6)
    posts = 300
    honest = rng.uniform(0.6, 0.75, 2 * posts)
    labels = (rng.random(2 * posts) < honest).astype(np.int64)
    truth = Truth(labels, np.eye(2)[labels], np.repeat(np.arange(posts), 2), np.tile([0, 1], posts), ("AU", "SG"), 1)
    calibrated, sure = (np.stack([1 - each, each], 1) for each in (honest, honest + 0.2))
    judge = Judge(truth, replicates=20)
    good, bad = judge.score([calibrated]), judge.score([sure])
    assert good["calibration_error"]["mean"] < 0.05 < good["ece"]["mean"]
    assert bad["calibration_error"]["mean"] == pytest.approx(0.2, abs=0.05)
    squares = [
        squared_calibration_error(sure[at, 1], labels[at], groups=truth.groups[at])[0]
        for at in (truth.cultures == 0, truth.cultures == 1)
    ]
    assert list(bad["calibration_error"]["by_culture"].values()) == pytest.approx(np.sqrt(squares).tolist())
    assert bad["calibration_error"]["mean"] == pytest.approx(np.mean(squares) ** 0.5)
    assert bad["calibration_error"]["worst"] == max(bad["calibration_error"]["by_culture"].values())
    both = judge.score([calibrated, sure])["calibration_error"]["overall"]
    alone = [judge.score([each])["calibration_error"]["overall"] for each in (calibrated, sure)]
    assert both == pytest.approx(np.sqrt(np.mean(np.square(alone))), abs=0.01)
