"""Figures that are no means over rows (F1, AUROC, average precision) with intervals over redrawn texts.

A redraw of groups of rows is a weight for each row, so a statistic computes all its replicates in one pass from the
weights [R, N], the first of which are ones (`stats.sums.draw`: the same redraws as those of `evaluation.table`).
Statistics are computed in every culture and averaged over cultures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from calm_lm.evaluation.table import FEWEST, ends, figure, number
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Bools, Floats, Ints
from calm_lm.stats.calibration_error import root
from calm_lm.stats.sums import draw, few_drawn

Statistic = Callable[[Ints, Floats], Floats]
"""From the indices of rows [M] and their weights [R, M] to replicates [R], `nan` where it is not defined."""


class Resampling:
    """Rows with their redraws.

    Args:
        groups: what is redrawn together [N].
        cultures: by which a statistic is told [N].
        plan: with seed and number of replicates.
    """

    def __init__(self, groups: Sequence[str], cultures: Sequence[str], plan: Plan) -> None:
        self._names = sorted(set(cultures))
        self._culture_of = np.searchsorted(self._names, np.asarray(cultures))
        ids, self._group_of = np.unique(np.asarray(groups), return_inverse=True)
        self._drawn = draw(len(ids), 1, plan.replicates, plan.seed, few_drawn(len(ids))).groups

    def figure(
        self, chosen: Bools, statistic: Statistic, title: str, *, better: bool | None, squared: bool = False
    ) -> dict[str, Any]:
        """A statistic of the chosen rows, its mean over cultures first; a culture without it is left out.

        Of one that is `squared`, roots are told, those of the mean over cultures too: so cultures with few rows, whose
        estimates are below 0 as often as above, do not raise it.
        """
        by_culture = np.full((len(self._drawn), len(self._names)), np.nan)
        for place in range(len(self._names)):
            rows = np.flatnonzero(chosen & (self._culture_of == place))
            if len(rows):
                by_culture[:, place] = statistic(rows, self._drawn[:, self._group_of[rows]])
        known = np.isfinite(by_culture)
        total = np.where(known, by_culture, 0.0).sum(1)
        mean = np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)
        if squared:
            by_culture, mean = root(by_culture), root(mean)
        if self._few(chosen):
            mean[1:] = np.nan
        values = {
            name: {
                "value": number(by_culture[0, place]),
                "interval": None if self._few(chosen & (self._culture_of == place)) else ends(by_culture[:, place]),
            }
            for place, name in enumerate(self._names)
        }
        return figure(mean, title=title, higher_is_better=better) | {"by_culture": values}

    def _few(self, rows: Bools) -> bool:
        """Too few texts for an interval."""
        return len(np.unique(self._group_of[rows])) < FEWEST


def share(hit: Bools, among: Bools, weights: Floats) -> Floats:
    """Replicates [R] of the share of rows `among` [M] that are a `hit` too."""
    return divide(weights @ (hit & among).astype(np.float64), weights @ among.astype(np.float64))


def macro_f1(labels: Ints, answered: Ints, weights: Floats, n_labels: int) -> Floats:
    """Replicates [R] of macro-F1 as in `stats.classification`: a label neither true nor answered is left out."""
    scores = np.stack([f1(labels == label, answered == label, weights) for label in range(n_labels)])
    known = np.isfinite(scores)
    return divide(np.where(known, scores, 0.0).sum(0), known.sum(0).astype(np.float64))


def f1(true: Bools, called: Bools, weights: Floats) -> Floats:
    """Replicates [R] of the F1 of one label."""
    both, either = (true & called).astype(np.float64), true.astype(np.float64) + called
    return divide(2 * (weights @ both), weights @ either)


def auroc(positive: Bools, score: Floats, weights: Floats) -> Floats:
    """Replicates [R] of the chance that a positive row scores above another, ties one half."""
    good, bad = _by_level(positive, score, weights)
    below = np.cumsum(bad, axis=1) - bad
    return divide((good * (below + bad / 2)).sum(1), good.sum(1) * bad.sum(1))


def average_precision(positive: Bools, score: Floats, weights: Floats) -> Floats:
    """Replicates [R] of the mean precision over the ranks of the positive rows; ties stand together.

    The step-wise sum of precision times the gain in recall.
    """
    good, bad = (each[:, ::-1] for each in _by_level(positive, score, weights))
    found = np.cumsum(good, axis=1)
    precision = divide(found, found + np.cumsum(bad, axis=1))
    return divide((good * np.nan_to_num(precision)).sum(1), good.sum(1))


def divide(part: Floats, whole: Floats) -> Floats:
    """The ratio, `nan` where the whole is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Floats = np.where(whole > 0, part / whole, np.nan)
    return ratio


def _by_level(positive: Bools, score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weights of positive and of other rows by distinct score, the lowest first [R, L]."""
    order = np.argsort(score, kind="stable")
    _, starts = np.unique(score[order], return_index=True)
    sides = (np.where(side[order], weights[:, order], 0.0) for side in (positive, ~positive))
    good, bad = (np.add.reduceat(side, starts, axis=1) for side in sides)
    return good, bad
