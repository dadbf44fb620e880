"""What a survey holds and lacks, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from calm_lm.survey.instrument import Survey


@dataclass(frozen=True, slots=True)
class SurveyReport:
    """Counts of a survey, for a reader to see before any score.

    Attributes:
        name: of the instrument.
        items: how many it has.
        distributions: how many there are.
        by_country: distributions of each country, the country's parts included.
        parts: cells that are narrower than a country.
        waves: distributions of each wave; the empty name stands for no wave.
        ordinal: items with an ordered scale.
        nominal: items without one.
        reversed: ordinal items whose first option is known to be the high end.
        options: items by their number of options.
        languages: items at hand in each language, English included.
        without_answers: items that nobody answered.
        empty_cells: pairs of an item that has answers and a country without any to it.
        with_n: distributions whose number of respondents is known.
        smallest_n: the least of these, None where none is known.
        weighted: distributions made with weights; those of which it is not known do not count.
        missing_known: distributions whose share without an answer is known.
        largest_missing: the greatest of these, None where none is known.
        unchosen_options: options that nobody anywhere chose.
        left_out: what the source holds and the reading does not use.
    """

    name: str
    items: int
    distributions: int
    by_country: Mapping[str, int]
    parts: int
    waves: Mapping[str, int]
    ordinal: int
    nominal: int
    reversed: int
    options: Mapping[int, int]
    languages: Mapping[str, int]
    without_answers: tuple[str, ...]
    empty_cells: int
    with_n: int
    smallest_n: int | None
    weighted: int
    missing_known: int
    largest_missing: float | None
    unchosen_options: int
    left_out: Mapping[str, int]


def check_survey(survey: Survey) -> SurveyReport:
    """Count what a survey holds."""
    items, found = survey.instrument.items, survey.distributions
    sizes = [each.n for each in found if each.n is not None]
    missing = [each.missing_share for each in found if each.missing_share is not None]
    ordinal = [item for item in items.values() if item.scale == "ordinal"]
    pairs = {(each.item, each.cell.country) for each in found}
    return SurveyReport(
        name=survey.instrument.name,
        items=len(items),
        distributions=len(found),
        by_country=dict(sorted(Counter(each.cell.country for each in found).items())),
        parts=sum(bool(cell.groups) for cell in survey.cells),
        waves=dict(sorted(Counter(each.wave for each in found).items())),
        ordinal=len(ordinal),
        nominal=len(items) - len(ordinal),
        reversed=sum(item.reversed for item in ordinal),
        options=dict(sorted(Counter(len(item.options) for item in items.values()).items())),
        languages={
            "en": len(items),
            **dict(sorted(Counter(tag for item in items.values() for tag in item.translations).items())),
        },
        without_answers=tuple(name for name in items if name not in survey.by_item),
        empty_cells=len(survey.by_item) * len(survey.countries) - len(pairs),
        with_n=len(sizes),
        smallest_n=min(sizes, default=None),
        weighted=sum(each.weighted is True for each in found),
        missing_known=len(missing),
        largest_missing=max(missing, default=None),
        unchosen_options=sum(
            not any(each.shares[at] for each in answered)
            for answered in survey.by_item.values()
            for at in range(len(answered[0].shares))
        ),
        left_out=dict(survey.left_out),
    )
