"""Sampling error of the people: survey shares are estimates too, and an interval has to say so.

Two ways to redraw respondents: from microdata, people with their weights; from published shares, a multinomial of
the effective number of people. Both take respondents for independent: a survey drawn by clusters has more error, and
its published effective number belongs here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Floats, Ints, as_floats, as_labels, require, require_same, seeded_generator
from calm_lm.stats.bootstrap import percentile_interval
from calm_lm.stats.distances import RowDistance
from calm_lm.stats.shares import option_shares

ShareStatistic = Callable[[Floats], Floats | float]
"""From people's shares `[N, K]` to values `[M]`: one score per row, say, or one number (M = 1)."""


class ShareIntervals(NamedTuple):
    """Ends of one interval per value `[M]`, in the value's unit, and the level of all (0.95 for 95 %)."""

    low: Floats
    high: Floats
    level: float


class NoiseFloor(NamedTuple):
    """Distance between two samples of the same people, per row `[N]`.

    Attributes:
        mean: what a perfect model scores on average; a model below it fits the sample, not the people.
        high: what a perfect model stays under in `level` of the samples.
        level: of `high`.
    """

    mean: Floats
    high: Floats
    level: float


def effective_n(weights: npt.ArrayLike) -> float:
    """Kish's effective number of respondents: (sum w)^2 / sum w^2 of weights `[N]`, from 1 to how many are above 0.

    It does not change when all weights are multiplied by a number. Source: Kish 1965.

    Raises:
        CalmError: S30 for a weight below 0, or none above it.
    """
    w = _as_weights(weights)
    w = w / w.max()
    return float(w.sum() ** 2 / (w**2).sum())


def weighted_shares(codes: npt.ArrayLike, weights: npt.ArrayLike, n_options: int) -> Floats:
    """People's shares `[K]`: the weight behind each option over all weight.

    Args:
        codes: option per respondent `[N]`, 0 to K - 1. Codes of missing answers are no options: leave those people
            out, and report how many they are.
        weights: population weight per respondent `[N]`.
        n_options: K.

    Raises:
        CalmError: S05 for a code that is no option (a negative missing code, say), S30 for a bad weight.
    """
    options, w = _microdata(codes, weights, n_options)
    shares: Floats = np.bincount(options, weights=w, minlength=n_options) / w.sum()
    return shares


def bootstrap_weighted_shares(
    codes: npt.ArrayLike, weights: npt.ArrayLike, n_options: int, *, draws: int = 1000, seed: int
) -> Floats:
    """Shares `[draws, K]` of respondents drawn anew with replacement, each bringing their weight.

    A draw of people who all weigh 0 is `nan`. Source: Efron & Tibshirani 1993.

    Args:
        codes: option per respondent `[N]`, as for `weighted_shares`.
        weights: population weight per respondent `[N]`.
        n_options: K.
        draws: replicates.
        seed: of the draws, from 0.

    Raises:
        CalmError: S32 for fewer than two respondents, and those of `weighted_shares`.
    """
    options, w = _microdata(codes, weights, n_options)
    if len(options) < 2:
        raise CalmError(
            "S32",
            "resampling needs at least two respondents.",
            field="codes",
            value=len(options),
            fix="leave the cell out, or join it with another.",
        )
    generator = seeded_generator(draws, seed, "draws")
    totals = np.empty((draws, n_options))
    for i in range(draws):
        drawn = generator.integers(len(options), size=len(options))
        totals[i] = np.bincount(options[drawn], weights=w[drawn], minlength=n_options)
    sums = totals.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(totals, sums, out=np.full_like(totals, np.nan), where=sums > 0)
    return shares


def resample_shares(shares: npt.ArrayLike, n_effective: float | None, *, draws: int = 1000, seed: int) -> Floats:
    """Published shares `[K]` drawn anew `[draws, K]` as a multinomial of `n_effective` people.

    Args:
        shares: of one item `[K]`.
        n_effective: number of respondents, less the loss from weights (`effective_n`); rounded to a whole number.
        draws: replicates.
        seed: of the draws, from 0.

    Raises:
        CalmError: S31 for an unknown number.
    """
    rows = option_shares(np.asarray(shares)[None], "shares")
    people = _as_numbers(n_effective, rows)
    return _redraw(np.repeat(rows, draws, axis=0), np.repeat(people, draws), seeded_generator(draws, seed, "draws"))


