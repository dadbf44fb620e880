"""Published text files read strictly: CSV rows with their line numbers, JSON, Python literals; never `eval`."""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors


class Line(NamedTuple):
    """The wanted cells of one row, and its first line counted from 1."""

    row: int
    cells: dict[str, str]


def find_file(folder: Path, *names: str) -> Path | None:
    """The first of `names` (each also as `.gz`) that is a file in `folder`."""
    paths = (folder / f"{name}{end}" for name in names for end in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


def read_text(path: Path) -> str:
    """A UTF-8 text, plain or gzip.

    Raises:
        CalmError: F01 where it cannot be read, V34 where it is no UTF-8 or damaged.
    """
    with disk_errors(path):
        data = path.read_bytes()
    try:
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise CalmError(
            "V34", f"is no readable UTF-8 text ({type(error).__name__}).", file=path, fix="get the file again."
        ) from error


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


def read_lines(path: Path, columns: Sequence[str]) -> Iterator[Line]:
    """The rows of a CSV file (comma), only the wanted columns.

    Raises:
        CalmError: as `read_text`; V36 for a missing column, V37 for a row that is no CSV or too short or long.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    header: list[str] | None = None
    row = 1
    try:
        for cells in reader:
            if header is None:
                header = [name.strip() for name in cells]
                require_columns(path, header, columns)
            elif cells and len(cells) != len(header):
                raise csv.Error(f"{len(cells)} cells where the header has {len(header)}")
            elif cells:
                yield Line(row, {name: cells[header.index(name)] for name in columns})
            row = reader.line_num + 1
    except csv.Error as error:
        raise CalmError(
            "V37", f"is malformed CSV ({error}).", file=path, row=row, fix="quote cells that hold commas or quotes."
        ) from error
    if header is None:
        require_columns(path, [], columns)


def require_columns(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    """Check that every column stands in the header once.

    Raises:
        CalmError: V36 for the first that does not.
    """
    for name in columns:
        if header.count(name) != 1:
            raise CalmError(
                "V36",
                "the column is missing." if name not in header else "the column stands there twice.",
                file=path,
                row=1,
                field=name,
                fix=f"the file needs the columns {', '.join(columns)}, each once.",
            )


def literal(text: str, *, file: Path, row: int, field: str) -> Any:
    """A Python literal (a list, a dict, numbers, strings).

    Raises:
        CalmError: V38 for anything else.
    """
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
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
