"""Scores of one system, and its paired difference to another, with intervals over posts and seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from calm_lm.evaluation.metrics import METRICS, Metric, auroc_of, ece_of, squared_calibration_error_of
from calm_lm.evaluation.truth import Truth
from calm_lm.stats.calibration_error import root
from calm_lm.stats.sums import Draws, difference_of, draw, group_sums, interval_of, replicate

Floats = npt.NDArray[np.float64]
REPLICATES = 1_000


class Judge:
    """Scores systems on the same rows with the same bootstrap draws, so that differences are paired.

    Args:
        truth: the rows.
        seed: of the bootstrap.
        replicates: how many.
    """

    def __init__(self, truth: Truth, *, seed: int = 0, replicates: int = REPLICATES) -> None:
        self.truth, self.seed, self.replicates = truth, seed, replicates

    def score(self, systems: Sequence[Floats]) -> dict[str, Any]:
        """All metrics of a system given as probabilities [N, L] per seed; scores are averaged over seeds."""
        scores = {metric.name: self._summarise(metric, systems) for metric in METRICS}
        scores["auroc"] = self._whole(auroc_of, systems, higher_is_better=True)
        scores["calibration_error"] = self._whole(
            squared_calibration_error_of, systems, higher_is_better=False, told=lambda squared: float(root(squared))
        )
        scores["ece"] = self._whole(ece_of, systems, higher_is_better=False)
        return scores

    def compare(self, a: Sequence[Floats], b: Sequence[Floats]) -> dict[str, Any]:
        """Paired differences a - b of the mean over cultures, for the metrics with exact sums."""
        result: dict[str, Any] = {}
        for metric in METRICS:
            gap = difference_of(self._means(metric, a), self._means(metric, b))
            result[metric.name] = {
                "difference": gap.difference,
                "interval": [gap.interval.low, gap.interval.high],
                "p": gap.p,
                "higher_is_better": metric.higher_is_better,
            }
        return result

    def means(self, metric: Metric, systems: Sequence[Floats]) -> Floats:
        """Replicates [n + 1] of the mean over cultures; the first is the estimate."""
        return self._means(metric, systems)

    def _draws(self, n_seeds: int) -> Draws:
        return draw(self.truth.shape[0], n_seeds, self.replicates, self.seed)

    def _replicate(self, metric: Metric, systems: Sequence[Floats]) -> tuple[Floats, Floats]:
        rows = np.stack([metric.rows(p, self.truth) for p in systems])
        sums = group_sums(rows, self.truth.groups, self.truth.cultures, self.truth.shape)
        return replicate(sums, metric.value, self._draws(len(systems)))

    def _means(self, metric: Metric, systems: Sequence[Floats]) -> Floats:
        by_culture, _ = self._replicate(metric, systems)
        return _nanmean(by_culture)

    def _summarise(self, metric: Metric, systems: Sequence[Floats]) -> dict[str, Any]:
        by_culture, overall = self._replicate(metric, systems)
        means = _nanmean(by_culture)
        here = dict(zip(self.truth.names, by_culture[0].tolist(), strict=True))
        defined = {name: value for name, value in here.items() if math.isfinite(value)}
        worst = (min if metric.higher_is_better else max)(defined, key=lambda name: defined[name], default=None)
        interval = interval_of(means)
        return {
            "overall": _number(overall[0]),
            "mean": _number(means[0]),
            "interval": [_number(interval.low), _number(interval.high)],
            "worst": _number(defined[worst]) if worst else None,
            "worst_culture": worst,
            "by_culture": {name: _number(value) for name, value in here.items()},
            "by_seed": [_number(_nanmean(self._replicate_one(metric, p))[0]) for p in systems],
            "higher_is_better": metric.higher_is_better,
        }

    def _replicate_one(self, metric: Metric, p: Floats) -> Floats:
        rows = metric.rows(p, self.truth)[None]
        sums = group_sums(rows, self.truth.groups, self.truth.cultures, self.truth.shape)[0].sum(0)
        return metric.value(sums)[None]

    def _whole(
        self,
        function: Callable[[Floats, Truth], float],
        systems: Sequence[Floats],
        *,
        higher_is_better: bool,
        told: Callable[[float], float] = float,
    ) -> dict[str, Any]:
        """A metric that is no function of sums: point values only, averaged over seeds, then turned by `told`."""
        overall = told(float(np.mean([function(p, self.truth) for p in systems])))
        by_culture: dict[str, float] = {}
        for number, name in enumerate(self.truth.names):
            keep = self.truth.cultures == number
            part = self.truth.take(keep)
            by_culture[name] = float(np.mean([function(p[keep], part) for p in systems]))
        mean = [value for value in by_culture.values() if math.isfinite(value)]
        by_culture = {name: told(value) for name, value in by_culture.items()}
        defined = {name: value for name, value in by_culture.items() if math.isfinite(value)}
        worst = (min if higher_is_better else max)(defined, key=lambda name: defined[name], default=None)
        return {
            "overall": _number(overall),
            "mean": _number(told(float(np.mean(mean))) if mean else float("nan")),
            "interval": None,
            "worst": defined[worst] if worst else None,
            "worst_culture": worst,
            "by_culture": {name: _number(value) for name, value in by_culture.items()},
            "higher_is_better": higher_is_better,
        }


def _nanmean(by_culture: Floats) -> Floats:
    present = np.isfinite(by_culture)
    total = np.where(present, by_culture, 0.0).sum(1)
    return np.where(present.any(1), total / np.maximum(present.sum(1), 1), np.nan)


def _number(value: float) -> float | None:
    """JSON has no NaN: an undefined value is null."""
    return float(value) if math.isfinite(value) else None
