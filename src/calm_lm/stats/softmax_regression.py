"""Multinomial logistic regression on vote shares, for rows that share texts.

scikit-learn's takes one hard label a row, so shares need a weighted copy of every row for every label, and a
text that five countries read is multiplied five times. Here a text's product with the weights is made once,
whoever reads it; the optimum is the same (the tests compare the two).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import log_softmax

from calm_lm.stats.arrays import Floats

OFFSET_PENALTY = 0.01  # of the weights' penalty: a reader's own offset is hardly held back
STEPS = 500
# Strongest first, so that each fit starts near the next.
PENALTIES = tuple(10 ** (-step / 2) for step in range(15))
PATIENCE = 2  # weaker penalties are not tried after this many losses in a row


class Design(NamedTuple):
    """Who reads what: N rows over U texts.

    Attributes:
        mix: sparse [N, U * (1 + K)], row n takes text u's common scores once and, where weights differ by reader
            (K = R, else 0), its scores for each reader as often as the reader's share times the scale.
        offsets: [N, 1 + R], ones and the readers' shares.
    """

    mix: Any
    offsets: Floats


class Coefficients(NamedTuple):
    """Weights [F, (1 + K) * L] and offsets [1 + R, L] (the first for everybody)."""

    weights: Floats
    offsets: Floats

    @property
    def size(self) -> int:
        """How many numbers."""
        return self.weights.size + self.offsets.size


def design(text_of: Any, n_texts: int, readers: Floats, by_reader: float) -> Design:
    """Lay out rows.

    Args:
        text_of: [N] number of each row's text.
        n_texts: U.
        readers: [N, R] shares of the readers; R may be 0.
        by_reader: scale of the weights that differ by reader, which are held back the more the smaller it is; 0
            leaves them out.
    """
    offsets = np.concatenate([np.ones((len(readers), 1)), readers], 1)
    shares = np.concatenate([np.ones((len(readers), 1)), by_reader * readers], 1) if by_reader else offsets[:, :1]
    row, part = np.nonzero(shares)
    place = np.asarray(text_of)[row] * shares.shape[1] + part
    mix = sparse.csr_array((shares[row, part], (row, place)), shape=(len(readers), n_texts * shares.shape[1]))
    return Design(mix, offsets)


def scores(x: Any, laid: Design, found: Coefficients) -> Floats:
    """Logits of N rows, [N, L]. x [U, F] dense or sparse."""
    per_text = np.asarray(x @ found.weights.astype(x.dtype), dtype=np.float64)
    logits: Floats = laid.mix @ per_text.reshape(-1, found.offsets.shape[1]) + laid.offsets @ found.offsets
    return logits


def fit_softmax(
    x: Any,
    laid: Design,
    shares: Floats,
    penalty: float,
    start: Coefficients | None = None,
    tolerance: float = 1e-5,
    beside: Floats | float = 0.0,
) -> Coefficients:
    """The least mean cross-entropy plus `penalty / 2` times the squared weights, by L-BFGS.

    Args:
        x: features [U, F], dense or sparse.
        laid: the rows.
        shares: targets [N, L], each row summing to its weight: 1, or 0 where nothing is known.
        penalty: per row; scikit-learn's C is 1 / (penalty * rows).
        start: where to start, zeros by default.
        tolerance: largest slope left; a thousandth of it is the least relative gain of a step.
        beside: logits [N, L] that stay as they are; what is fitted is added to them.
    """
    n_labels, n_parts = shares.shape[1], laid.mix.shape[1] // x.shape[0]
    shape = (x.shape[1], n_parts * n_labels)
    known = shares.sum(1, keepdims=True)
    count = max(float(known.sum()), 1.0)
    held = penalty * OFFSET_PENALTY * (np.arange(laid.offsets.shape[1]) > 0)[:, None]

    def unpack(flat: Floats) -> Coefficients:
        split = shape[0] * shape[1]
        return Coefficients(flat[:split].reshape(shape), flat[split:].reshape(-1, n_labels))

    def loss(flat: Floats) -> tuple[float, Floats]:
        at = unpack(flat)
        log_p = log_softmax(beside + scores(x, laid, at), axis=1)
        slope = (np.exp(log_p) * known - shares) / count
        by_text = (laid.mix.T @ slope).reshape(x.shape[0], -1)
        weights = np.asarray(x.T @ by_text.astype(x.dtype), dtype=np.float64) + penalty * at.weights
        offsets = laid.offsets.T @ slope + held * at.offsets
        value = -float((shares * log_p).sum()) / count
        value += 0.5 * (penalty * float((at.weights**2).sum()) + float((held * at.offsets**2).sum()))
        return value, np.concatenate([weights.ravel(), offsets.ravel()])

    size = shape[0] * shape[1] + laid.offsets.shape[1] * n_labels
    first = np.zeros(size) if start is None else np.concatenate([start.weights.ravel(), start.offsets.ravel()])
    settings = {"maxiter": STEPS, "gtol": tolerance, "ftol": tolerance / 1_000}
    return unpack(minimize(loss, first, jac=True, method="L-BFGS-B", options=settings).x)


class Problem(NamedTuple):
    """Rows to fit or to judge: features of their texts [U, F], their layout for one `by_reader`, targets [N, L]."""

    x: Any
    laid: Design
    shares: Floats


class Tried(NamedTuple):
    """One fit: mean cross-entropy in nats on the judged rows, and the coefficients."""

    score: float
    found: Coefficients


def fit_path(train: Problem, valid: Problem) -> list[Tried]:
    """Fits from the strongest penalty on, until weaker ones no longer help on `valid`."""
    tried: list[Tried] = []
    found: Coefficients | None = None
    for penalty in PENALTIES:
        found = fit_softmax(train.x, train.laid, train.shares, penalty, start=found)
        tried.append(Tried(_cross_entropy(valid, found), found))
        past = [fit.score for fit in tried]
        if len(past) > PATIENCE and min(past[:-PATIENCE]) <= min(past[-PATIENCE:]):
            break
    return tried


def _cross_entropy(rows: Problem, found: Coefficients) -> float:
    """In nats, over the rows whose target is known; there must be one."""
    log_p = log_softmax(scores(rows.x, rows.laid, found), axis=1)
    return -float((rows.shares * log_p).sum() / rows.shares.sum())
