"""Whether cultures stay apart and stay many-voiced in a model: collapse between cultures, and within one.

A model can be close to every culture on average and still give all of them one answer, or give each culture the
answer of one person. No value here is a verdict: thresholds are set where a run is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Bools, Floats, as_floats, as_fractions, require, require_same, seeded_generator
from calm_lm.stats.distances import shannon_distance
from calm_lm.stats.shares import option_cells, option_shares


class CDist(NamedTuple):
    """C-Dist and the scores it hides, in the unit of the scores.

    Attributes:
        c_dist: 0 to 1, 1 where every adapter does best at home; `nan` where an adapter scores 0 everywhere.
        mean_home: mean score of adapters on their own culture.
        worst_home: the least of these.
        mean_away: mean score of adapters on the other cultures.
    """

    c_dist: float
    mean_home: float
    worst_home: float
    mean_away: float


class Inequity(NamedTuple):
    """How unequally groups are served.

    Attributes:
        mean: mean over dimensions of the standard deviation of their groups' scores, 0 to 0.5; lower is better.
        largest: that of the most unequal dimension.
        worst_score: score of the group served worst.
    """

    mean: float
    largest: float
    worst_score: float


class DistinctPairs(NamedTuple):
    """How far apart the model holds cultures, beside how far apart people are.

    Attributes:
        ratio: mean distance of two cultures in the model over that in people, from 0 (all cultures alike); 1 is as
            far apart as people; above 1 overdraws; `nan` where people do not differ.
        model_mean: mean Jensen-Shannon distance over pairs of cultures in the model, 0 to 1.
        people_mean: the same in people.
        spearman: rank correlation of the two sets of distances, -1 to 1, higher is better: are those near each other
            in people near each other in the model? `nan` where all distances of one side are equal.
        kendall: the same as Kendall's tau-b.
        p: one-sided permutation p of `spearman` being 0 or less; `nan` where that is.
        pairs: of cultures.
    """

    ratio: float
    model_mean: float
    people_mean: float
    spearman: float
    kendall: float
    p: float
    pairs: int


def c_dist(matrix: npt.ArrayLike) -> CDist:
    """Mean over i of M[i, i] / max over j of M[i, j]; higher is more distinct, which alone is not better.

    An adapter that is bad everywhere and least bad at home has 1, and an easy test set draws the maximum of every
    row: hence the absolute scores beside it. Source: C-Dist of "From Surveys to Narratives", 2025.

    Args:
        matrix: score of the adapter of culture i (row) on the test set of culture j (column) `[C, C]`, from 0,
            higher is better.

    Raises:
        CalmError: S26 for a matrix that is not square, has one culture, or holds a score below 0.
    """
    scores = as_floats(matrix, "matrix", ndim=2)
    n = len(scores)
    if scores.shape != (n, n) or n < 2 or (scores < 0).any():
        raise CalmError(
            "S26",
            "is not a square of scores from 0, with two cultures or more.",
            field="matrix",
            value=scores.shape if scores.shape != (n, n) or n < 2 else float(scores.min()),
            fix="give one row per adapter and one column per test set, in one order of cultures.",
        )
    home, best = np.diag(scores), scores.max(axis=1)
    relative = np.divide(home, best, out=np.full(n, np.nan), where=best > 0)
    away = (scores.sum() - home.sum()) / (n * (n - 1))
    return CDist(float(relative.mean()), float(home.mean()), float(home.min()), float(away))


def inequity(scores: Mapping[str, Sequence[float]]) -> Inequity:
    """Mean over dimensions of the standard deviation of their groups' scores, and the worst beside it.

    The deviation divides by the number of groups (our choice: they are all the groups, not a sample of them).
    Source: the inequity index of CuMA, 2026.

    Args:
        scores: by dimension (sex, age, ...) one score per group, 0 to 1, higher is better.

    Raises:
        CalmError: S27 for no dimension or one with fewer than two groups.
    """
    by_dimension = {name: as_fractions(groups, name) for name, groups in scores.items()}
    thin = [name for name, groups in by_dimension.items() if len(groups) < 2]
    if thin or not by_dimension:
        raise CalmError(
            "S27",
            "inequity needs dimensions with at least two groups each.",
            field="scores",
            value=thin[0] if thin else "no dimension",
            fix="leave out the dimension, or split it into groups.",
        )
    deviations = [float(groups.std()) for groups in by_dimension.values()]
    worst = min(float(groups.min()) for groups in by_dimension.values())
    return Inequity(float(np.mean(deviations)), max(deviations), worst)


def gini_simpson_rows(shares: npt.ArrayLike) -> Floats:
    """The chance that two people of a row's shares `[N, K]` differ: 1 - sum of squares, 0 to 1 - 1 / K, `[N]`.

    The spread of a nominal item, as `spread_rows` is that of an ordinal one. Source: Gini 1912; Simpson 1949.
    """
    rows = option_shares(shares, "shares")
    chance: Floats = np.clip(1 - (rows**2).sum(axis=1), 0.0, 1.0)
    return chance


def diversity_ratio(model_spread: npt.ArrayLike, human_spread: npt.ArrayLike) -> Floats:
    """The model's spread over people's per item `[N]`: 1 is alike, below 1 the group lost voices (variance collapse).

    From 0, without an upper end; `nan` where people do not differ. Average it as a median, or divide mean spreads:
    items on which people almost agree make the mean of ratios explode.

    Args:
        model_spread: `spread_rows` (ordinal) or `gini_simpson_rows` (nominal) of the model `[N]`.
        human_spread: the same measure of people.

    Raises:
        CalmError: S33 for a spread below 0.
    """
    model, people = as_floats(model_spread, "model_spread"), as_floats(human_spread, "human_spread")
    require_same("human_spread", people.shape, "model_spread", model.shape)
    for field, spread in (("model_spread", model), ("human_spread", people)):
        if (spread < 0).any():
            raise CalmError(
                "S33",
                "a spread is below 0.",
                row=int(np.argmin(spread)) + 1,
                field=field,
                value=float(spread.min()),
                fix="give standard deviations or Gini-Simpson values.",
            )
    return np.divide(model, people, out=np.full_like(model, np.nan), where=people > 0)


def distinct_pairs(model: npt.ArrayLike, people: npt.ArrayLike, *, n: int = 999, seed: int) -> DistinctPairs:
    """Compare the distances between cultures in the model with those in people (a Mantel test).

    The distance of two cultures is the mean Jensen-Shannon distance over the items that both have on both sides. In
    each permutation the culture names of the model are shuffled, so pairs that share a culture stay together; p is
    never below 1 / (n + 1), nor much below 1 / C!. Sampling error pushes both means up. Source: Mantel 1967 for the
    test; the ratio is our choice.

    Args:
        model: shares per culture and item `[C, I, K]`; items with fewer options are filled up with zeros, and an item
            that a culture lacks is all `nan`.
        people: the same cultures, items and options.
        n: permutations.
        seed: of the permutations, from 0.

    Raises:
        CalmError: S28 when two cultures share no item, S29 for another shape, S01 for fewer than two cultures.
    """
    from scipy.stats import kendalltau, rankdata

    generator = seeded_generator(n, seed)
    told, told_in = option_cells(model, "model", "C, I, K")
    lived, lived_in = option_cells(people, "people", "C, I, K")
    require_same("people", lived.shape, "model", told.shape)
    require(len(told) >= 2, "cultures", len(told), "two or more cultures")
    apart = [_culture_distances(shares, told_in & lived_in) for shares in (told, lived)]
    upper = np.triu_indices(len(apart[0]), 1)
    of_model, of_people = (matrix[upper] for matrix in apart)
    means = float(of_model.mean()), float(of_people.mean())
    ranks = [_standardised(rankdata(values)) for values in (of_model, of_people)]
    spearman = float(ranks[0] @ ranks[1])
    square = np.zeros_like(apart[0])
    square[upper] = ranks[0]
    square += square.T
    orders = (generator.permutation(len(square)) for _ in range(n))
    reached = sum(int(square[np.ix_(order, order)][upper] @ ranks[1] >= spearman - 1e-12) for order in orders)
    return DistinctPairs(
        ratio=means[0] / means[1] if means[1] > 0 else float("nan"),
        model_mean=means[0],
        people_mean=means[1],
        spearman=spearman,
        kendall=float(kendalltau(of_model, of_people).statistic),
        p=float("nan") if np.isnan(spearman) else (reached + 1) / (n + 1),
        pairs=len(of_model),
    )


def _culture_distances(shares: Floats, has: Bools) -> Floats:
    """Mean Jensen-Shannon distance `[C, C]` over the items both cultures have."""
    matrix = np.zeros((len(shares), len(shares)))
    for a, b in combinations(range(len(shares)), 2):
        both = has[a] & has[b]
        if not both.any():
            raise CalmError(
                "S28",
                "two cultures share no item, so nothing says how far apart they are.",
                field="cultures",
                value=(a + 1, b + 1),
                fix="leave out one of them; the value shown counts cultures from 1.",
            )
        matrix[a, b] = matrix[b, a] = shannon_distance(shares[a, both], shares[b, both]).mean()
    return matrix


def _standardised(values: Floats) -> Floats:
    """Values with mean 0 and length 1, so that a product of two is their correlation; `nan` where all are equal."""
    centred = values - values.mean()
    length = np.sqrt((centred**2).sum())
    return centred / length if length > 0 else np.full_like(centred, np.nan)
