"""A point on the Inglehart-Welzel map from ten answers, with parameters that the user brings.

The map's axes are survival against self-expression (x) and traditional against secular values (y). The projection is
z = (answer - centre) / scale, s = z @ weights, x = rc1[0] s[se] + rc1[1], y = rc2[0] s[sec] + rc2[1]: linear, so a
group's point is the projection of its means, and nothing needs to be sampled. Items are coded as in the integrated
values surveys. After Inglehart & Welzel 2005 and Tao and others, PNAS Nexus 2024.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Floats, as_floats, require
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.indices import PointDistances, point_distances
from calm_lm.survey.item import SurveyItem

# lowest and highest valid code; what lies outside is a missing code or another questionnaire's coding
RANGES: Mapping[str, tuple[int, int]] = {
    "A008": (1, 4),  # feeling of happiness
    "A165": (1, 2),  # most people can be trusted
    "E018": (1, 3),  # greater respect for authority
    "E025": (1, 3),  # signing a petition
    "F063": (1, 10),  # importance of God
    "F118": (1, 10),  # justifiable: homosexuality
    "F120": (1, 10),  # justifiable: abortion
    "G006": (1, 4),  # proud of nationality
    "Y002": (1, 3),  # post-materialism, from two picks
    "Y003": (-2, 2),  # autonomy, from qualities of children
}
ITEMS = tuple(RANGES)
_MATERIALIST, _POSTMATERIALIST = frozenset({1, 3}), frozenset({2, 4})


class MapPoint(NamedTuple):
    """x: survival (low) to self-expression; y: traditional (low) to secular; in the unit of the published map."""

    x: float
    y: float


class Ellipse(NamedTuple):
    """Half axes in the map's unit, and the angle of the longer one to the x axis, from -pi/2 (exclusive) to pi/2."""

    major: float
    minor: float
    angle: float


class MapEstimate(NamedTuple):
    """Where a group lies.

    Attributes:
        point: projection of the mean answers.
        spread: covariance of single respondents on the map `[2, 2]`; None from means alone.
        error: covariance of the point `[2, 2]`; None where the number of respondents is not known.
        n: smallest number of valid answers to an item; None where any is unknown.
    """

    point: MapPoint
    spread: Floats | None = None
    error: Floats | None = None
    n: int | None = None


@dataclass(frozen=True)
class Projection:
    """From ten answers to the map.

    Attributes:
        center: mean of each item, in the order of `ITEMS` `[10]`.
        scale: standard deviation of each, above 0 `[10]`.
        weights: of the standardised items in two components `[10, 2]`.
        rc1: factor and offset of x.
        rc2: factor and offset of y.
        se: which component gives x, counted from 1 as published.
        sec: which gives y, likewise; the other one.

    Raises:
        CalmError: V70 for parameters of another shape or range, V76 for components other than 1 and 2.
    """

    center: Sequence[float]
    scale: Sequence[float]
    weights: Sequence[Sequence[float]]
    rc1: Sequence[float]
    rc2: Sequence[float]
    se: int = 1
    sec: int = 2

    def __post_init__(self) -> None:
        for name, shape in {"center": (10,), "scale": (10,), "weights": (10, 2), "rc1": (2,), "rc2": (2,)}.items():
            try:
                given = np.asarray(getattr(self, name), dtype=np.float64)
            except (TypeError, ValueError):
                given = np.empty(0)
            if given.shape != shape or not np.isfinite(given).all() or (name == "scale" and (given <= 0).any()):
                raise CalmError(
                    "V70", f"is not {' x '.join(map(str, shape))} finite numbers{', above 0' * (name == 'scale')}.",
                    field=name, value=getattr(self, name), fix="take the parameters as published, one for each item.",
                )  # fmt: skip
        if {self.se, self.sec} != {1, 2} or isinstance(self.se, bool) or isinstance(self.sec, bool):
            raise CalmError(
                "V76", "must be 1 and 2, or 2 and 1.", field="se, sec", value=(self.se, self.sec),
                fix="say which component gives x and which y, counted from 1.",
            )  # fmt: skip

    @property
    def linear(self) -> tuple[Floats, Floats]:
        """The projection as `matrix [2, 10] @ answers + offset [2]`."""
        z = np.asarray(self.weights, dtype=np.float64).T / np.asarray(self.scale, dtype=np.float64)
        matrix = np.stack([self.rc1[0] * z[self.se - 1], self.rc2[0] * z[self.sec - 1]])
        offset = np.array([self.rc1[1], self.rc2[1]]) - matrix @ np.asarray(self.center, dtype=np.float64)
        return matrix, offset


