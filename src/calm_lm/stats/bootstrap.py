"""Intervals by resampling groups: all rows of a post (or a person) are drawn together, never torn apart.

Replicate `i` of one seed draws the same groups for every statistic on the same `groups`, so systems are compared
on the same replicates. Intervals are percentile intervals. Source: Efron & Tibshirani 1993, chapters 8 and 13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Floats, Ints, as_floats, as_ids, require, require_same, seeded_generator

Statistic = Callable[[Ints], float]
"""A number computed on the rows whose indices `[M]` are given; indices may repeat, `nan` means not defined."""

UNDEFINED_ALLOWED = 0.1  # share of replicates that may lack the statistic before an interval misleads


class Interval(NamedTuple):
    """A confidence interval: ends in the statistic's unit, and its level (0.95 for 95 %)."""

    low: float
    high: float
    level: float


@dataclass(frozen=True)
class GroupRows:
    """Which rows each group owns, laid out for fast drawing.

    Attributes:
        order: row indices sorted by group `[N]`.
        starts: where each group begins in `order` `[G]`.
        counts: rows of each group `[G]`.
    """

    order: Ints
    starts: Ints
    counts: Ints

    @classmethod
    def of(cls, groups: npt.ArrayLike) -> Self:
        """Sort the rows of `groups` `[N]` (ids, one per row).

        Raises:
            CalmError: S08 for ids that are none, S12 for fewer than two groups.
        """
        _, place, counts = np.unique(as_ids(groups, "groups"), return_inverse=True, return_counts=True)
        if len(counts) < 2:
            raise CalmError(
                "S12",
                "resampling needs at least two groups.",
                field="groups",
                value=len(counts),
                fix="give the id of the post (or person) of each row.",
            )
        return cls(np.argsort(place, kind="stable"), np.cumsum(counts) - counts, counts)

    def take(self, drawn: Ints) -> Ints:
        """Row indices of the groups drawn, in order of drawing, repeats included."""
        counts = self.counts[drawn]
        shift = self.starts[drawn] - (np.cumsum(counts) - counts)
        rows: Ints = self.order[np.repeat(shift, counts) + np.arange(counts.sum())]
        return rows


def bootstrap_interval(
    statistic: Statistic, groups: npt.ArrayLike, *, n: int = 1000, seed: int, level: float = 0.95
) -> Interval:
    """Interval of `statistic` over new draws of groups.

    Args:
        statistic: from row indices to a number.
        groups: id of each row's post or person `[N]`.
        n: replicates.
        seed: of the draws, from 0.
        level: between 0 and 1.

    Raises:
        CalmError: S12 for fewer than two groups, S13 when the statistic is undefined in over 10 % of the replicates.
    """
    return percentile_interval(bootstrap_replicates([statistic], groups, n=n, seed=seed), level)


def bootstrap_over_seeds(
    statistics: Sequence[Statistic], groups: npt.ArrayLike, *, n: int = 1000, seed: int, level: float = 0.95
) -> Interval:
    """Interval of the mean over training seeds, over new draws of groups and of seeds together.

    With few seeds it is a little narrow: drawing S seeds shows (S - 1) / S of their variance.

    Args:
        statistics: one per training seed, all on the same rows.
        groups: id of each row's post or person `[N]`.
        n: replicates.
        seed: of the draws, from 0.
        level: between 0 and 1.
    """
    return percentile_interval(bootstrap_replicates(statistics, groups, n=n, seed=seed), level)


def bootstrap_mean(
    values: npt.ArrayLike, groups: npt.ArrayLike, *, n: int = 1000, seed: int, level: float = 0.95
) -> Interval:
    """Interval of the mean of `values` `[N]` over rows: `bootstrap_interval` of that mean, faster."""
    rows = as_floats(values, "values")
    layout = GroupRows.of(groups)
    require_same("values", rows.shape, "groups", layout.order.shape)
    sums = np.add.reduceat(rows[layout.order], layout.starts)
    means = [sums[drawn].sum() / layout.counts[drawn].sum() for drawn in _draw(len(sums), n, seed)]
    return percentile_interval(np.array(means), level)


def bootstrap_replicates(
    statistics: Sequence[Statistic], groups: npt.ArrayLike, *, n: int, seed: int, stream: int = 0
) -> Floats:
    """The replicates `[n]` behind an interval: each draws groups, draws training seeds, and averages over the latter.

    Args:
        statistics: one per training seed, all on the same rows.
        groups: id of each row's post or person `[N]`.
        n: replicates.
        seed: of the draws, from 0.
        stream: another number draws training seeds anew and keeps the draws of groups (for a second system).

    Raises:
        CalmError: S14 for no statistic.
    """
    if not statistics:
        raise CalmError("S14", "there is no statistic.", field="statistics", value=0, fix="give one per training seed.")
    layout = GroupRows.of(groups)
    draws = _draw(len(layout.counts), n, seed)
    draw_seeds = np.random.default_rng([seed, 1 + stream])
    replicates = np.empty(n)
    for i, drawn in enumerate(draws):
        rows = layout.take(drawn)
        times = np.bincount(draw_seeds.integers(len(statistics), size=len(statistics)))
        replicates[i] = sum(count * statistics[k](rows) for k, count in enumerate(times) if count) / len(statistics)
    return replicates


def percentile_interval(replicates: Floats, level: float) -> Interval:
    """The middle `level` of the replicates `[n]`; undefined ones (`nan`) are left out.

    Raises:
        CalmError: S13 when over 10 % are undefined.
    """
    require(0 < level < 1, "level", level, "a number between 0 and 1")
    undefined = float(np.isnan(replicates).mean())
    if undefined > UNDEFINED_ALLOWED:
        raise CalmError(
            "S13",
            "the statistic is not defined in many replicates, so it has no interval.",
            field="share undefined",
            value=round(undefined, 3),
            fix="use more rows, or a statistic that does not need a rare label.",
        )
    low, high = np.quantile(replicates[~np.isnan(replicates)], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)


def _draw(n_groups: int, n: int, seed: int) -> Iterator[Ints]:
    generator = seeded_generator(n, seed)
    return (generator.integers(n_groups, size=n_groups) for _ in range(n))
