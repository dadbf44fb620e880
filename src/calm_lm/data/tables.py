"""Published tables read strictly: every cell that is used is checked, and a bad one is named by file, row and field.

Only the columns a loader asks for leave this file; the rest is forgotten while reading. CSV, JSON lines (each
plain or gzip) and Parquet give the same `Table`. Blank lines hold no row and are passed over.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

from calm_lm.data.text_files import TextCodes, decode, python_literal
from calm_lm.errors import CalmError
from calm_lm.files import disk_errors, sha256_bytes

T = TypeVar("T")
MAX_CELL = 100_000  # characters; the longest text of a known data set has under 10,000


class TableCodes(NamedTuple):
    """The error codes of a room: no text, a column missing or twice, a torn row, quotes that do not fit."""

    text: TextCodes
    column: str
    cells: str
    quotes: str


_CODES = TableCodes(TextCodes("D15", "D16"), "D22", "D17", "D18")


@dataclass(frozen=True, slots=True)
class Row:
    """The wanted cells of one row.

    Attributes:
        file: the file it stands in.
        number: its first line, counted from 1 as an editor counts (the row itself, for Parquet).
        cells: column to cell; an optional column that the file lacks is absent.
        secret: leave cells out of error messages.
    """

    file: Path
    number: int
    cells: Mapping[str, str]
    secret: bool = False

    def __getitem__(self, field: str) -> str:
        return self.cells[field]

    def text(self, field: str) -> str:
        """The cell as published, which holds more than white space.

        Raises:
            CalmError: D10 when it is empty.
        """
        value = self.cells[field]
        if not value.strip():
            raise CalmError(
                "D10",
                "the cell is empty.",
                fix="fill it in or remove the row.",
                file=self.file,
                row=self.number,
                field=field,
            )
        return value

    def choice(self, field: str, allowed: Mapping[str, T]) -> T:
        """What the cell stands for in a closed set.

        Raises:
            CalmError: D11 when the cell is not a key of `allowed`.
        """
        value = self.cells[field]
        if value not in allowed:
            raise CalmError(
                "D11",
                f"the cell is none of {', '.join(allowed)}.",
                fix="correct the cell, or take the file as its authors published it.",
                **self.place(field),
            )
        return allowed[value]

    def strings(self, field: str) -> tuple[str, ...]:
        """The cell as a Python list of strings, the way pandas writes one into a CSV file.

        Raises:
            CalmError: D12 when it is no such list.
        """
        try:
            value = python_literal(self.cells[field])
        except ValueError:
            value = None
        if not isinstance(value, list) or not all(isinstance(item, str) and not _forbidden(item) for item in value):
            raise CalmError(
                "D12",
                "the cell is not a list of quoted strings.",
                fix="write it as ['one', 'two'], or take the file as its authors published it.",
                **self.place(field),
            )
        return tuple(value)

    def place(self, field: str) -> dict[str, Any]:
        """The place of a cell, as keyword arguments of `CalmError`."""
        return {
            "file": self.file,
            "row": self.number,
            "field": field,
            "value": self.cells[field],
            "secret": self.secret,
        }


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one file and the sha256 of its bytes."""

    path: Path
    sha256: str
    rows: tuple[Row, ...]


