"""Labels right and wrong, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from calm_lm.stats.classification import accuracy, auroc, f1, macro_auroc, macro_f1, precision, recall
from calm_lm.stats.probability import softmax

label_pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)
scored = st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3)), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None)
@given(label_pairs)
def test_label_metrics_equal_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    y, predicted = np.array(pairs).T
    assert accuracy(y, predicted) == pytest.approx(metrics.accuracy_score(y, predicted))
    assert macro_f1(y, predicted, 4) == pytest.approx(metrics.f1_score(y, predicted, average="macro"))
    for label in range(4):
        theirs = metrics.precision_recall_fscore_support(y, predicted, labels=[label], zero_division=np.nan)
        ours = (precision(y, predicted, label), recall(y, predicted, label), f1(y, predicted, label))
        assert ours == pytest.approx([float(one[0]) for one in theirs[:3]], nan_ok=True)


def test_a_label_absent_everywhere_is_left_out_but_one_only_predicted_counts_zero() -> None:
    assert macro_f1([0, 0, 1], [0, 0, 1], 3) == 1.0
    assert macro_f1([0, 0, 0], [0, 0, 2], 3) == pytest.approx((0.8 + 0.0) / 2)


@settings(deadline=None)
@given(scored)
def test_auroc_equals_scikit_learn_with_ties(pairs: list[tuple[int, int]]) -> None:
    y, score = np.array(pairs).T
    if len(set(y.tolist())) == 1:
        assert np.isnan(auroc(y, score))
    else:
        assert auroc(y, score) == pytest.approx(metrics.roc_auc_score(y, score))
        assert auroc(y, score) + auroc(y, -score) == pytest.approx(1)
        assert auroc(1 - y, score) == pytest.approx(auroc(y, -score))


def test_auroc_by_hand() -> None:
    # pairs (positive, negative): 0.5 > 0.1, 0.5 = 0.5, 0.9 above both
    assert auroc([1, 1, 0, 0], [0.5, 0.9, 0.1, 0.5]) == (1 + 0.5 + 1 + 1) / 4
    assert auroc([1, 0], [0.3, 0.3]) == 0.5


def test_macro_auroc_equals_scikit_learn_and_skips_labels_without_a_curve() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(3, size=60), softmax(rng.normal(size=(60, 3)))
    assert macro_auroc(y, p) == pytest.approx(metrics.roc_auc_score(y, p, multi_class="ovr"))
    two = np.minimum(y, 1)
    narrow = softmax(rng.normal(size=(60, 2)))
    assert macro_auroc(two, narrow) == pytest.approx(auroc(two, narrow[:, 1]))
    assert macro_auroc(two, p) == pytest.approx((auroc(two == 0, p[:, 0]) + auroc(two == 1, p[:, 1])) / 2)
    assert np.isnan(macro_auroc(np.zeros(60), p))


@given(label_pairs, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(pairs: list[tuple[int, int]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    (y, predicted), (y2, predicted2) = np.array(pairs).T, np.array(shuffled).T
    assert macro_f1(y, predicted, 4) == macro_f1(y2, predicted2, 4)