def respondent_interval(
    statistic: ShareStatistic,
    shares: npt.ArrayLike,
    n_effective: npt.ArrayLike | None,
    *,
    n: int = 1000,
    seed: int,
    level: float = 0.95,
) -> ShareIntervals:
    """Percentile intervals of a statistic over new draws of the people behind every row.

    A distance from noisy shares is larger than from the people themselves, so for a model close to people the whole
    interval may lie above the score: read it beside `noise_floor_rows`.

    Args:
        statistic: from shares `[N, K]` to values `[M]` or one number.
        shares: people's shares `[N, K]`.
        n_effective: effective number of respondents, one for all or one per row.
        n: replicates.
        seed: of the draws, from 0.
        level: between 0 and 1.

    Raises:
        CalmError: S31 for an unknown number, S13 when a value is undefined in over 10 % of the replicates.
    """
    rows = option_shares(shares, "shares")
    people, generator = _as_numbers(n_effective, rows), seeded_generator(n, seed, "draws")
    replicates = np.stack([np.atleast_1d(statistic(_redraw(rows, people, generator))) for _ in range(n)])
    ends = [percentile_interval(values, level) for values in replicates.T]
    return ShareIntervals(np.array([one.low for one in ends]), np.array([one.high for one in ends]), level)


def noise_floor_rows(
    shares: npt.ArrayLike,
    n_effective: npt.ArrayLike | None,
    distance: RowDistance,
    *,
    n_other: npt.ArrayLike | None = None,
    n: int = 200,
    seed: int,
    level: float = 0.95,
) -> NoiseFloor:
    """Distance between two independent samples of the same people: no model can be expected to come closer.

    The published shares stand for the people, which is right up to their own error (our choice).

    Args:
        shares: people's shares `[N, K]`.
        n_effective: effective number of respondents, one for all or one per row.
        distance: from two arrays of shares to a distance per row.
        n_other: answers in the second sample (a model that was asked so often), `inf` for a model read out exactly;
            None for as many as the first.
        n: pairs of samples.
        seed: of the draws, from 0.
        level: between 0 and 1.

    Raises:
        CalmError: S31 for an unknown number.
    """
    require(0 < level < 1, "level", level, "a number between 0 and 1")
    rows = option_shares(shares, "shares")
    first = _as_numbers(n_effective, rows)
    second = first if n_other is None else _as_numbers(n_other, rows)
    generator = seeded_generator(n, seed, "draws")
    apart = np.stack([distance(_redraw(rows, first, generator), _redraw(rows, second, generator)) for _ in range(n)])
    return NoiseFloor(apart.mean(axis=0), np.quantile(apart, level, axis=0), level)


def _redraw(rows: Floats, people: Floats, generator: np.random.Generator) -> Floats:
    """Shares `[N, K]` of new people; rows of infinitely many stay as they are."""
    known = np.isfinite(people)
    whole = np.where(known, people, 1).astype(np.int64)
    drawn = generator.multinomial(whole, rows) / whole[:, None]
    return np.where(known[:, None], drawn, rows)


def _as_numbers(n_effective: npt.ArrayLike | None, rows: Floats) -> Floats:
    given = np.asarray(n_effective)
    numbers = given.astype(np.float64) if given.dtype.kind in "iuf" else np.full(given.shape, np.nan)
    if numbers.ndim == 0:
        numbers = np.full(len(rows), float(numbers))
    require_same("n_effective", numbers.shape, "the rows of shares", rows.shape[:1])
    numbers = np.round(numbers)
    if not (numbers >= 1).all():
        row = int(np.argmin(numbers >= 1))
        raise CalmError(
            "S31",
            "the number of respondents is not known, so these shares have no sampling error that could be stated.",
            row=row + 1,
            field="n_effective",
            value=None if np.isnan(numbers[row]) else float(numbers[row]),
            fix="give the survey's number of respondents for the item, or report the score without an interval.",
        )
    return numbers


def _microdata(codes: npt.ArrayLike, weights: npt.ArrayLike, n_options: int) -> tuple[Ints, Floats]:
    require(n_options >= 2, "n_options", n_options, "a whole number from 2")
    options, w = as_labels(codes, "codes", n_options), _as_weights(weights)
    require_same("weights", w.shape, "codes", options.shape)
    return options, w


def _as_weights(weights: npt.ArrayLike) -> Floats:
    w = as_floats(weights, "weights")
    if (w < 0).any() or not w.any():
        row = int(np.argmin(w))
        raise CalmError(
            "S30",
            "a weight is below 0, or all are 0.",
            row=row + 1,
            field="weights",
            value=float(w[row]),
            fix="give the survey's population weights, or 1 for everybody where it has none.",
        )
    return w
