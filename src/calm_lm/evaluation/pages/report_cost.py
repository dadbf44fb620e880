"""What a report has cost: questions, time and tokens, task by task, in all, and by who answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from calm_lm.evaluation.pages.kit import Cell, Html, join, table, tag
from calm_lm.evaluation.pages.report_boxes import scrolling
from calm_lm.evaluation.pages.report_text import count, duration, finite

NOT_STATED, NO_PLACE = "not stated", "–"
COLUMNS = ("questions", "known already", "time", "tokens read", "tokens written")
HOW = (
    "Different questions put to a model, how many of them had been answered before this run was taken up again, and "
    "what answering them all took, earlier sittings included: an answer that was kept costs nothing again. The whole "
    "run's time is that of the last sitting, scoring included. Tokens of an endpoint are those that it states itself; "
    "of a local model, those of prompts, options and texts, and of what it wrote."
)


class Tokens(NamedTuple):
    """Tokens as a report tells them; None is not stated, `unstated` counts the replies that did not state both."""

    read: int | None = 0
    written: int | None = 0
    unstated: int = 0

    def plus(self, other: Tokens) -> Tokens:
        """The sum, at least, where something is not stated; of a number that nobody states there is none."""
        unstated = self.unstated + other.unstated
        read, written = ((a or 0) + (b or 0) for a, b in ((self.read, other.read), (self.written, other.written)))
        return Tokens(read or (None if unstated else 0), written or (None if unstated else 0), unstated)

    def said(self) -> tuple[str, str]:
        """Both as a reader meets them."""
        least = "at least " if self.unstated else ""
        read, written = (NOT_STATED if each is None else f"{least}{count(each)}" for each in (self.read, self.written))
        return read, written


class CostRow(NamedTuple):
    """A line of the table: what it is about, the cells under `COLUMNS`, and whether it is the sum of the others."""

    name: str
    cells: tuple[str, ...]
    whole: bool = False


def cost_section(report: Mapping[str, Any], titles: Mapping[str, str]) -> Html:
    """The table with its heading."""
    rows = [
        ([Cell(row.name, header=True), *map(Cell, row.cells)], "ours" if row.whole else None)
        for row in cost_rows(report, titles)
    ]
    plain = table("Questions, time and tokens.", ["", *COLUMNS], rows, class_="dense")
    return join((tag("h3", "Cost and time"), tag("p", HOW, class_="soft"), scrolling(plain, "Cost and time", 30)))


def cost_rows(report: Mapping[str, Any], titles: Mapping[str, str]) -> list[CostRow]:
    """Lines of the tasks, of the whole run, and, where several models answered, of each model.

    Args:
        report: as in JSON.
        titles: of tasks, by name.
    """
    cost = report.get("cost") or {}
    bills = list(_bills(cost.get("tasks") or {}, titles))
    rows = [CostRow(name, (*_asked([bill]), duration(bill.get("seconds")), *_tokens([bill]))) for name, bill in bills]
    every = [bill for _, bill in bills]
    rows.append(CostRow("the whole run", (*_asked(every), duration(cost.get("seconds")), *_tokens(every)), whole=True))
    speakers: dict[str, tuple[str, Tokens]] = {}
    for bill in every:
        for each in _listed(bill):
            who = str(each.get("fingerprint"))
            title, sum_ = speakers.get(who, (str(each.get("title") or "not named"), Tokens()))
            speakers[who] = title, sum_.plus(_read(each))
    titles_ = [title for title, _ in speakers.values()]
    for who, (title, sum_) in speakers.items() if len(speakers) > 1 else ():
        one = title if titles_.count(title) == 1 else f"{title} {who[:8]}"  # two servers may call a model the same
        rows.append(CostRow(f"by {one}", (NO_PLACE,) * 3 + sum_.said()))
    return rows


def _bills(tasks: Mapping[str, Any], titles: Mapping[str, str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Of asking and, where there was a judge, of judging."""
    for name, bill in tasks.items():
        yield titles.get(name, name), bill
        if isinstance(bill.get("judge"), Mapping):
            yield f"{titles.get(name, name)}: the judge", bill["judge"]


def _asked(bills: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    questions, known = (sum(finite(bill.get(key)) or 0.0 for bill in bills) for key in ("questions", "from_cache"))
    return count(questions), count(known)


def _tokens(bills: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Of several bills; a report from before tokens were counted states none."""
    found = Tokens()
    for bill in bills:
        for each in _listed(bill):
            found = found.plus(_read(each))
        if not isinstance(bill.get("tokens"), list):
            found = found.plus(Tokens(None, None, 1))
    return found.said()


def _listed(bill: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = bill.get("tokens")
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []


def _read(each: Mapping[str, Any]) -> Tokens:
    read, written, unstated = (finite(each.get(name)) for name in ("read", "written", "replies_not_stated"))
    return Tokens(None if read is None else int(read), None if written is None else int(written), int(unstated or 0))
