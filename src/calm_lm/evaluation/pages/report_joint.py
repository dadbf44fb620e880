"""The joint table: every score under its dimension, the model, the baselines and people side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from calm_lm.evaluation.pages.kit import Cell, Html, join, section, table, tag
from calm_lm.evaluation.pages.report_boxes import scrolling
from calm_lm.evaluation.pages.report_cost import cost_section
from calm_lm.evaluation.pages.report_text import between, clean_text, culture_name, finite, number
from calm_lm.evaluation.pages.report_views import ROLES, TaskView
from calm_lm.evaluation.table import EVERYONE

ROLE_WORDS = {"model": "the model", "baseline": "baseline", "control": "control", "people": "people"}


class _Column(NamedTuple):
    """One system, in the same column for all tasks of a dimension."""

    system: str
    title: str
    role: str


def joint_section(report: Mapping[str, Any], tasks: Sequence[TaskView]) -> Html:
    """All dimensions, each a table with its own columns, then cost and time."""
    how = tag(
        "p", "A cell is the mean over places with its 95 % interval, then the place with the worst value. ↓ lower "
        "is better, ↑ higher is better, ↔ neither end is good. The best system of a line is underlined. Tinted columns "
        "are not the model: baselines answer without it, people are what a second sample of the same people reaches. "
        "Wide tables slide sideways.",
        class_="soft",
    )  # fmt: skip
    titles = {task.name: task.title for task in tasks}
    parts = [
        _dimension(name, part, titles)
        for name, part in (report.get("dimensions") or {}).items()
        if part.get("lines")
    ]  # fmt: skip
    if not parts:
        parts = [tag("p", "No score is defined in this report.")]
    return section("joint", "All dimensions side by side", how, *parts, cost_section(report, titles))


def _dimension(name: str, part: Mapping[str, Any], titles: Mapping[str, str]) -> Html:
    lines = part["lines"]
    columns = _columns(lines)
    cells: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for line in lines:
        cells.setdefault((str(line.get("task")), str(line.get("figure"))), {})[str(line.get("system"))] = line
    figures = list(dict.fromkeys(figure for _, figure in cells))
    rows = []
    for (task, _), found in sorted(cells.items(), key=lambda pair: figures.index(pair[0][1])):
        best = _best(found)
        first = next(iter(found.values()))
        head = join((f"{first.get('title')} ", _arrow(first.get("higher_is_better")),
                     tag("span", titles.get(task, task), class_="small")))  # fmt: skip
        row = [Cell(head, header=True)]
        row += [Cell(*_cell(found.get(column.system), column, best)) for column in columns]
        rows.append((row, None))
    heads = [join((each.title, tag("span", ROLE_WORDS.get(each.role, each.role), class_="small"))) for each in columns]
    title = str(part.get("title") or name)
    plain = table(f"{title}: means over places with 95 % intervals.", ["", *heads], rows, class_="dense joint")
    box = scrolling(plain, title, 13 + 7 * len(columns))
    return join((tag("h3", title), box))


def _columns(lines: Sequence[Mapping[str, Any]]) -> list[_Column]:
    """Systems in the order in which they come, model first and people last."""
    found: dict[str, _Column] = {}
    for line in lines:
        system, role = str(line.get("system")), str(line.get("role"))
        found.setdefault(system, _Column(system, clean_text(str(line.get("system_title") or system), 60), role))
    rank = {role: place for place, role in enumerate(ROLES)}
    return sorted(found.values(), key=lambda each: rank.get(each.role, len(rank)))


def _cell(line: Mapping[str, Any] | None, column: _Column, best: str | None) -> tuple[str, str | None]:
    tint = None if column.role == "model" else f"r-{column.role}"
    if line is None:
        return tag("span", "–", class_="soft"), tint
    value = finite(line.get("value"))
    parts = [tag("span", number(value), class_="value" if value is not None else "soft")]
    if between(line.get("interval")):
        parts.append(tag("span", between(line.get("interval")), class_="small"))
    if line.get("worst_culture") not in (None, EVERYONE) and finite(line.get("worst")) is not None:
        parts.append(tag("span", f"worst {culture_name(str(line['worst_culture']))} {number(line['worst'])}",
                         class_="small"))  # fmt: skip
    kinds = [tint, "best" if best == column.system else None]
    return join(parts), " ".join(filter(None, kinds)) or None


def _best(found: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The best of the model and its baselines, where an end is good and there are at least two."""
    known = {
        name: (value, line.get("higher_is_better"))
        for name, line in found.items()
        if line.get("role") != "people" and (value := finite(line.get("value"))) is not None
    }
    if len(known) < 2 or any(better is None for _, better in known.values()):
        return None
    return max(known, key=lambda name: known[name][0] if known[name][1] else -known[name][0])


def _arrow(better: Any) -> Html:
    mark, said = {True: ("↑", "higher is better"), False: ("↓", "lower is better")}.get(
        better, ("↔", "neither end is good")
    )
    return join((tag("span", mark, class_="arrow", aria_hidden="true"), tag("span", f" {said}", class_="hidden")))
