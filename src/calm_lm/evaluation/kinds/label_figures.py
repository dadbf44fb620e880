"""What is said of answers about labelled texts beyond means over rows: F1, ranking, calibration, false alarms."""

from __future__ import annotations

from typing import Any

import numpy as np

from calm_lm.evaluation.kinds import resampling
from calm_lm.evaluation.kinds.label_rows import LabelRows
from calm_lm.evaluation.kinds.resampling import Resampling, Statistic
from calm_lm.evaluation.result import System
from calm_lm.evaluation.table import Table, figure
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Bools, Floats, Ints
from calm_lm.stats.calibration_error import squared_calibration_error
from calm_lm.stats.probability import expected_calibration_error

BINS = 10
CALIBRATION = "calibration_error"


def add_label_figures(
    system: System, rows: LabelRows, shares: Floats, table: Table, redraws: Resampling, plan: Plan
) -> None:
    """Figures of one system from its answers [N, L], `nan` where there was none.

    Which are told stands in the setting `figures`. Precision and average precision are weighted back to the data set
    where texts were sampled by label.
    """
    valid = np.isfinite(shares[:, 0])
    judged = valid & (rows.labels >= 0)
    statistics = _statistics(rows, shares)
    named = plan.task.settings.get("figures", ())
    for name in (each for each in named if each != CALIBRATION):
        title, better, statistic = statistics[name]
        system.figures[name] = redraws.figure(judged, statistic, title, better=better)
    if CALIBRATION in named:
        system.figures |= _calibration_errors(rows, shares, valid, redraws)
    for part in rows.data.slices if "auroc" in named else ():
        inside = judged & np.asarray([each.tag(part.tag) in part.values for each in rows.examples])
        title = f"AUROC, {part.name}"
        system.figures[f"auroc_{part.tag}"] = redraws.figure(inside, statistics["auroc"][2], title, better=True)
    alarms = np.where(_unanimously_negative(rows) & valid, shares[:, rows.data.positive] > 0.5, np.nan)
    title = f"Called {rows.data.labels[rows.data.positive]} though nobody does"
    system.figures["false_positive_rate"] = figure(table.means(alarms), title=title, higher_is_better=False) | {
        "dimension": "harm"
    }
    system.detail["calibration"] = calibration_bins(shares[valid], rows.shares[valid])


def _statistics(rows: LabelRows, shares: Floats) -> dict[str, tuple[str, bool | None, Statistic]]:
    positive = rows.labels == rows.data.positive
    score = shares[:, rows.data.positive]
    alarms = score > 0.5
    answered = np.nan_to_num(shares).argmax(1)
    stands_for, n_labels = rows.weights, shares.shape[1]
    return {
        "macro_f1": (
            "Macro-F1", True, lambda at, w: resampling.macro_f1(rows.labels[at], answered[at], w, n_labels)
        ),
        "auroc": ("AUROC", True, lambda at, w: resampling.auroc(positive[at], score[at], w)),
        "average_precision": (
            "Average precision", True,
            lambda at, w: resampling.average_precision(positive[at], score[at], w * stands_for[at]),
        ),
        "precision": (
            "Precision", True, lambda at, w: resampling.share(positive[at], alarms[at], w * stands_for[at])
        ),
        "recall": ("Recall", True, lambda at, w: resampling.share(alarms[at], positive[at], w)),
    }  # fmt: skip


def _calibration_errors(
    rows: LabelRows, shares: Floats, valid: Bools, redraws: Resampling
) -> dict[str, dict[str, Any]]:
    """How far confidence lies from being right, without what chance adds, and as the literature has it.

    The second has no interval: chance adds to every redraw once more, so that its redraws lie above it.
    """
    filled = np.nan_to_num(shares)
    confidence, right = filled.max(1), rows.shares[np.arange(len(rows)), filled.argmax(1)]
    _, groups = np.unique(np.asarray(rows.groups), return_inverse=True)

    def ours(at: Ints, weights: Floats) -> Floats:
        return squared_calibration_error(confidence[at], right[at], groups=groups[at], weights=weights, bins=BINS)

    def published(at: Ints, weights: Floats) -> Floats:
        found = np.full(len(weights), np.nan)
        found[0] = expected_calibration_error(shares[at], rows.shares[at], bins=BINS)
        return found

    title = "Calibration error: root mean square, less what chance adds"
    return {
        CALIBRATION: redraws.figure(valid, ours, title, better=False, squared=True),
        "ece": redraws.figure(valid, published, "ECE, to which chance adds", better=False),
    }


def ranked(rows: LabelRows, score: Floats) -> Floats:
    """Per row [N]: the share of rows of another label in its culture that are ranked right beside it, ties one half.

    Its mean over a culture's rows is the AUROC there (Hanley & McNeil 1982), whatever the balance of labels. Rows
    without a label, an answer or an opposite are `nan`.
    """
    found = np.full(len(rows), np.nan)
    usable = (rows.labels >= 0) & np.isfinite(score)
    positive = rows.labels == rows.data.positive
    cultures = np.asarray(rows.cultures)
    for name in np.unique(cultures):
        for side in (True, False):
            mine = np.flatnonzero(usable & (cultures == name) & (positive == side))
            others = score[usable & (cultures == name) & (positive != side)]
            if len(others):
                gap = (score[mine, None] - others[None]) * (1 if side else -1)
                found[mine] = ((gap > 0) + 0.5 * (gap == 0)).mean(1)
    return found


def calibration_bins(shares: Floats, truth: Floats) -> list[dict[str, float | int]]:
    """Bins of equal width of the likeliest label's probability: mean confidence, share of people who agree, rows."""
    if not len(shares):
        return []
    rows = np.arange(len(shares))
    label = shares.argmax(1)
    confidence, right = shares[rows, label], truth[rows, label]
    bin_of = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return [
        {
            "from": place / BINS, "to": (place + 1) / BINS, "confidence": float(confidence[bin_of == place].mean()),
            "right": float(right[bin_of == place].mean()), "rows": int((bin_of == place).sum()),
        }
        for place in np.unique(bin_of).tolist()
    ]  # fmt: skip


def _unanimously_negative(rows: LabelRows) -> Bools:
    """Rows of texts that nobody, of any community, gave the positive label."""
    called = {
        unit for unit, share in zip(rows.units, rows.shares[:, rows.data.positive].tolist(), strict=True) if share > 0
    }  # fmt: skip
    return np.asarray([unit not in called for unit in rows.units])


def permuted(rows: LabelRows, shares: Floats) -> Floats:
    """Every row with the answer that the next reader of the same text got: right text, wrong reader.

    `nan` where nobody else read the text: its own answer is no control.
    """
    at = np.arange(len(rows))
    places: dict[str, list[int]] = {}
    for row, unit in enumerate(rows.units):
        places.setdefault(unit, []).append(row)
    for found in places.values():
        at[found] = np.roll(found, -1)
    return np.where(rows.have_company[:, None], shares[at], np.nan)
