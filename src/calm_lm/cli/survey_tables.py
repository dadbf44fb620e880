"""What `calm survey` prints: counts of a survey, shares as bars, distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from calm_lm.cli.display import bar, interval, number, plain_table, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from calm_lm.survey.check import SurveyReport
    from calm_lm.survey.closeness import MeanDistance
    from calm_lm.survey.distribution import ResponseDistribution
    from calm_lm.survey.instrument import Survey
    from calm_lm.survey.item import SurveyItem

BAR = 30  # characters of a bar that is full


def share_rows(item: SurveyItem, answered: ResponseDistribution) -> Iterable[tuple[str, str, str, str]]:
    """A line for each option, and one for what was no answer; the country stands on the first."""
    facts = [answered.date or answered.wave, "" if answered.n is None else f"n = {answered.n}"]
    about = [f"{answered.cell.country}", *(fact for fact in facts if fact)]
    lines = [
        (option.text, share, bar(share, BAR).rstrip())
        for option, share in zip(item.options, answered.shares, strict=True)
    ]
    if answered.missing_share is not None:
        lines.append(("(no answer, of all asked)", answered.missing_share, ""))
    for at, (text, share, drawn) in enumerate(lines):
        yield about[at] if at < len(about) else "", text, f"{100 * share:.1f} %", drawn


def print_report(report: SurveyReport) -> None:
    """The counts as a table, and what the reading left out."""
    known = report.distributions
    lines = {
        "items": f"{report.items}: {report.ordinal} ordinal ({report.reversed} known to be reversed), "
        f"{report.nominal} nominal",
        "options": ", ".join(f"{count} with {size}" for size, count in report.options.items()),
        "languages": ", ".join(f"{language} {count}" for language, count in report.languages.items()),
        "distributions": f"{known}, {len(report.by_country)} countries, {report.parts} narrower cells",
        "waves": ", ".join(f"{wave or 'not told'}: {count}" for wave, count in report.waves.items()),
        "respondents known": f"{report.with_n} of {known}; fewest {number(report.smallest_n, 0)}",
        "weighted": f"{report.weighted} of {known}",
        "missing share known": f"{report.missing_known} of {known}; largest {number(report.largest_missing)}",
        "items without answers": len(report.without_answers),
        "pairs of item and country without answers": report.empty_cells,
        "options nobody chose": report.unchosen_options,
    }
    say(plain_table(report.name, ("what", "count"), lines.items()))
    for reason, count in report.left_out.items():
        say(f"left out: {reason}: {count}")


def distance_cells(found: MeanDistance) -> tuple[str, str, str]:
    """Mean, interval, number of items."""
    return number(found.mean), interval(found.interval), str(found.items)


def item_facts(survey: Survey, item: SurveyItem) -> dict[str, Any]:
    """An item as JSON, with how many countries answered it."""
    answered = {each.cell.country for each in survey.by_item.get(item.id, ())}
    return {
        "id": item.id, "text": item.text, "scale": item.scale, "reversed": item.reversed, "topic": item.topic,
        "source": item.source, "options": {option.code: option.text for option in item.options},
        "missing": {option.code: option.text for option in item.missing}, "countries": len(answered),
    }  # fmt: skip


def say_hidden(count: int, what: str, how: str = "--json has all") -> None:
    """Say how much a table leaves out, if anything."""
    if count > 0:
        say(f"{count} more {what}; {how}.")
