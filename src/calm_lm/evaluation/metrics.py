"""The metrics of every table, each as a function of sums over rows.

A metric turns probabilities [N, L] into row values [N, K] and sums of those into a number, so that intervals,
paired tests and per-culture values all come from the same sums.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calm_lm.evaluation.truth import Truth
from calm_lm.stats.calibration_error import squared_calibration_error
from calm_lm.stats.classification import auroc, macro_auroc
from calm_lm.stats.probability import cross_entropy_rows, expected_calibration_error

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of a table.

    Attributes:
        name: its key in the JSON.
        title: its column.
        higher_is_better: decides which culture is the worst.
        rows: probabilities and truth to row values [N, K].
        value: sums [..., K] to the metric [...], `nan` where undefined.
    """

    name: str
    title: str
    higher_is_better: bool
    rows: Callable[[Floats, Truth], Floats]
    value: Callable[[Floats], Floats]


def _ratio(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sums[..., 1] > 0, sums[..., 0] / sums[..., 1], np.nan)


def _right(p: Floats, truth: Truth) -> Floats:
    known = truth.labels >= 0
    return np.stack([(p.argmax(1) == truth.labels) & known, known], 1).astype(np.float64)


def _confusion(p: Floats, truth: Truth) -> Floats:
    n_labels = p.shape[1]
    cell = truth.labels * n_labels + p.argmax(1)
    rows = np.zeros((len(p), n_labels * n_labels))
    known = truth.labels >= 0
    rows[np.flatnonzero(known), cell[known]] = 1.0
    return rows


def macro_f1_of(confusion: Floats) -> Floats:
    """Macro-F1 of flattened confusion counts [..., L * L] (row truth, column answer).

    A label that is neither true nor answered is left out, as in `stats.classification.macro_f1`.
    """
    n_labels = round(confusion.shape[-1] ** 0.5)
    table = confusion.reshape(*confusion.shape[:-1], n_labels, n_labels)
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    size = table.sum(-1) + table.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.where(size > 0, 2 * hits / size, np.nan)
        present = np.isfinite(scores)
        return np.where(present.any(-1), np.nansum(scores, -1) / present.sum(-1), np.nan)


def _positives(p: Floats, truth: Truth) -> Floats:
    """Whether the positive label is answered and true, answered, true; whether anything is known."""
    known = truth.labels >= 0
    answered, true = (p.argmax(1) == truth.positive) & known, (truth.labels == truth.positive) & known
    return np.stack([answered & true, answered, true, known], 1).astype(np.float64)


def _precision(sums: Floats) -> Floats:
    """0 where the label is never answered, as scikit-learn has it."""
    return np.where(sums[..., 3] > 0, sums[..., 0] / np.maximum(sums[..., 1], 1.0), np.nan)


def _f1(sums: Floats) -> Floats:
    """0 where the label is neither answered nor true."""
    return np.where(sums[..., 3] > 0, 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1.0), np.nan)


def _surprise(p: Floats, truth: Truth) -> Floats:
    known = truth.shares.sum(1) > 0
    rows = np.zeros((len(p), 2))
    if known.any():
        rows[known, 0] = cross_entropy_rows(p[known], truth.shares[known])
    rows[:, 1] = known
    return rows


ACCURACY = Metric("accuracy", "accuracy", True, _right, _ratio)
MACRO_F1 = Metric("macro_f1", "macro-F1", True, _confusion, macro_f1_of)
PRECISION = Metric("precision", "precision", True, _positives, _precision)
F1 = Metric("f1", "F1", True, _positives, _f1)
CROSS_ENTROPY = Metric("cross_entropy", "cross-entropy", False, _surprise, _ratio)
TABLE = (ACCURACY, MACRO_F1, CROSS_ENTROPY)  # of a page or a terminal; the JSON has all
METRICS = (*TABLE, PRECISION, F1)


def auroc_of(p: Floats, truth: Truth) -> float:
    """AUROC of the positive label (two labels), else the mean over labels against the rest."""
    known = truth.labels >= 0
    if not known.any():
        return float("nan")
    if p.shape[1] == 2:
        return float(auroc((truth.labels[known] == truth.positive).astype(int), p[known, truth.positive]))
    return float(macro_auroc(truth.labels[known], p[known]))


def ece_of(p: Floats, truth: Truth) -> float:
    """Expected calibration error of predicted shares against the vote shares (or labels); chance adds to it."""
    known = truth.shares.sum(1) > 0
    if not known.any():
        return float("nan")
    return float(expected_calibration_error(p[known], truth.shares[known]))


def squared_calibration_error_of(p: Floats, truth: Truth) -> float:
    """The mean squared calibration error against the vote shares (or labels), without what chance adds."""
    known = truth.shares.sum(1) > 0
    if not known.any():
        return float("nan")
    given, said = p[known], truth.shares[known]
    right = said[np.arange(len(said)), given.argmax(1)]
    return float(squared_calibration_error(given.max(1), right, groups=truth.groups[known])[0])
