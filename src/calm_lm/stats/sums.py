"""Intervals of metrics that are functions of sums over rows, for many replicates at once.

Accuracy, macro-F1 and cross-entropy need only sums per group and culture, so a bootstrap over groups is one
matrix product instead of a thousand passes over the rows. Seeds of the same system are drawn along.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from calm_lm.stats.arrays import Floats, Ints
from calm_lm.stats.bootstrap import Interval, percentile_interval
from calm_lm.stats.paired import PairedDifference, bootstrap_p

ValueOf = Callable[[Floats], Floats]  # sums [..., K] -> metric [...], nan where undefined


class Draws(NamedTuple):
    """Replicates shared by every system that is compared.

    Attributes:
        groups: [n, G] how often each group was drawn; the first replicate is the data as they are.
        seeds: [n, S] share of each seed, rows sum to one; the first replicate takes all alike.
    """

    groups: Floats
    seeds: Floats


def draw(n_groups: int, n_seeds: int, n: int, seed: int) -> Draws:
    """`n` bootstrap replicates of groups and seeds, after the data themselves."""
    rng = np.random.default_rng((seed, n_groups))
    groups = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n).astype(np.float64)
    seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=n) / n_seeds
    return Draws(np.vstack([np.ones((1, n_groups)), groups]), np.vstack([np.full((1, n_seeds), 1 / n_seeds), seeds]))


def group_sums(values: Floats, groups: Ints, cultures: Ints, shape: tuple[int, int]) -> Floats:
    """Sums of row values [S, N, K] per group and culture: [S, G, R, K]; `shape` is (G, R)."""
    n_groups, n_cultures = shape
    flat = groups * n_cultures + cultures
    out = np.zeros((len(values), n_groups * n_cultures, values.shape[2]))
    for seed, rows in enumerate(values):
        np.add.at(out[seed], flat, rows)
    return out.reshape(len(values), n_groups, n_cultures, values.shape[2])


def replicate(sums: Floats, value_of: ValueOf, draws: Draws) -> tuple[Floats, Floats]:
    """The metric per culture [n + 1, R] and overall [n + 1], each averaged over the drawn seeds."""
    by_culture, overall = [], []
    for per_seed in sums:  # [G, R, K]
        totals = np.tensordot(draws.groups, per_seed, axes=(1, 0))  # [n + 1, R, K]
        by_culture.append(value_of(totals))
        overall.append(value_of(totals.sum(1)))
    weights = draws.seeds.T  # [S, n + 1]
    return (
        np.einsum("sn,snr->nr", weights, np.stack(by_culture)),
        np.einsum("sn,sn->n", weights, np.stack(overall)),
    )


def interval_of(replicates: Floats, level: float = 0.95) -> Interval:
    """The percentile interval of replicates [n + 1] whose first is the estimate itself."""
    return percentile_interval(replicates[1:], level)


def difference_of(a: Floats, b: Floats, level: float = 0.95) -> PairedDifference:
    """The paired difference of two systems' replicates under the same draws, with a two-sided bootstrap p."""
    gaps = a[1:] - b[1:]
    gaps = gaps[np.isfinite(gaps)]
    return PairedDifference(float(a[0] - b[0]), percentile_interval(gaps, level), bootstrap_p(gaps))