def project_means(projection: Projection, means: Mapping[str, float]) -> MapPoint:
    """The point of ten answers or mean answers.

    Args:
        projection: the parameters.
        means: by item of `ITEMS`, in the range of its codes; all ten, and no other.

    Raises:
        CalmError: V71 for an item too many or too few, V72 for a value outside its range.
    """
    _check_items(means)
    for item, value in means.items():
        _check_value(item, value)
    matrix, offset = projection.linear
    return _point(matrix @ np.array([means[item] for item in ITEMS]) + offset)


def project_answers(
    projection: Projection, answers: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> MapEstimate:
    """A group's point from its respondents' complete answers, with how they go together.

    Args:
        projection: the parameters.
        answers: one row a respondent, columns in the order of `ITEMS` `[N, 10]`, N from 2.
        weights: of each respondent, above 0 `[N]`; the error then rests on Kish's effective number.

    Raises:
        CalmError: V77 for other than ten columns, V72 for a code outside its range, S01 for weights not above 0.
    """
    rows = as_floats(answers, "answers", ndim=2)
    if rows.shape[1] != len(ITEMS):
        raise CalmError("V77", "ten answers are needed.", field="answers", value=rows.shape, fix=", ".join(ITEMS))
    for at, row in enumerate(rows, start=1):
        for item, value in zip(ITEMS, row, strict=True):
            _check_value(item, float(value), row=at)
    mass = np.ones(len(rows)) if weights is None else as_floats(weights, "weights")
    require(mass.shape == (len(rows),) and bool((mass > 0).all()), "weights", mass, "one number above 0 a respondent")
    matrix, offset = projection.linear
    placed = rows @ matrix.T + offset
    mass = mass / mass.sum()
    off = placed - mass @ placed
    effective = 1 / float((mass**2).sum())
    if effective <= 1:
        return MapEstimate(_point(placed[0]), n=len(rows))
    spread = (off.T * mass) @ off * effective / (effective - 1)
    return MapEstimate(_point(mass @ placed), spread, spread / effective, len(rows))


def project_distributions(
    projection: Projection, distributions: Iterable[ResponseDistribution], items: Mapping[str, SurveyItem]
) -> MapEstimate:
    """A group's point from its shares of answers to each item.

    Shares alone do not tell how answers to two items go together, so they count as independent here; where
    respondents' rows are at hand, `project_answers` is exact.

    Args:
        projection: the parameters.
        distributions: one for each of the ten items, of one cell.
        items: by id; the codes of their options are the values.

    Raises:
        CalmError: V71 for an item too many or too few, V72 for a code outside its range, V73 for an item that stands
            twice or answers of another cell or wave, V75 for a code that is no number, V78 for an unknown item.
    """
    found: dict[str, ResponseDistribution] = {}
    first: ResponseDistribution | None = None
    for each in distributions:
        first = first or each
        if each.item in found or (each.cell, each.wave) != (first.cell, first.wave):
            raise CalmError(
                "V73", "the item stands twice, or answers of several groups are mixed.",
                field=f"{each.item}, {each.cell.name}", value=each.wave, fix="give one group's answers of one wave.",
            )  # fmt: skip
        found[each.item] = each
    _check_items(found)
    values = {item: _values(item, each, items) for item, each in found.items()}
    mean = np.array([found[item].array @ values[item] for item in ITEMS])
    variance = np.array([found[item].array @ (values[item] - mean[at]) ** 2 for at, item in enumerate(ITEMS)])
    matrix, offset = projection.linear
    effective = [found[item].n_effective for item in ITEMS]
    counts = [found[item].n for item in ITEMS]
    known = [each for each in effective if each is not None and each > 1]
    error = (matrix * (variance / (np.array(known) - 1))) @ matrix.T if len(known) == len(ITEMS) else None
    valid = [each for each in counts if each is not None]
    return MapEstimate(
        _point(matrix @ mean + offset),
        (matrix * variance) @ matrix.T,
        error,
        min(valid) if len(valid) == len(ITEMS) else None,
    )


def ellipse(covariance: npt.ArrayLike, *, level: float = 0.95) -> Ellipse:
    """The ellipse of a two-dimensional normal that holds `level` of it; for `error` a confidence region.

    Half axes are sqrt(-2 log(1 - level)) times the standard deviations along them (2 degrees of freedom).

    Args:
        covariance: symmetric `[2, 2]`.
        level: between 0 and 1.
    """
    require(0 < level < 1, "level", level, "a number between 0 and 1")
    values, vectors = np.linalg.eigh(as_floats(covariance, "covariance", ndim=2))
    minor, major = np.sqrt(np.maximum(values, 0.0) * -2 * math.log1p(-level))
    x, y = vectors[:, 1]
    angle = math.atan2(float(y), float(x))
    turned = angle - math.pi if angle > math.pi / 2 else angle + math.pi if angle <= -math.pi / 2 else angle
    return Ellipse(float(major), float(minor), turned)


def map_distance(points: Mapping[str, MapPoint], people: Mapping[str, MapPoint]) -> PointDistances:
    """Euclidean distance of each country's point to people's, in the map's unit; countries of one side are named.

    Raises:
        CalmError: V65 for no country in common, V67 for a coordinate that is not finite.
    """
    ours, theirs = ({country: place._asdict() for country, place in side.items()} for side in (points, people))
    return point_distances(ours, theirs)


def post_materialism(first: int | None, second: int | None) -> int | None:
    """Y002 from the two aims that a respondent picks: 1 materialist, 2 mixed, 3 postmaterialist.

    Aims are 1 order in the nation, 2 more say for people, 3 fighting rising prices, 4 freedom of speech. Materialist
    is who picks 1 and 3, postmaterialist who picks 2 and 4, in either order. Source: the four-item index of the World
    Values Survey.

    Returns:
        None where a pick is missing (None).

    Raises:
        CalmError: V74 for a pick that is no aim, or the same aim twice.
    """
    for pick in (first, second):
        if pick is not None and (pick not in (1, 2, 3, 4) or first == second):
            raise CalmError(
                "V74", "is no aim, or was picked twice.", field="Y002", value=pick,
                fix="give two of 1 to 4, and None for a missing answer; the same aim twice is a missing answer.",
            )  # fmt: skip
    if first is None or second is None:
        return None
    picked = {first, second}
    return 1 if picked == _MATERIALIST else 3 if picked == _POSTMATERIALIST else 2


def autonomy(
    *, independence: bool | None, determination: bool | None, religious_faith: bool | None, obedience: bool | None
) -> int | None:
    """Y003 from which qualities a respondent finds especially important in children: -2 (obedience, faith) to 2.

    Independence and determination count up, religious faith and obedience down. Source: the World Values Survey's
    autonomy index, (A029 + A039) - (A040 + A042).

    Returns:
        None where one of the four is not known (None), as the survey does.
    """
    if independence is None or determination is None or religious_faith is None or obedience is None:
        return None
    return int(independence) + int(determination) - int(religious_faith) - int(obedience)


def _point(xy: Floats) -> MapPoint:
    return MapPoint(float(xy[0]), float(xy[1]))


def _check_items(given: Mapping[str, Any]) -> None:
    wrong = sorted(set(given) ^ set(ITEMS))
    if wrong:
        raise CalmError(
            "V71", "is missing." if wrong[0] in ITEMS else "is no item of the map.", field="item", value=wrong[0],
            fix=f"the map needs all of {', '.join(ITEMS)}; a point without one of them does not exist.",
        )  # fmt: skip


def _check_value(item: str, value: float, *, row: int | None = None) -> None:
    low, high = RANGES[item]
    if not (math.isfinite(value) and low <= value <= high):
        raise CalmError(
            "V72", f"lies outside {low} to {high}.", row=row, field=item, value=value,
            fix="leave missing codes out, and code the item as the integrated values surveys do.",
        )  # fmt: skip


def _values(item: str, each: ResponseDistribution, items: Mapping[str, SurveyItem]) -> Floats:
    known = items.get(each.item)
    if known is None or len(known.codes) != len(each.shares):
        raise CalmError(
            "V78", "the item's options are not known.", field="items", value=each.item, fix="give the instrument's."
        )
    for code in known.codes:
        try:
            value = float(code)
        except ValueError:
            raise CalmError(
                "V75", "the code of an option is no number.", field=item, value=code, fix="use the survey's codes."
            ) from None
        _check_value(item, value)
    return np.array([float(code) for code in known.codes])