def find(folder: Path, *paths: str) -> Path | None:
    """The first of `paths` (each also as `.gz`) that is a file under `folder`."""
    candidates = (folder / (path + end) for path in paths for end in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


class _Wanted(NamedTuple):
    """What a caller asks of a table."""

    columns: tuple[str, ...]
    optional: tuple[str, ...]
    secret: bool
    codes: TableCodes

    def of(self, header: Sequence[str]) -> list[str]:
        """The wanted columns that stand in a header."""
        return [name for name in (*self.columns, *self.optional) if name in header]


def read_table(
    path: Path,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    secret: bool = False,
    codes: TableCodes = _CODES,
) -> Table:
    """Read a `.csv`, `.jsonl` (either may end in `.gz`) or `.parquet` file.

    Args:
        path: the file.
        columns: columns it must have.
        optional: columns taken where present.
        secret: leave cells out of error messages.
        codes: those of the room that reads, in place of D15 to D18 and D22.

    Raises:
        CalmError: D13 to D25 for whatever makes the file or a wanted cell unreadable, F01 for disk trouble.
    """
    kind = next((end for end in path.suffixes[::-1] if end != ".gz"), "")
    readers: dict[str, Callable[..., Iterator[Row]]] = {
        ".csv": _csv_rows,
        ".jsonl": _jsonl_rows,
        ".parquet": _parquet_rows,
    }
    if kind not in readers:
        raise CalmError(
            "D13", "is not a CSV, JSONL or Parquet file.", file=path, fix="name it .csv, .jsonl or .parquet."
        )
    if not path.is_file():
        raise CalmError("D14", "there is no such file.", file=path, fix="check the path, or get the data set again.")
    with disk_errors(path):
        data = path.read_bytes()
    rows = readers[kind](path, data, _Wanted(tuple(columns), tuple(optional), secret, codes))
    return Table(path, sha256_bytes(data), tuple(rows))


def _csv_rows(path: Path, data: bytes, wanted: _Wanted) -> Iterator[Row]:
    codes = wanted.codes
    reader = csv.reader(io.StringIO(decode(path, data, codes.text), newline=""), strict=True)
    number = 1
    header: list[str] | None = None
    where: dict[str, int] = {}
    try:
        for cells in reader:
            if header is None and cells:
                header = [name.strip() for name in cells]
                require_columns(path, header, wanted.columns, codes.column, row=number)
                where = {name: header.index(name) for name in wanted.of(header)}
            elif cells and header is not None:
                if len(cells) != len(header):
                    code = codes.cells
                    raise CalmError(
                        code,
                        f"has {len(cells)} cells where the header has {len(header)}.",
                        file=path,
                        row=number,
                        fix="quote cells that hold commas, quotes or line breaks.",
                    )
                yield _checked(Row(path, number, {name: cells[at] for name, at in where.items()}, wanted.secret))
            number = reader.line_num + 1
    except csv.Error as error:
        code = codes.quotes
        raise CalmError(
            code, f"is malformed CSV ({error}).", file=path, row=number, fix="quote the cells of this row properly."
        ) from error
    if header is None:
        require_columns(path, [], wanted.columns, codes.column)


def _jsonl_rows(path: Path, data: bytes, wanted: _Wanted) -> Iterator[Row]:
    for number, line in enumerate(decode(path, data, wanted.codes.text).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise CalmError(
                "D19", f"is not JSON ({error}).", file=path, row=number, fix="write one JSON object a line."
            ) from error
        if not isinstance(value, dict):
            raise CalmError("D20", "is JSON but no object.", file=path, row=number, fix="write one JSON object a line.")
        require_columns(path, list(value), wanted.columns, wanted.codes.column, row=number)
        cells = {name: _as_text(path, number, name, value[name], wanted.secret) for name in wanted.of(list(value))}
        yield _checked(Row(path, number, cells, wanted.secret))


def _parquet_rows(path: Path, data: bytes, wanted: _Wanted) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        header = pyarrow.parquet.read_schema(io.BytesIO(data)).names
        require_columns(path, header, wanted.columns, wanted.codes.column)
        names = wanted.of(header)
        table = pyarrow.parquet.read_table(io.BytesIO(data), columns=names)
        values = {name: table.column(name).to_pylist() for name in names}
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise CalmError(
            "D21", f"is not readable Parquet ({type(error).__name__}).", file=path, fix="get the file again."
        ) from error
    for at in range(table.num_rows):
        cells = {name: _as_text(path, at + 1, name, values[name][at], wanted.secret) for name in names}
        yield _checked(Row(path, at + 1, cells, wanted.secret))


def require_columns(path: Path, header: Sequence[str], columns: Sequence[str], code: str, *, row: int = 1) -> None:
    """Check that every column stands in the header once.

    Raises:
        CalmError: `code` for the first that does not.
    """
    for name in columns:
        if header.count(name) != 1:
            raise CalmError(
                code,
                "the column is missing." if name not in header else "the column stands there twice.",
                file=path,
                row=row,
                field=name,
                fix=f"the file needs the columns {', '.join(columns)}, each once.",
            )


def _as_text(path: Path, number: int, field: str, value: object, secret: bool) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise CalmError(
        "D23",
        f"holds {'nothing' if value is None else 'a ' + type(value).__name__} where a text or a whole number belongs.",
        file=path,
        row=number,
        field=field,
        value=value,
        secret=secret,
        fix="write a quoted text or a whole number.",
    )


def _checked(row: Row) -> Row:
    for field, value in row.cells.items():
        if len(value) > MAX_CELL:
            raise CalmError(
                "D24", f"the cell is longer than {MAX_CELL} characters.", fix="shorten or split it.", **row.place(field)
            )
        if bad := _forbidden(value):
            raise CalmError("D25", f"the cell holds {bad}.", fix="remove that character.", **row.place(field))
    return row


def _forbidden(text: str) -> str | None:
    """What no text may hold, in words: a NUL byte or half of a surrogate pair (which JSON can spell)."""
    if "\0" in text:
        return "a NUL byte"
    return None if text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text) else "half of a surrogate pair"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
