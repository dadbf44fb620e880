"""What compares points with points: a model's index scores of countries with people's, dimension by dimension.

`Points` hold a value per culture and dimension, None where there is none; it is never read as zero. Whatever is
missing on one side is named in the result, and every number stands beside how many countries it rests on. Countries
are few and not a random draw, so no p-values are given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Bools, Floats

Points = Mapping[str, Mapping[str, float | None]]
"""Value of each dimension by culture id; None or absent where it is not known."""

FEWEST = 3  # countries under a rank correlation: of two, it is always -1 or 1


class Shared(NamedTuple):
    """What two sets of points have in common, and what only one of them has.

    Attributes:
        countries: in both, sorted.
        dimensions: known for a country of both sets, in the order of the first set.
        only_model: countries that people's points lack.
        only_people: countries that the model's points lack.
        left_out: dimensions that only one of the sets knows, sorted.
    """

    countries: tuple[str, ...]
    dimensions: tuple[str, ...]
    only_model: tuple[str, ...]
    only_people: tuple[str, ...]
    left_out: tuple[str, ...]


class PointDistance(NamedTuple):
    """How far a country's point in the model lies from people's.

    Attributes:
        raw: Euclidean over the dimensions known in both, in their unit; None where there is none.
        dimensions: how many dimensions that are.
        centred: the same after each side's mean over the countries is taken away; None where nothing can be centred.
        centred_dimensions: how many dimensions that are: those known of two countries or more.
    """

    raw: float | None
    dimensions: int
    centred: float | None
    centred_dimensions: int


class PointDistances(NamedTuple):
    """`PointDistance` by country, and what was compared."""

    by_country: Mapping[str, PointDistance]
    shared: Shared


class DimensionAgreement(NamedTuple):
    """How a dimension's values go together over countries.

    Attributes:
        n: countries with both values.
        mean_difference: model minus people, in the dimension's unit.
        spearman: rank correlation from -1 to 1; None under three countries or where one side is constant.
        kendall: tau-b, likewise.
    """

    n: int
    mean_difference: float | None
    spearman: float | None
    kendall: float | None


class Arrangement(NamedTuple):
    """Whether countries that are far apart among people are far apart in the model.

    Attributes:
        kendall: tau-b between the two lists of pairwise distances; None under three countries or where one is constant.
        countries: those with a value on every shared dimension in both.
        pairs: of these countries.
    """

    kendall: float | None
    countries: tuple[str, ...]
    pairs: int


@dataclass(frozen=True)
class IndexTable:
    """A model's scores beside people's.

    Attributes:
        differences: model minus people by country and dimension; None where one is not known.
        dimensions: agreement over countries, by dimension.
        arrangement: of the countries among themselves.
        shared: what was compared and what was not.
    """

    differences: Mapping[str, Mapping[str, float | None]]
    dimensions: Mapping[str, DimensionAgreement]
    arrangement: Arrangement
    shared: Shared


def index_table(model: Points, people: Points) -> IndexTable:
    """Compare two sets of points.

    The arrangement takes Euclidean distances in the dimensions' own units: give dimensions that share one, or divide
    each by its spread before (our choice: rescaling here would make noise on a flat dimension weigh like a signal).
    After Bhatt & Diaz 2024, who correlate distances between countries by Kendall's tau.

    Args:
        model: the model's scores.
        people: the published ones.

    Raises:
        CalmError: V65 for no country in common, V66 for no dimension in common, V67 for a value that is not finite.
    """
    shared = _share(model, people)
    ours, theirs = _arrays(model, people, shared)
    gaps = ours - theirs
    return IndexTable(
        differences={
            country: {name: _known(gaps[i, j]) for j, name in enumerate(shared.dimensions)}
            for i, country in enumerate(shared.countries)
        },
        dimensions={name: _agree(ours[:, j], theirs[:, j]) for j, name in enumerate(shared.dimensions)},
        arrangement=_arrange(ours, theirs, shared.countries),
        shared=shared,
    )


def point_distances(model: Points, people: Points) -> PointDistances:
    """How far each country of the model lies from people's, with and without where the whole lies.

    The centred distance takes from each dimension its mean over the countries known in both, on either side: for
    scores whose zero is arbitrary only what lies between countries has a meaning. It depends on which countries are
    compared (our choice).

    Raises:
        CalmError: as in `index_table`.
    """
    shared = _share(model, people)
    ours, theirs = _arrays(model, people, shared)
    gaps = ours - theirs
    counts = (~np.isnan(gaps)).sum(axis=0)
    means = np.nansum(gaps, axis=0) / np.maximum(counts, 1)
    centred = np.where(counts >= 2, gaps - means, np.nan)
    by_country = {
        country: PointDistance(*_length(gaps[i]), *_length(centred[i])) for i, country in enumerate(shared.countries)
    }
    return PointDistances(by_country, shared)


def _share(model: Points, people: Points) -> Shared:
    for side, points in (("model", model), ("people", people)):
        for country, values in points.items():
            for name, value in values.items():
                if value is not None and not math.isfinite(value):
                    raise CalmError(
                        "V67", "is not a finite number.", field=f"{side}, {country}, {name}", value=value,
                        fix="leave out what is not known (None); look for a diverged model.",
                    )  # fmt: skip
    countries = tuple(sorted(set(model) & set(people)))
    if not countries:
        raise CalmError(
            "V65", "the model's points and people's have no country in common.", field="countries",
            value=sorted(people), fix=f"the model's are {', '.join(sorted(model)) or 'none'}; use one kind of ids.",
        )  # fmt: skip
    ours, theirs = _named(model), _named(people)
    both = tuple(name for name in ours if name in theirs)
    dimensions = tuple(
        name
        for name in both
        if any(model[each].get(name) is not None and people[each].get(name) is not None for each in countries)
    )
    if not dimensions:
        raise CalmError(
            "V66", "no dimension is known of a country on both sides.", field="dimensions", value=list(theirs),
            fix=f"the model's are {', '.join(ours) or 'none'}; give them the same names.",
        )  # fmt: skip
    return Shared(
        countries,
        dimensions,
        only_model=tuple(sorted(set(model) - set(people))),
        only_people=tuple(sorted(set(people) - set(model))),
        left_out=tuple(sorted({*ours, *theirs} - set(dimensions))),
    )


def _named(points: Points) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for values in points.values() for name in values))


def _arrays(model: Points, people: Points, shared: Shared) -> tuple[Floats, Floats]:
    """Both as `[countries, dimensions]`, `nan` where either is not known."""
    ours, theirs = (
        np.array([[_filled(points[each].get(name)) for name in shared.dimensions] for each in shared.countries])
        for points in (model, people)
    )
    unknown = np.isnan(ours) | np.isnan(theirs)
    ours[unknown] = theirs[unknown] = np.nan
    return ours, theirs


def _filled(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _length(gaps: Floats) -> tuple[float | None, int]:
    known = gaps[~np.isnan(gaps)]
    return (float(np.linalg.norm(known)) if len(known) else None), len(known)


def _agree(ours: Floats, theirs: Floats) -> DimensionAgreement:
    both = ~np.isnan(ours)
    x, y = ours[both], theirs[both]
    mean = float((x - y).mean()) if len(x) else None
    if len(x) < FEWEST or _constant(x) or _constant(y):
        return DimensionAgreement(len(x), mean, None, None)
    from scipy import stats

    return DimensionAgreement(len(x), mean, float(stats.spearmanr(x, y).statistic), _kendall(x, y))


def _arrange(ours: Floats, theirs: Floats, countries: Sequence[str]) -> Arrangement:
    whole: Bools = np.asarray(~np.isnan(ours).any(axis=1))
    kept = tuple(country for country, complete in zip(countries, whole, strict=True) if complete)
    x, y = _pairwise(ours[whole]), _pairwise(theirs[whole])
    tau = None if len(kept) < FEWEST or _constant(x) or _constant(y) else _kendall(x, y)
    return Arrangement(tau, kept, len(x))


def _pairwise(rows: Floats) -> Floats:
    return np.array([np.linalg.norm(rows[i] - rows[j]) for i, j in combinations(range(len(rows)), 2)])


def _constant(values: Floats) -> bool:
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max(initial=0.0))


def _kendall(x: Floats, y: Floats) -> float:
    from scipy import stats

    return float(stats.kendalltau(x, y).statistic)
