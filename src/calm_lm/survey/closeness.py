"""How differently the people of two places answered the same items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from calm_lm.errors import CalmError
from calm_lm.stats.bootstrap import Interval, bootstrap_mean
from calm_lm.stats.distances import jensen_shannon_rows, wasserstein_rows
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.instrument import Survey


class ItemDistance(NamedTuple):
    """Two places' answers to one item.

    Attributes:
        item: its id.
        jensen_shannon: distance of the shares, from 0 to 1.
        wasserstein: along the scale, from 0 to 1; None for a nominal item.
        waves: wave of either place's answers.
    """

    item: str
    jensen_shannon: float
    wasserstein: float | None
    waves: tuple[str, str]


class MeanDistance(NamedTuple):
    """Mean over items, its 95 % interval over items (None for a single one), and how many items there are."""

    mean: float
    interval: Interval | None
    items: int

    def as_json(self) -> dict[str, Any]:
        """The interval as its two ends."""
        ends = None if self.interval is None else [self.interval.low, self.interval.high]
        return {"mean": self.mean, "interval": ends, "items": self.items}


@dataclass(frozen=True, slots=True)
class PlaceDistance:
    """Two places' answers to all items that both were asked.

    Attributes:
        first: culture id.
        second: the other one.
        items: the most different first, by Jensen-Shannon distance.
        jensen_shannon: over all of them.
        wasserstein: over the ordinal ones; None where there are none.
        only_one: items that only one of the two was asked.
    """

    first: str
    second: str
    items: tuple[ItemDistance, ...]
    jensen_shannon: MeanDistance
    wasserstein: MeanDistance | None
    only_one: int

    def as_json(self) -> dict[str, Any]:
        """Everything, items by name."""
        return {
            "countries": [self.first, self.second],
            "jensen_shannon": self.jensen_shannon.as_json(),
            "wasserstein": None if self.wasserstein is None else self.wasserstein.as_json(),
            "only_one": self.only_one,
            "items": [each._asdict() for each in self.items],
        }


def place_distance(survey: Survey, first: str, second: str, *, seed: int = 0) -> PlaceDistance:
    """Compare everyone's newest answers in two places, item by item.

    The interval redraws items: it says how much hangs on which items were asked, not on which people. Waves are not
    matched (our choice); each item tells the two it rests on.

    Args:
        survey: with answers of both.
        first: a country of the survey.
        second: another one.
        seed: of the draws.

    Raises:
        CalmError: V24 for a place without answers, E28 for two places without a common item.
    """
    part = survey.select(countries=(first, second))
    found: list[ItemDistance] = []
    only_one = 0
    for item, distributions in part.by_item.items():
        answers = newest(distributions)
        if len(answers) < 2:
            only_one += bool(answers)
            continue
        pair = [answers[place] for place in (first, second)]
        a, b = (each.array[None] for each in pair)
        ordinal = survey.item(item).scale == "ordinal"
        along = float(wasserstein_rows(a, b)[0]) if ordinal else None
        found.append(ItemDistance(item, float(jensen_shannon_rows(a, b)[0]), along, (pair[0].wave, pair[1].wave)))
    if not found:
        raise CalmError(
            "E28", "the two places were asked no common item.", field=survey.instrument.name,
            value=f"{first}, {second}", fix="choose two others.",
        )  # fmt: skip
    along_scales = [each.wasserstein for each in found if each.wasserstein is not None]
    return PlaceDistance(
        first,
        second,
        tuple(sorted(found, key=lambda each: (-each.jensen_shannon, each.item))),
        _mean([each.jensen_shannon for each in found], seed),
        _mean(along_scales, seed) if along_scales else None,
        only_one,
    )


def newest(distributions: Sequence[ResponseDistribution]) -> dict[str, ResponseDistribution]:
    """Everyone's latest answers to one item by country; parts of a country do not count."""
    ordered = sorted(distributions, key=lambda each: (each.date, each.wave))
    return {each.cell.country: each for each in ordered if not each.cell.groups}


def _mean(values: Sequence[float], seed: int) -> MeanDistance:
    interval = bootstrap_mean(values, np.arange(len(values)), seed=seed) if len(values) > 1 else None
    return MeanDistance(float(np.mean(values)), interval, len(values))
