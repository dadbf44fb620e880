"""The solver against scikit-learn's, which must be given a weighted copy of a row for each label."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import approx_fprime
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from calm_lm.stats.softmax_regression import OFFSET_PENALTY, Coefficients, design, fit_softmax, scores


@pytest.fixture
def problem():
    """Forty texts, each read by three readers, with soft targets over three labels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5))
    text_of = np.repeat(np.arange(40), 3)
    readers = np.tile(np.eye(3), (40, 1))
    shares = rng.dirichlet(np.ones(3), size=120)
    return x, text_of, readers, shares


def by_sklearn(features, shares, penalty):
    """Probabilities of scikit-learn's fit on one weighted copy of each row per label."""
    n, n_labels = shares.shape
    model = LogisticRegression(C=1 / (penalty * n), tol=1e-10, max_iter=5_000)
    model.fit(np.repeat(features, n_labels, 0), np.tile(np.arange(n_labels), n), sample_weight=shares.ravel())
    return model.predict_proba(features)


def probabilities(x, laid, found):
    return np.exp(log_softmax(scores(x, laid, found), axis=1))


@pytest.mark.parametrize("as_sparse", [False, True])
def test_vote_shares_have_the_optimum_of_weighted_copies(problem, as_sparse):
    x, text_of, readers, shares = problem
    laid = design(text_of, 40, readers[:, :0], 0.0)
    given = sparse.csr_array(x) if as_sparse else x
    found = fit_softmax(given, laid, shares, 0.05, tolerance=1e-9)
    assert probabilities(given, laid, found) == pytest.approx(by_sklearn(x[text_of], shares, 0.05), abs=1e-5)


def test_weights_by_reader_are_products_of_features_and_reader(problem):
    x, text_of, readers, shares = problem
    laid = design(text_of, 40, readers, 0.5)
    found = fit_softmax(x, laid, shares, 0.05, tolerance=1e-9)
    rows = x[text_of]
    products = (0.5 * readers[:, :, None] * rows[:, None, :]).reshape(120, -1)
    # Less of a penalty is a longer column.
    written_out = np.concatenate([rows, products, readers / np.sqrt(OFFSET_PENALTY)], 1)
    assert probabilities(x, laid, found) == pytest.approx(by_sklearn(written_out, shares, 0.05), abs=1e-5)


def test_optimum_has_no_slope_whatever_the_start(problem):
    x, text_of, readers, shares = problem
    shares = shares.copy()
    shares[::7] = 0.0  # nothing known of these rows
    laid = design(text_of, 40, readers, 1.0)

    def loss(flat):
        at = Coefficients(flat[:60].reshape(5, 12), flat[60:].reshape(4, 3))
        held = OFFSET_PENALTY * (at.offsets[1:] ** 2).sum() + (at.weights**2).sum()
        return -(shares * log_softmax(scores(x, laid, at), axis=1)).sum() / shares.sum() + 0.05 * held

    rng = np.random.default_rng(1)
    start = Coefficients(rng.normal(size=(5, 12)), rng.normal(size=(4, 3)))
    found = fit_softmax(x, laid, shares, 0.1, start=start, tolerance=1e-9)
    flat = np.concatenate([found.weights.ravel(), found.offsets.ravel()])
    assert np.abs(approx_fprime(flat, loss, 1e-7)).max() < 1e-5
    assert found.size == 72


def test_rows_without_targets_change_nothing(problem):
    x, text_of, readers, shares = problem
    kept = np.arange(0, 120, 2)
    muted = np.zeros_like(shares)
    muted[kept] = shares[kept]
    whole = fit_softmax(x, design(text_of, 40, readers, 0.0), muted, 0.1, tolerance=1e-9)
    part = fit_softmax(x, design(text_of[kept], 40, readers[kept], 0.0), shares[kept], 0.1, tolerance=1e-9)
    assert whole.weights == pytest.approx(part.weights, abs=1e-6)


def test_float32_features_are_good_enough(problem):
    x, text_of, readers, shares = problem
    laid = design(text_of, 40, readers, 0.0)
    fine = probabilities(x, laid, fit_softmax(x, laid, shares, 0.05))
    coarse = probabilities(x, laid, fit_softmax(x.astype(np.float32), laid, shares, 0.05))
    assert coarse == pytest.approx(fine, abs=1e-3)


def test_only_what_the_features_add_to_given_logits_is_fitted(problem):
    x, text_of, readers, shares = problem
    laid = design(text_of, 40, readers, 0.0)
    whole = fit_softmax(x, laid, shares, 1e-9, tolerance=1e-10)
    given = scores(x, laid, Coefficients(0.7 * whole.weights, 0.7 * whole.offsets))
    rest = fit_softmax(x, laid, shares, 1e-9, tolerance=1e-10, beside=given)
    added = probabilities(x, laid, Coefficients(0.7 * whole.weights + rest.weights, 0.7 * whole.offsets + rest.offsets))
    assert added == pytest.approx(probabilities(x, laid, whole), abs=1e-4)  # hardly penalised, both have one optimum


def test_a_weight_counts_like_that_many_copies(problem):
    x, text_of, readers, shares = problem
    times = np.random.default_rng(2).integers(0, 4, size=120)
    weighted = fit_softmax(x, design(text_of, 40, readers, 0.0), times[:, None] * shares, 0.05, tolerance=1e-10)
    copied = np.repeat(np.arange(120), times)
    copies = fit_softmax(x, design(text_of[copied], 40, readers[copied], 0.0), shares[copied], 0.05, tolerance=1e-10)
    assert weighted.weights == pytest.approx(copies.weights, abs=1e-4)
