"""A user's table, row by row: CSV (RFC 4180), TSV, JSON lines or Parquet, each row a record or one problem.

Files are read as a stream: at most one record, which is below 1 MB, is held at a time. A row that cannot be
read does not stop the reading, so a check can name every bad row; a file that cannot be read at all ends
after its one problem.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from calm_lm.data.lines import RECORD_BYTES, Lines
from calm_lm.errors import CalmError, show
from calm_lm.files import disk_errors

CELL_CHARACTERS = 131_072
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


class Record(NamedTuple):
    """One row of a table.

    Attributes:
        row: the line it starts on, counted from 1 as an editor counts; in Parquet, which has no lines, the
            number of the row from 1.
        cells: column name to value.
    """

    row: int
    cells: dict[str, Any]


def read_records(path: Path, wanted: Sequence[str]) -> Iterator[Record | CalmError]:
    """Each row of a file as a `Record`, or as the `CalmError` that says why it is none.

    Args:
        path: a file that ends in .csv, .tsv, .jsonl or .parquet.
        wanted: the columns the caller will read; a file or row without one of them is a problem.
    """
    try:
        with disk_errors(path):
            _check_file(path)
            yield from _READERS[path.suffix.lower()](path, wanted)
    except CalmError as problem:
        yield problem


def _check_file(path: Path) -> None:
    if not path.exists():
        raise CalmError("D50", "does not exist.", file=path, fix="check the path; registered names: calm data list.")
    if not path.is_file():
        raise CalmError("D51", "is not a file.", file=path, fix=f"name one file that ends in {', '.join(SUFFIXES)}.")
    if path.suffix.lower() not in SUFFIXES:
        raise CalmError(
            "D52",
            "the end of its name says none of the formats that are read.",
            file=path,
            value=path.suffix,
            fix=f"save it as {', '.join(SUFFIXES)}.",
        )
    if path.stat().st_size == 0:
        raise CalmError("D53", "is empty.", file=path, fix="write a header and at least one row.")


def _read_delimited(path: Path, wanted: Sequence[str]) -> Iterator[Record | CalmError]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    # The csv module's own limit of a field is below ours; it is the process's, so it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), RECORD_BYTES))
    with path.open("rb") as stream:
        lines = Lines(stream, path)
        rows = _split_rows(path, lines, delimiter)
        header = next(rows, None)
        if header is None:
            return
        if isinstance(header, CalmError):
            yield header
            return
        names = _check_header(path, header, wanted)
        for fields in rows:
            if isinstance(fields, CalmError):
                yield fields
                continue
            try:
                cells = _name_fields(path, lines.row, names, fields, delimiter)
                _check_cells(path, lines.row, cells)
                yield Record(lines.row, cells)
            except CalmError as problem:
                yield problem


def _split_rows(path: Path, lines: Lines, delimiter: str) -> Iterator[list[str] | CalmError]:
    """Fields of each row; `lines.row` is the row's number while the caller holds it."""
    names: list[str] | None = None
    blank: int | None = None
    while True:
        lines.start_record()
        try:
            fields = next(csv.reader(lines, delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except csv.Error:
            yield _broken_quotes(path, lines, names, delimiter)
            lines.give_back()
            continue
        except CalmError as problem:
            yield problem
            lines.give_back()
            continue
        if not fields and names is not None:
            blank = blank or lines.row
            continue
        if blank:
            yield _blank_line(path, blank)
            blank = None
        names = names or fields
        yield fields


def _name_fields(path: Path, row: int, names: list[str], fields: list[str], delimiter: str) -> dict[str, Any]:
    if len(fields) != len(names):
        raise CalmError(
            "D58",
            f"the row has {len(fields)} fields, the header {len(names)}.",
            file=path,
            row=row,
            field=names[min(len(fields), len(names)) - 1],
            value=delimiter.join(fields),
            fix="write as many fields as the header has, and quote a text that holds the separator.",
        )
    return dict(zip(names, fields, strict=True))


def _check_header(path: Path, names: list[str], wanted: Sequence[str]) -> list[str]:
    _check_cells(path, 1, {name: name for name in names})
    for name, times in Counter(names).items():
        if times > 1:
            raise CalmError(
                "D59",
                f"the name stands {times} times in one row.",
                file=path,
                row=1,
                field=name,
                fix="give each column a name of its own.",
            )
    check_columns(path, 1, names, wanted)
    return names


def check_columns(path: Path, row: int, names: Iterable[str], wanted: Sequence[str]) -> None:
    """Refuse a header, or the keys of a JSON line, that lacks a wanted column.

    Raises:
        CalmError: D60; names the columns that are there and the nearest one.
    """
    there = list(names)
    for column in wanted:
        if column in there:
            continue
        near = get_close_matches(column, there[:1000], n=1, cutoff=0.5)
        listed = ", ".join(map(show, there[:12])) + (f" and {len(there) - 12} more" if len(there) > 12 else "")
        raise CalmError(
            "D60",
            "the column is missing.",
            file=path,
            row=row,
            field=column,
            fix=f"{f'did you mean {show(near[0])}? ' if near else ''}columns there: {listed or 'none'}.",
        )


def _check_cells(path: Path, row: int, cells: dict[str, Any]) -> None:
    """Refuse what no text may hold: bytes that are not UTF-8, half surrogate pairs, NUL, endless cells."""
    for name, cell in cells.items():
        if not isinstance(cell, str):
            continue
        place: dict[str, Any] = {"file": path, "row": row, "field": name, "value": cell}
        try:
            cell.encode("utf-8")
        except UnicodeEncodeError:
            raise CalmError(
                "D54",
                "holds bytes that are not UTF-8, or half of a surrogate pair.",
                fix="save the file as UTF-8 and write characters beyond U+FFFF whole.",
                **place,
            ) from None
        if "\0" in cell:
            raise CalmError("D55", "holds a NUL byte.", fix="remove it; the file may be damaged or UTF-16.", **place)
        if len(cell) > CELL_CHARACTERS:
            raise CalmError(
                "D63",
                f"has {len(cell):,} characters, at most {CELL_CHARACTERS:,} are read.",
                fix="shorten it.",
                **place,
            )


def _broken_quotes(path: Path, lines: Lines, names: list[str] | None, delimiter: str) -> CalmError:
    """The problem of a record the csv module refuses."""
    record = "".join(lines.taken)
    closed = re.compile(rf'"[^"]*+(?:""[^"]*+)*+"|[^"\r\n{delimiter}][^\r\n{delimiter}]*+|')
    field = end = 0
    while (found := closed.match(record, end)) and record[found.end() : found.end() + 1] == delimiter:
        field, end = field + 1, found.end() + 1
    return CalmError(
        "D57",
        "a quoted field does not close before a separator, or a line ends in a bare carriage return.",
        file=path,
        row=lines.row,
        field=names[field] if names and field < len(names) else None,
        value=lines.taken[0],
        fix='close the quote, write a quote inside a quoted field twice (""), end lines with LF or CRLF.',
    )


def _blank_line(path: Path, row: int) -> CalmError:
    return CalmError("D72", "the line is empty, but rows follow it.", file=path, row=row, fix="remove the line.")


def _read_json_lines(path: Path, wanted: Sequence[str]) -> Iterator[Record | CalmError]:
    with path.open("rb") as stream:
        lines = Lines(stream, path)
        blank: int | None = None
        while True:
            lines.start_record()
            try:
                line = next(lines)
                if not line.strip():
                    blank = blank or lines.row
                    continue
                if blank:
                    yield _blank_line(path, blank)
                    blank = None
                cells = _read_object(path, lines.row, line)
                _check_cells(path, lines.row, cells)
                check_columns(path, lines.row, cells, wanted)
                yield Record(lines.row, cells)
            except StopIteration:
                return
            except CalmError as problem:
                yield problem


def _read_object(path: Path, row: int, line: str) -> dict[str, Any]:
    value = parse_json(line)
    if not isinstance(value, JsonObject):
        raise CalmError(
            "D61",
            "the line is not one JSON object.",
            file=path,
            row=row,
            value=line,
            fix='write one object a line, as {"text": "...", "label": "..."}.',
        )
    if value.twice is not None:
        raise CalmError(
            "D74", "the key stands twice in one object.", file=path, row=row, field=value.twice, fix="keep one of them."
        )
    return value


def parse_json(text: str) -> Any:
    """A JSON value, objects as `JsonObject`; None for what is no JSON, too deep, or has an endless number."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


class JsonObject(dict[str, Any]):
    """A JSON object that remembers a key it was given twice."""

    twice: str | None = None


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    made = JsonObject(pairs)
    if len(made) < len(pairs):
        made.twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
    return made


# Control characters inside strings are let through here and judged cell by cell, where the field is known.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, strict=False)


def _read_parquet(path: Path, wanted: Sequence[str]) -> Iterator[Record | CalmError]:
    import pyarrow
    import pyarrow.parquet

    row = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            names = _check_header(path, list(table.schema_arrow.names), wanted)
            columns = [name for name in names if name in wanted]
            for name in columns:
                _check_type(path, name, table.schema_arrow.field(name).type)
            for batch in table.iter_batches(batch_size=256, columns=columns):
                for place in range(batch.num_rows):
                    row += 1
                    try:
                        cells = {name: _parquet_cell(batch.column(name)[place]) for name in columns}
                        _check_cells(path, row, cells)
                        yield Record(row, cells)
                    except CalmError as problem:
                        yield problem
    except (pyarrow.ArrowException, OSError) as error:
        raise CalmError(
            "D62",
            "cannot be read as Parquet.",
            file=path,
            row=row + 1,
            value=str(error),
            fix="write the file again; it may be cut off or of another format.",
        ) from error


def _check_type(path: Path, name: str, kind: Any) -> None:
    if not _is_plain(kind):
        raise CalmError(
            "D75",
            "columns of this type are not read.",
            file=path,
            row=1,
            field=name,
            value=str(kind),
            fix="store strings, whole numbers or booleans.",
        )


def _is_plain(kind: Any) -> bool:
    """Whether a Parquet type is text, number, boolean, or a struct of those."""
    from pyarrow import types

    if types.is_struct(kind):
        return all(_is_plain(kind.field(place).type) for place in range(kind.num_fields))
    if types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    plain = (
        types.is_string,
        types.is_large_string,
        types.is_boolean,
        types.is_integer,
        types.is_floating,
        types.is_null,
    )
    return any(test(kind) for test in plain)


def _parquet_cell(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError as error:
        return error.object.decode("utf-8", "surrogateescape")


_READERS = {
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".jsonl": _read_json_lines,
    ".parquet": _read_parquet,
}
