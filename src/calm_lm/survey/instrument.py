"""A questionnaire, and a survey: the questionnaire with what people in each place answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from calm_lm.errors import CalmError
from calm_lm.survey.cell import Cell
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.item import SurveyItem


@dataclass(frozen=True)
class Instrument:
    """The items of a questionnaire and where they come from.

    Attributes:
        name: as registered.
        title: in full.
        items: by id, in the order of the questionnaire.
        licence: SPDX id of the data at hand, or the terms' name.
        citation: how to cite it.
        languages: in which the items are at hand.
        notes: what a reader of its scores must know.

    Raises:
        CalmError: V20 for two items of one id.
    """

    name: str
    title: str
    items: Mapping[str, SurveyItem]
    licence: str
    citation: str
    languages: tuple[str, ...] = ("en",)
    notes: str = ""

    @classmethod
    def of(cls, items: Iterable[SurveyItem], **facts: Any) -> Instrument:
        """From a list of items."""
        by_id: dict[str, SurveyItem] = {}
        for item in items:
            if item.id in by_id:
                raise CalmError("V20", "two items have one id.", field="id", value=item.id, fix="rename one of them.")
            by_id[item.id] = item
        return cls(items=by_id, **facts)


@dataclass(frozen=True)
class Survey:
    """What people answered.

    Attributes:
        instrument: the questionnaire.
        distributions: one for each item and cell that has answers.
        left_out: what the source holds and this reading does not use, by reason: how many.

    Raises:
        CalmError: V21 for two distributions of one item, cell and wave, V22 for one of an unknown item.
    """

    instrument: Instrument
    distributions: tuple[ResponseDistribution, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seen: set[tuple[str, Cell, str]] = set()
        for each in self.distributions:
            key = (each.item, each.cell, each.wave)
            if key in seen:
                raise CalmError(
                    "V21", "stands twice.", field=f"{each.item}, {each.cell.name}", value=each.wave, fix="keep one."
                )
            if each.item not in self.instrument.items:
                raise CalmError(
                    "V22", "is no item of the instrument.", field="item", value=each.item, fix="add the item."
                )
            seen.add(key)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The cells with answers, sorted."""
        return tuple(sorted({each.cell for each in self.distributions}))

    @cached_property
    def countries(self) -> tuple[str, ...]:
        """The countries with answers, sorted."""
        return tuple(sorted({each.cell.country for each in self.distributions}))

    @cached_property
    def by_item(self) -> Mapping[str, tuple[ResponseDistribution, ...]]:
        """Distributions of each item that has any, in the order of the questionnaire."""
        found: dict[str, list[ResponseDistribution]] = {}
        for each in self.distributions:
            found.setdefault(each.item, []).append(each)
        return {item: tuple(found[item]) for item in self.instrument.items if item in found}

    def item(self, item_id: str) -> SurveyItem:
        """An item.

        Raises:
            CalmError: V23 for an id that is not there.
        """
        if item_id not in self.instrument.items:
            raise CalmError(
                "V23", "is no item of this survey.", field=self.instrument.name, value=item_id,
                fix="see `calm survey show` for its items.",
            )  # fmt: skip
        return self.instrument.items[item_id]

    def select(
        self, *, countries: Iterable[str] | None = None, keep: Callable[[SurveyItem], bool] | None = None
    ) -> Survey:
        """The part for some countries and items.

        Raises:
            CalmError: V24 for a country without answers here.
        """
        wanted = set(self.countries if countries is None else countries)
        for country in sorted(wanted - set(self.countries)):
            raise CalmError(
                "V24", "nobody there was asked in this survey.", field=self.instrument.name, value=country,
                fix=f"choose among {', '.join(self.countries)}.",
            )  # fmt: skip
        chosen = {name for name, item in self.instrument.items.items() if keep is None or keep(item)}
        kept = tuple(each for each in self.distributions if each.cell.country in wanted and each.item in chosen)
        return Survey(self.instrument, kept, self.left_out)
