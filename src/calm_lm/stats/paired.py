"""Is one system better than another on the same rows? Differences, tests and a correction for many of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from calm_lm.stats.arrays import Floats, as_floats, as_fractions, as_labels, require_same, seeded_generator
from calm_lm.stats.bootstrap import GroupRows, Interval, Statistic, bootstrap_replicates, percentile_interval

_CHUNK = 1 << 22  # signs held at once by the permutation test


class PairedDifference(NamedTuple):
    """System A minus system B, its bootstrap interval, and the two-sided bootstrap p of "no difference"."""

    difference: float
    interval: Interval
    p: float


class McNemar(NamedTuple):
    """Rows that only A, and only B, has right, and the exact two-sided p."""

    only_a: int
    only_b: int
    p: float


def paired_difference(
    stat_a: Statistic | Sequence[Statistic],
    stat_b: Statistic | Sequence[Statistic],
    groups: npt.ArrayLike,
    *,
    n: int = 1000,
    seed: int,
    level: float = 0.95,
) -> PairedDifference:
    """A minus B, with both computed on the same draws of groups.

    A system trained several times gives a list, one statistic per training seed; the difference is then between the
    means over seeds, and each replicate draws the seeds of A and of B too, independently of each other.

    Args:
        stat_a: from row indices to a number; one, or one per training seed.
        stat_b: the same for the other system.
        groups: id of each row's post or person `[N]`.
        n: replicates.
        seed: of the draws, from 0.
        level: between 0 and 1.

    Returns:
        p is that of `bootstrap_p`.
    """
    systems = [_as_list(stat_a), _as_list(stat_b)]
    a, b = (bootstrap_replicates(one, groups, n=n, seed=seed, stream=i) for i, one in enumerate(systems))
    replicates = a - b
    interval = percentile_interval(replicates, level)
    every = np.arange(len(GroupRows.of(groups).order))
    difference = np.mean([one(every) for one in systems[0]]) - np.mean([one(every) for one in systems[1]])
    return PairedDifference(float(difference), interval, bootstrap_p(replicates[~np.isnan(replicates)]))


def bootstrap_p(differences: Floats) -> float:
    """Two-sided p of "no difference" from replicates of a difference `[n]`, none of them `nan`.

    Twice the smaller share of replicates on one side of zero, with one added to count and number so that it is never
    0. Source: Davison & Hinkley 1997, equation 4.11.
    """
    smaller = min(np.sum(differences <= 0), np.sum(differences >= 0))
    return float(min(1.0, 2 * (smaller + 1) / (len(differences) + 1)))


def mcnemar(correct_a: npt.ArrayLike, correct_b: npt.ArrayLike) -> McNemar:
    """Exact test of whether A and B are right equally often.

    It takes rows for independent: with several readers per post, test one reader at a time, or use `sign_flip_test`.

    Args:
        correct_a: 0 or 1 per row `[N]`.
        correct_b: the same rows of the other system.

    Source: McNemar 1947, with the binomial in place of the chi-square.
    """
    from scipy.stats import binomtest

    a, b = as_labels(correct_a, "correct_a", 2), as_labels(correct_b, "correct_b", 2)
    require_same("correct_b", b.shape, "correct_a", a.shape)
    only_a, only_b = int(np.sum(a > b)), int(np.sum(b > a))
    p = float(binomtest(only_a, only_a + only_b, 0.5).pvalue) if only_a + only_b else 1.0
    return McNemar(only_a, only_b, p)


def sign_flip_test(differences: npt.ArrayLike, groups: npt.ArrayLike, *, n: int = 10_000, seed: int) -> float:
    """Two-sided permutation p of "the mean difference is zero", flipping the sign of whole groups.

    Rows are first averaged within their group, and every group weighs the same.

    Args:
        differences: A minus B per row `[N]`.
        groups: id of each row's post or person `[N]`.
        n: random flips; p is never below 1 / (n + 1) (Phipson & Smyth 2010).
        seed: of the flips, from 0.
    """
    generator = seeded_generator(n, seed)
    rows, layout = as_floats(differences, "differences"), GroupRows.of(groups)
    require_same("differences", rows.shape, "groups", layout.order.shape)
    means = np.add.reduceat(rows[layout.order], layout.starts) / layout.counts
    observed = abs(means.sum()) - 1e-12 * np.abs(means).sum()  # the same sum in another order counts as reached
    reached, left = 0, n
    while left:
        now = min(left, max(1, _CHUNK // len(means)))
        signs = generator.integers(0, 2, size=(now, len(means)), dtype=np.int8) * 2 - 1
        reached += int(np.sum(np.abs(signs @ means) >= observed))
        left -= now
    return (reached + 1) / (n + 1)


def holm(p_values: npt.ArrayLike) -> Floats:
    """P values `[M]` corrected for being `M` tests, in the given order. Source: Holm 1979."""
    p = as_fractions(p_values, "p_values")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def _as_list(statistics: Statistic | Sequence[Statistic]) -> list[Statistic]:
    return list(statistics) if isinstance(statistics, Sequence) else [statistics]
