"""Scores of rows, laid out so that every system of a task is judged on the same rows with the same draws.

A row is one question judged for one culture. Per culture, a score is the mean over its rows; the headline is the mean
over cultures, beside the worst one. Intervals redraw questions, all cultures' rows of a question together.

In a redraw of the headline, each row weighs one over its culture's rows in the data. So the estimate is the mean over
cultures, and a question that is drawn twice counts twice also where it is its culture's only one; averaging the
cultures of each redraw would make intervals too narrow where cultures have few questions of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Bools, Floats, Ints
from calm_lm.stats.effects import cohens_dz
from calm_lm.stats.sums import Draws, difference_of, draw, few_drawn, group_sums, interval_of, replicate, spread_over

REPLICATES = 1_000
FEWEST = 5  # questions; an interval over fewer holds the truth too seldom to be told, however it is made
EVERYONE = "everyone"  # the culture of rows that have none


@dataclass(frozen=True, slots=True)
class Metric:
    """What a score is called and how it is read.

    Attributes:
        name: in JSON.
        title: in tables.
        higher_is_better: None where neither end is good.
        low: least possible value, None where there is none.
        high: greatest possible value.
    """

    name: str
    title: str
    higher_is_better: bool | None
    low: float | None = 0.0
    high: float | None = 1.0


class Table:
    """The rows of one task.

    Args:
        questions: id of each row's question [N].
        cultures: id of each row's culture [N].
        seed: of the draws.
        replicates: how many.

    Raises:
        CalmError: E40 for no row.
    """

    def __init__(
        self, questions: Sequence[str], cultures: Sequence[str], *, seed: int = 0, replicates: int = REPLICATES
    ) -> None:
        if not questions:
            raise CalmError(
                "E40", "there is nothing to score.", field="rows", value=0, fix="ask about more items or cultures."
            )
        self.questions, self.names = list(questions), sorted(set(cultures))
        ids, places = np.unique(np.asarray(questions), return_inverse=True)
        self._groups: Ints = places.astype(np.int64)
        self.culture_of: Ints = np.searchsorted(self.names, np.asarray(cultures)).astype(np.int64)
        self._shape = (len(ids), len(self.names))
        self._draws: Draws = draw(len(ids), 1, replicates, seed, few_drawn(len(ids)))

    def __len__(self) -> int:
        return len(self.questions)

    def score(self, metric: Metric, values: Floats) -> dict[str, Any]:
        """A system's score with intervals, by culture, and the worst; rows [N] that are `nan` do not count."""
        by_culture, overall = self._replicate(values)
        means = self.means(values)
        here = {name: float(by_culture[0, i]) for i, name in enumerate(self.names)}
        defined = {name: value for name, value in here.items() if math.isfinite(value)}
        worst = None
        if defined and metric.higher_is_better is not None:
            worst = (min if metric.higher_is_better else max)(defined, key=lambda name: defined[name])
        return {
            "title": metric.title,
            "higher_is_better": metric.higher_is_better,
            "range": [metric.low, metric.high],
            "overall": number(overall[0]),
            "mean": number(means[0]),
            "interval": ends(means),
            "worst": None if worst is None else number(defined[worst]),
            "worst_culture": worst,
            "by_culture": {
                name: {"value": number(here[name]), "interval": self._ends_here(by_culture[:, i], values, i)}
                for i, name in enumerate(self.names)
            },
            "rows": int(np.isfinite(values).sum()),
        }

    def compare(self, metric: Metric, a: Floats, b: Floats) -> dict[str, Any] | None:
        """System a minus system b on the rows that both have; None where there is none.

        Of rows on fewer than `FEWEST` questions there is no interval, and p is 1. With G questions, p is not below
        2 / 2^G, the least that flipping signs question by question can reach.
        """
        both = np.isfinite(a) & np.isfinite(b)
        if not both.any():
            return None
        first, second = (self.means(np.where(both, each, np.nan)) for each in (a, b))
        difference, questions = (a - b)[both], len(np.unique(self._groups[both]))
        found: dict[str, Any] = {"difference": number(first[0] - second[0]), "interval": None, "p": 1.0}
        if questions >= FEWEST:
            gap = difference_of(first, second)
            found["interval"] = [number(gap.interval.low), number(gap.interval.high)]
            found["p"] = max(gap.p, 2.0 ** (1 - questions))
        return found | {
            "effect_dz": number(cohens_dz(difference)) if len(difference) > 1 else None,
            "higher_is_better": metric.higher_is_better,
        }

    def means(self, values: Floats) -> Floats:
        """Replicates [n + 1] of the mean over cultures, the estimate first; `nan` where few questions have values."""
        known = np.isfinite(values)
        rows = np.bincount(self.culture_of[known], minlength=self._shape[1])
        weights = np.where(known, 1 / np.maximum(rows[self.culture_of], 1), 0.0)
        columns = np.stack([np.where(known, values, 0.0) * weights, weights], 1)[None]
        everywhere = np.zeros_like(self.culture_of)
        sums = group_sums(columns, self._groups, everywhere, (self._shape[0], 1))
        return self._unless_few(replicate(sums, _ratio, self._draws)[1], known)

    def by_culture(self, values: Floats) -> Floats:
        """Replicates [n + 1, C] by culture, the estimate first."""
        return self._replicate(values)[0]

    def spread(self, values: Floats) -> Floats:
        """Replicates [n + 1] of the standard deviation over cultures, without what chance adds (`stats.sums`)."""
        return spread_over(self.by_culture(values), self._shape[0])

    def _replicate(self, values: Floats) -> tuple[Floats, Floats]:
        known = np.isfinite(values)
        rows = np.stack([np.where(known, values, 0.0), known.astype(np.float64)], 1)[None]
        found = replicate(group_sums(rows, self._groups, self.culture_of, self._shape), _ratio, self._draws)
        by_culture, overall = (self._unless_few(each, known) for each in found)
        return by_culture, overall

    def _ends_here(self, replicates: Floats, values: Floats, place: int) -> list[float | None] | None:
        """The interval of one culture, by its own questions."""
        here = np.isfinite(values) & (self.culture_of == place)
        return ends(self._unless_few(replicates.copy(), here))

    def _unless_few(self, replicates: Floats, known: Bools) -> Floats:
        """Redraws of fewer than `FEWEST` questions say little: nothing but the estimate is left of them."""
        if len(np.unique(self._groups[known])) < FEWEST:
            replicates[1:] = np.nan
        return replicates


def figure(replicates: Floats, *, title: str, higher_is_better: bool | None) -> dict[str, Any]:
    """One figure that has no rows of its own, from replicates [n + 1] whose first is the estimate."""
    return {
        "title": title, "value": number(replicates[0]), "interval": ends(replicates),
        "higher_is_better": higher_is_better,
    }  # fmt: skip


def number(value: float) -> float | None:
    """JSON has no NaN: an undefined value is null."""
    return float(value) if math.isfinite(value) else None


def _ratio(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Floats = np.where(sums[..., 1] > 0, sums[..., 0] / sums[..., 1], np.nan)
    return ratio


def ends(replicates: Floats) -> list[float | None] | None:
    """The 95 % interval, or None where too few replicates are defined."""
    if not math.isfinite(replicates[0]) or np.isnan(replicates[1:]).mean() > 0.1:
        return None
    interval = interval_of(replicates)
    return [number(interval.low), number(interval.high)]
