"""What is in a data set and what is wrong with it: every malformed row, counts, repeats, leakage, licences."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from calm_lm.data.example import Dataset, Example, Role
from calm_lm.data.leakage import Overlap, find_leakage
from calm_lm.data.licences import gate
from calm_lm.data.own import Columns, build_dataset
from calm_lm.data.splits import normalise_text
from calm_lm.errors import CalmError

MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of a check.

    Attributes:
        name: of the data set.
        malformed: how many rows (or the file as a whole) cannot be used.
        problems: the first of them, one error each, in the order of their rows.
        splits: split to label to number of rows; rows with votes alone count under `no label`.
        balance: role to culture to label to number of rows; a blend stands under its own name.
        repeats: rows that say again, in the same split and for the same cultures, what an earlier row says.
        contradictions: texts whose repeats differ in their label.
        leakage: what later splits share with earlier ones.
        licences: SPDX ids.
        warnings: one line per licence that asks for more than attribution.
        notes: what the loader had to say.
    """

    name: str
    malformed: int
    problems: tuple[CalmError, ...]
    splits: dict[str, dict[str, int]]
    balance: dict[Role, dict[str, dict[str, int]]]
    repeats: int
    contradictions: int
    leakage: tuple[Overlap, ...]
    licences: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The findings as plain values; a problem is its code, place and message."""
        plain = asdict(replace(self, problems=()))
        plain["problems"] = [
            {"code": problem.code, "row": problem.row, "field": problem.field, "message": str(problem)}
            for problem in self.problems
        ]
        return plain


def check_file(
    path: Path,
    columns: Columns,
    *,
    labels: Sequence[str] | None = None,
    role: Role = "reader",
    most: int = MOST_SHOWN,
) -> Findings:
    """Check a user's file; nothing a row holds raises.

    One problem is reported per malformed row, all are counted, and `most` of them are kept. The counts speak
    of the rows without a problem.
    """
    kept: list[CalmError] = []
    malformed = 0

    def collect(problem: CalmError) -> None:
        nonlocal malformed
        malformed += 1
        if len(kept) < most:
            kept.append(problem.with_traceback(None))

    dataset = build_dataset(path, columns, labels=labels, role=role, report=collect)
    findings = check_dataset(dataset)
    return replace(findings, malformed=malformed, problems=tuple(sorted(kept, key=lambda problem: problem.row or 0)))


def check_dataset(dataset: Dataset) -> Findings:
    """Count what is in a data set that could be read."""
    repeats, contradictions = _repeats(dataset)
    return Findings(
        name=dataset.name,
        malformed=0,
        problems=(),
        splits={name: count_labels(dataset, rows) for name, rows in dataset.splits.items()},
        balance=_balance(dataset),
        repeats=repeats,
        contradictions=contradictions,
        leakage=find_leakage(dataset.splits),
        licences=dataset.licences,
        warnings=gate(dataset.licences, accept=True),
        notes=dataset.notes,
    )


def count_labels(dataset: Dataset, rows: Iterable[Example]) -> dict[str, int]:
    """Label to number of rows, every label of the set; rows without one, if any, under `no label`."""
    counts = Counter(row.label for row in rows)
    named = {name: counts[place] for place, name in enumerate(dataset.labels)}
    return named | ({"no label": counts[None]} if counts[None] else {})


def _balance(dataset: Dataset) -> dict[Role, dict[str, dict[str, int]]]:
    balance: dict[Role, dict[str, dict[str, int]]] = {}
    for role in get_args(Role):
        of_culture: defaultdict[str, list[Example]] = defaultdict(list)
        for rows in dataset.splits.values():
            for row in rows:
                culture = row.culture(role)
                if culture is not None:
                    of_culture[str(culture)].append(row)
        if of_culture:
            balance[role] = {name: count_labels(dataset, of_culture[name]) for name in sorted(of_culture)}
    return balance


def _repeats(dataset: Dataset) -> tuple[int, int]:
    """Repeated rows, and texts whose repeats differ in their label."""
    repeats, contradictions = 0, set()
    for rows in dataset.splits.values():
        first: dict[tuple[object, ...], int | None] = {}
        for row in rows:
            said = (normalise_text(row.text), row.reader, row.about, row.author)
            if said in first:
                repeats += 1
                if first[said] != row.label:
                    contradictions.add(said)
            else:
                first[said] = row.label
    return repeats, len(contradictions)
