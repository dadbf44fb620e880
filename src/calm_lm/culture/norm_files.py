"""Norm records as JSON Lines: one object a line, its keys the fields of `NormRecord`."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from typing import Any

from calm_lm.culture.ids import check_id
from calm_lm.culture.lines import is_plain_line
from calm_lm.culture.norms import NormRecord, NormStore, refuse_repeated_ids
from calm_lm.errors import CalmError
from calm_lm.files import disk_errors, unique_names, write_text

NAMES = tuple(field.name for field in fields(NormRecord))
REQUIRED = ("id", "culture", "situation", "norm", "source")
DATES = ("date", "valid_from", "valid_until")


def load_norms(path: Path, *, communities: Collection[str] | None = None) -> NormStore:
    """Read a file of norms; blank lines are passed over.

    Args:
        path: the file.
        communities: the declared communities; None checks only the form of `x-NAME`.

    Raises:
        CalmError: F01 for a file that cannot be read; with its row and field, C14 for a line that is no JSON object in
            UTF-8, C15 for an unknown field, C16 for a missing, empty or misshapen one, C17 for a day that is none,
            C18 for a norm that ends before it begins, C13 for an id given twice, C04 to C06 for an unknown culture.
    """
    path = Path(path)
    with disk_errors(path):
        lines = path.read_bytes().split(b"\n")
    rows = [(row, _read(path, row, line, communities)) for row, line in enumerate(lines, start=1) if line.strip()]
    refuse_repeated_ids(rows, path)
    return NormStore(record for _, record in rows)


def save_norms(store: NormStore, path: Path) -> None:
    """Write a store in its order, absent dates left out; `load_norms` reads back an equal one."""
    rows = ({name: value for name, value in asdict(record).items() if value is not None} for record in store)
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _read(path: Path, row: int, line: bytes, communities: Collection[str] | None) -> NormRecord:
    given = _parse(path, row, line)
    for name in given:
        if name not in NAMES:
            near = difflib.get_close_matches(name[:60], NAMES, n=1)
            fix = f"did you mean {near[0]}?" if near else f"use {', '.join(NAMES)}."
            raise CalmError("C15", "is not a field of a norm.", file=path, row=row, field=name, fix=fix)
    for name in NAMES:
        absent = name not in REQUIRED and (name not in given or (name in DATES and given[name] is None))
        if not absent and not is_plain_line(given.get(name)):
            fix = "write one line of text, in quotes."
            problem = "is missing, empty or no plain line of text."
            raise CalmError("C16", problem, file=path, row=row, field=name, fix=fix)
    days = {name: _day(path, row, name, given.get(name)) for name in DATES}
    if days["valid_from"] and days["valid_until"] and days["valid_until"] < days["valid_from"]:
        fix = "exchange valid_from and valid_until, or correct one."
        problem = "the norm ends before it begins."
        raise CalmError("C18", problem, file=path, row=row, field="valid_until", value=given["valid_until"], fix=fix)
    culture = check_id(given["culture"], communities=communities, file=path, row=row, field="culture")
    return NormRecord(**{**given, "culture": culture})


def _parse(path: Path, row: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=unique_names)
        if not isinstance(value, dict):
            raise ValueError("not an object")
    except (ValueError, RecursionError) as error:
        fix = f"write one JSON object a line, with {', '.join(REQUIRED)}."
        raise CalmError("C14", f"is not a JSON object ({error}).", file=path, row=row, fix=fix) from error
    return value


def _day(path: Path, row: int, name: str, value: str | None) -> date | None:
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError as error:
        fix = "write it as 2024-05-31."
        raise CalmError(
            "C17", "is no day of the calendar.", file=path, row=row, field=name, value=value, fix=fix
        ) from error
