"""What only one task says of itself (texts, positions, shares by category), as tables that open on request.

The shape alone decides how something is shown, so that a new kind of task needs nothing here. Of an offensive task
nothing is shown: any of it may be a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from calm_lm.evaluation.pages.kit import Cell, Html, join, table, tag, words
from calm_lm.evaluation.pages.report_boxes import opening, scrolling
from calm_lm.evaluation.pages.report_text import UNDEFINED, clean_text, count, culture_and_id, finite, number
from calm_lm.evaluation.pages.report_views import TaskView

ELSEWHERE = ("map", "calibration", "refusal_bounds")  # shown as pictures or with the refusals
MOST_ROWS, DEEPEST, LONGEST_CELL = 60, 4, 400
Grid = tuple[list[str], list[list[Any]]]  # columns, rows; the first cell of a row is its name


def extras(task: TaskView) -> Html:
    """Everything in the details of the task and its systems that has no part of its own."""
    if task.offensive:
        return Html("")
    found = [*_named(task.detail, "")]
    for system in task.systems:
        found += _named(system.detail, system.title)
    if not found:
        return Html("")
    return join((tag("h3", "More of this task"), *(_shown(name, grid, task) for name, grid in found)))


def _named(detail: Mapping[str, Any], whose: str) -> Iterator[tuple[str, Grid]]:
    for name, content in detail.items():
        if name not in ELSEWHERE:
            title = f"{whose}: {words(name)}" if whose else words(name)
            yield from _grids(title, content, 0)


def _grids(title: str, content: Any, depth: int) -> Iterator[tuple[str, Grid]]:
    """Tables of a value: a list of records, a mapping of mappings, a mapping; what lies deeper gets its own."""
    if isinstance(content, Mapping) and content:
        if all(isinstance(each, Mapping) for each in content.values()):
            inner = list(dict.fromkeys(name for each in content.values() for name in each))
            deeper = any(isinstance(cell, Mapping) for each in content.values() for cell in each.values())
            if deeper and depth < DEEPEST:
                for name, each in content.items():
                    yield from _grids(f"{title}, {words(name)}", each, depth + 1)
            elif len(inner) > len(content):  # the longer side runs down the page
                yield title, (list(content), [[name, *(each.get(name) for each in content.values())] for name in inner])
            else:
                yield title, (inner, [[name, *(each.get(key) for key in inner)] for name, each in content.items()])
        else:
            yield title, ([""], [[name, each] for name, each in content.items()])
    elif isinstance(content, list) and content:
        if all(isinstance(each, Mapping) for each in content):
            columns = list(dict.fromkeys(name for each in content for name in each))
            yield title, (columns, [[str(place), *(each.get(key) for key in columns)]
                                    for place, each in enumerate(content, 1)])  # fmt: skip
        else:
            yield title, ([""], [[str(place), each] for place, each in enumerate(content, 1)])
    elif not isinstance(content, Mapping | list):
        yield title, ([""], [["", content]])


def _shown(title: str, grid: Grid, task: TaskView) -> Html:
    columns, rows = grid
    cut = f", the first {MOST_ROWS} of {count(len(rows))}" if len(rows) > MOST_ROWS else ""
    body = [
        ([Cell(_name(row[0], task), header=True), *(Cell(_cell(each, task)) for each in row[1:])], None)
        for row in rows[:MOST_ROWS]
    ]
    plain = table(f"{title}{cut}", ["", *(_name(each, task) for each in columns)], body, class_="dense")
    width = 4 + 6.5 * len(columns) if len(columns) > 3 else None
    return opening(title, scrolling(plain, title, width))


def _name(name: Any, task: TaskView) -> str:
    return culture_and_id(str(name)) if name in task.cultures else clean_text(words(str(name)), LONGEST_CELL)


def _cell(content: Any, task: TaskView) -> str:
    if content is None:
        return UNDEFINED
    if isinstance(content, bool):
        return "yes" if content else "no"
    if isinstance(content, int):
        return count(content)
    if finite(content) is not None:
        return number(content)
    if isinstance(content, Sequence) and not isinstance(content, str):
        return clean_text(", ".join(_cell(each, task) for each in content) or "none", LONGEST_CELL)
    if isinstance(content, Mapping):
        return clean_text(", ".join(f"{words(str(k))} {_cell(v, task)}" for k, v in content.items()), LONGEST_CELL)
    return culture_and_id(content) if content in task.cultures else clean_text(str(content), LONGEST_CELL)
