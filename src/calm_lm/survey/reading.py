"""Published files of surveys read strictly, under this room's error codes: tables, texts, JSON, cells."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calm_lm.data import tables, text_files
from calm_lm.data.tables import Row, TableCodes
from calm_lm.data.text_files import TextCodes, python_literal
from calm_lm.errors import CalmError

_UNREADABLE, _COLUMN, _ROW = "V34", "V36", "V37"
_TEXT = TextCodes(_UNREADABLE, _UNREADABLE)
_TABLE = TableCodes(_TEXT, _COLUMN, _ROW, _ROW)


def read_text(path: Path) -> str:
    """A UTF-8 text, plain or gzip.

    Raises:
        CalmError: F01 where it cannot be read, V34 where it is no UTF-8 or damaged.
    """
    return text_files.read_text(path, _TEXT)


def read_json(path: Path) -> Any:
    """JSON, plain or gzip.

    Raises:
        CalmError: as `read_text`, and V35 where it is no JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CalmError("V35", f"is no JSON ({error}).", file=path, fix="get the file again.") from error


def read_rows(path: Path, columns: Sequence[str], *, optional: Sequence[str] = ()) -> tuple[Row, ...]:
    """The rows of a CSV file (comma), only the wanted columns.

    Raises:
        CalmError: V34 where it is no UTF-8 or damaged; V36 for a missing column, V37 for a row that is no CSV or too
            short or long; D13, D14, D24, D25 and F01 as `data.tables.read_table`.
    """
    return tables.read_table(path, columns, optional=optional, codes=_TABLE).rows


def require_columns(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    """Check that every column stands in the header once.

    Raises:
        CalmError: V36 for the first that does not.
    """
    tables.require_columns(path, header, columns, _COLUMN)


def literal(text: str, *, file: Path, row: int, field: str) -> Any:
    """A Python literal (a list, a dict, numbers, strings).

    Raises:
        CalmError: V38 for anything else.
    """
    try:
        return python_literal(text.strip())
    except ValueError as error:
        raise CalmError(
            "V38",
            "the cell is no list or table of plain values.",
            file=file,
            row=row,
            field=field,
            value=text,
            fix="take the file as its authors published it.",
        ) from error


def number(text: object, *, file: Path, row: int | None, field: str, low: float = 0.0, high: float = 1.0) -> float:
    """A finite number in a range.

    Raises:
        CalmError: V39 for anything else.
    """
    try:
        value = math.nan if isinstance(text, bool) else float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not low <= value <= high:
        raise CalmError(
            "V39",
            f"must be a number from {low:g} to {high:g}.",
            file=file,
            row=row,
            field=field,
            value=text,
            fix="negative numbers are missing codes: leave them out of the shares.",
        )
    return value
