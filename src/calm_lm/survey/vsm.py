"""Six scores of national culture by the formulas of the Values Survey Module 2013, from answers to 24 items.

The formulas are those of section 6 of the manual (Hofstede & Minkov 2013): each score is a weighted sum of differences
of mean answers on 1..5, plus a constant that its users choose. The manual makes three reservations, which hold for
models too: scores compare matched samples of two or more countries, never single persons; a sample below 20
respondents is too small and 50 is better; and scores of one's own are not comparable to the published ones, because
the samples are not matched. So `vsm_distances` also gives distances after each side's mean is taken away.

Texts of the items are under copyright: the user brings them (`sources/vsm2013.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from calm_lm.errors import CalmError
from calm_lm.survey.cell import Cell
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.indices import PointDistances, Points, point_distances

DIMENSIONS = ("PDI", "IDV", "MAS", "UAI", "LTO", "IVR")
CONTENT_ITEMS = tuple(f"m{number:02d}" for number in range(1, 25))
ABOUT_RESPONDENTS = tuple(f"m{number:02d}" for number in range(25, 31))

# weight, item that adds, item that takes away; "m" as in the manual: the mean answer to the item
FORMULAS: Mapping[str, tuple[tuple[float, str, str], ...]] = {
    "PDI": ((35, "m07", "m02"), (25, "m20", "m23")),
    "IDV": ((35, "m04", "m01"), (35, "m09", "m06")),
    "MAS": ((35, "m05", "m03"), (35, "m08", "m10")),
    "UAI": ((40, "m18", "m15"), (25, "m21", "m24")),
    "LTO": ((40, "m13", "m14"), (25, "m19", "m22")),
    "IVR": ((35, "m12", "m11"), (40, "m17", "m16")),
}
SMALLEST, IDEAL = 20, 50  # respondents in a sample, by the manual
_CODES = np.arange(1.0, 6.0)


@dataclass(frozen=True, slots=True)
class VsmScores:
    """The six scores of one group of respondents.

    Attributes:
        scores: by dimension, most from 0 to 100 once a constant is chosen; None where one of its items is missing.
        standard_errors: of each score; None where the score or the number of respondents is not known. Answers to
            different items count as independent, because shares alone do not tell how they go together.
        constants: what was added to each dimension.
        missing_items: of the 24 items, those without any valid answer, in order.
        missing_shares: share of respondents without a valid answer by item, where it is known; they are in no mean.
        n: smallest number of valid answers to an item that was used; None where any is unknown.
        warnings: why the scores should not be trusted, in sentences.
    """

    scores: Mapping[str, float | None]
    standard_errors: Mapping[str, float | None]
    constants: Mapping[str, float]
    missing_items: tuple[str, ...]
    missing_shares: Mapping[str, float]
    n: int | None
    warnings: tuple[str, ...]


class _Answer(NamedTuple):
    """Mean answer, variance of that mean, respondents with a valid answer, share without one; None is unknown."""

    mean: float
    variance: float | None = None
    n: int | None = None
    missing_share: float | None = None


def vsm_from_means(means: Mapping[str, float], *, constants: Mapping[str, float] | None = None) -> VsmScores:
    """Scores from mean answers; prefer `vsm_from_distributions`, which can tell how certain they are.

    Args:
        means: from 1 to 5 by item (`m01` to `m24`), of valid answers only; an item that is left out is missing.
        constants: added by dimension, 0 where left out; it moves all countries alike and cancels between them.

    Raises:
        CalmError: V60 for an unknown item, V61 for a mean outside 1 to 5, V64 for a constant that is none.
    """
    for item, mean in means.items():
        _check_item(item)
        if not (math.isfinite(mean) and 1 <= mean <= 5):
            raise CalmError(
                "V61", "the mean of answers on 1..5 lies outside 1 to 5.", field=item, value=mean,
                fix="leave missing and refused answers out of the mean, and an item without answers out of the table.",
            )  # fmt: skip
    return _score({item: _Answer(float(mean)) for item, mean in means.items()}, constants)


def vsm_from_distributions(
    distributions: Iterable[ResponseDistribution], *, constants: Mapping[str, float] | None = None
) -> VsmScores:
    """Scores of one group from how it answered.

    Args:
        distributions: one for each item at most, all of one cell and wave, over the options 1 to 5 in this order;
            items about respondents (`m25` to `m30`) are passed over.
        constants: as in `vsm_from_means`.

    Raises:
        CalmError: V60 for an unknown item, V62 for other than five options, V63 for an item that stands twice or
            answers of another cell or wave, V64 for a constant that is none.
    """
    answers: dict[str, _Answer] = {}
    first: ResponseDistribution | None = None
    for each in distributions:
        if each.item in ABOUT_RESPONDENTS:
            continue
        _check_item(each.item)
        first = first or each
        if each.item in answers or (each.cell, each.wave) != (first.cell, first.wave):
            raise CalmError(
                "V63", "the item stands twice, or answers of several groups are mixed.",
                field=f"{each.item}, {each.cell.name}", value=each.wave,
                fix="give each group's answers of one wave alone; `vsm_by_cell` divides a survey.",
            )  # fmt: skip
        answers[each.item] = _answer(each)
    return _score(answers, constants)


def vsm_by_cell(
    distributions: Iterable[ResponseDistribution], *, constants: Mapping[str, float] | None = None
) -> dict[Cell, VsmScores]:
    """`vsm_from_distributions` of each cell, sorted by cell."""
    groups: dict[Cell, list[ResponseDistribution]] = {}
    for each in distributions:
        groups.setdefault(each.cell, []).append(each)
    return {cell: vsm_from_distributions(groups[cell], constants=constants) for cell in sorted(groups)}


def vsm_distances(scores: Mapping[str, VsmScores], published: Points) -> PointDistances:
    """How far each country's scores lie from published ones, over the dimensions that both have.

    Read `centred`: the constant is arbitrary and samples are not matched, so `raw` holds an offset that means nothing.
    That mixed dimensions weigh alike is our choice.

    Args:
        scores: by country id.
        published: by country id and dimension, from the user's copy (`sources/country_tables.py`).

    Raises:
        CalmError: V65 and V66 for nothing in common, V67 for a published value that is not finite.
    """
    return point_distances({country: each.scores for country, each in scores.items()}, published)


def _check_item(item: str) -> None:
    if item not in CONTENT_ITEMS:
        raise CalmError("V60", "is no content item of the VSM 2013.", field="item", value=item, fix="use m01 to m24.")


def _answer(each: ResponseDistribution) -> _Answer:
    if len(each.shares) != len(_CODES):
        raise CalmError(
            "V62", "an item of the VSM 2013 has five options.", field=each.item, value=len(each.shares),
            fix="give the shares of the answers 1 to 5; codes of missing answers are no options.",
        )  # fmt: skip
    mean = float(each.array @ _CODES)
    spread = float(each.array @ (_CODES - mean) ** 2)
    effective = each.n_effective
    # the unbiased variance of one answer, divided by how many there are: s^2 n / (n - 1) / n
    variance = spread / (effective - 1) if effective is not None and effective > 1 else None
    return _Answer(mean, variance, each.n, each.missing_share)


def _score(answers: Mapping[str, _Answer], constants: Mapping[str, float] | None) -> VsmScores:
    added = _constants(constants or {})
    used = [answers[item].n for item in CONTENT_ITEMS if item in answers]
    n = min((each for each in used if each is not None), default=None) if None not in used else None
    return VsmScores(
        scores={name: _total(name, answers, added[name]) for name in DIMENSIONS},
        standard_errors={name: _error(name, answers) for name in DIMENSIONS},
        constants=added,
        missing_items=tuple(item for item in CONTENT_ITEMS if item not in answers),
        missing_shares={
            item: each.missing_share for item, each in sorted(answers.items()) if each.missing_share is not None
        },
        n=n,
        warnings=_warnings(n),
    )


def _constants(given: Mapping[str, float]) -> dict[str, float]:
    for name, value in given.items():
        if name not in DIMENSIONS or not math.isfinite(value):
            raise CalmError(
                "V64", "is no constant of a dimension.", field=f"constants, {name}", value=value,
                fix=f"give a finite number for {', '.join(DIMENSIONS)}.",
            )  # fmt: skip
    return {name: float(given.get(name, 0.0)) for name in DIMENSIONS}


def _total(name: str, answers: Mapping[str, _Answer], constant: float) -> float | None:
    if any(item not in answers for item in _items(name)):
        return None
    return constant + sum(weight * (answers[plus].mean - answers[minus].mean) for weight, plus, minus in FORMULAS[name])


def _error(name: str, answers: Mapping[str, _Answer]) -> float | None:
    total = 0.0
    for weight, *pair in FORMULAS[name]:
        for item in pair:
            variance = answers[item].variance if item in answers else None
            if variance is None:
                return None
            total += weight**2 * variance
    return math.sqrt(total)


def _items(name: str) -> tuple[str, ...]:
    return tuple(item for _, plus, minus in FORMULAS[name] for item in (plus, minus))


def _warnings(n: int | None) -> tuple[str, ...]:
    if n is None or n >= IDEAL:
        return ()
    if n >= SMALLEST:
        return (f"an item has {n} valid answers; the manual's ideal is {IDEAL} respondents in each sample.",)
    return (
        f"an item has {n} valid answers; below {SMALLEST} respondents single persons weigh too much, and scores of "
        "single persons mean nothing (the manual).",
    )
