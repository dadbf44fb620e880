"""A CSV of respondents read in blocks, each column as places in the list of its different values.

Looking up a few different values instead of every cell is what makes a hundred thousand respondents a matter of
seconds; what does not fit is counted, value by value, with the first row of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from calm_lm.errors import CalmError, show
from calm_lm.files import disk_errors
from calm_lm.survey.codebook import code_of

Ints = npt.NDArray[np.int64]

BLOCK_BYTES = 2 << 20  # of the file at a time
SHOWN_VALUES = 5  # of a column that do not fit; every such column is named
UNKNOWN = -1  # a group's value that is not known: the respondent falls into no cell
WRONG = -2  # a value that the codebook does not know


class _Place(NamedTuple):
    first: int
    rows: int


@dataclass
class Mismatches:
    """What does not fit: how often, and every column with its values, each with its first row."""

    total: int = 0
    columns: list[str] = field(default_factory=list)
    found: dict[tuple[str, str], dict[str, _Place]] = field(default_factory=dict)  # by column and what is wrong, value

    def add(self, column: str, value: str, why: str, rows: Sequence[int]) -> None:
        """A value of a column that does not fit, in these rows."""
        self.total += len(rows)
        values = self.found.setdefault((column, why), {})
        before = values.get(value, _Place(rows[0], 0))
        values[value] = _Place(before.first, before.rows + len(rows))

    def column(self, name: str, times: int) -> None:
        """A column that is not there, or stands there several times."""
        self.total += 1
        often = "twice" if times == 2 else f"{times} times"
        self.columns.append(f"column {name} stands {often}" if times else f"column {name} is missing")

    def listed(self) -> str:
        """Every column with what is wrong in it; of its values the first few by row."""
        told = list(self.columns)
        for (column, why), values in self.found.items():
            ordered = sorted(values.items(), key=lambda each: each[1])
            for value, (first, count) in ordered[:SHOWN_VALUES]:
                rows = f"row {first}" if count == 1 else f"row {first} and {count - 1} more"
                told.append(f"{rows}, {column}: {show(value)} {why}")
            if len(ordered) > SHOWN_VALUES:
                told.append(f"{column}: so are {len(ordered) - SHOWN_VALUES} more of its values")
        return "; ".join(told)

    def refuse(self, path: Path) -> None:
        """Once the whole file is read.

        Raises:
            CalmError: V51 where anything does not fit.
        """
        if self.total:
            raise CalmError(
                "V51",
                f"{self.total} {'cell or column does' if self.total == 1 else 'cells or columns do'} not fit the "
                f"codebook: {self.listed()}.",
                file=path,
                fix="correct the file, or the codebook (options, missing codes, countries).",
            )


class Column(NamedTuple):
    """A block's column as places in the list of its different values."""

    values: list[str]
    places: Ints

    @classmethod
    def of(cls, array: Any) -> Column:
        """From a column of a block."""
        encoded = array.dictionary_encode()
        return cls([str(each) for each in encoded.dictionary.to_pylist()], encoded.indices.to_numpy().astype(np.int64))

    def through(self, table: Mapping[str, str]) -> Column:
        """The column of what each value stands for; a value that stands for nothing stays itself."""
        return Column([table.get(value.strip(), value) for value in self.values], self.places)

    def coded(self, known: Mapping[str, int], wrong: Mismatches, column: str, why: str, numbers: range) -> Ints:
        """What each row's value is in `known`; those that are not are noted."""
        return self.lookup([known.get(code_of(value), WRONG) for value in self.values], wrong, column, why, numbers)

    def lookup(self, table: Sequence[int], wrong: Mismatches, column: str, why: str, numbers: range) -> Ints:
        """What `table` holds for each row's value; where that is `WRONG`, the rows are noted.

        Args:
            table: for each of `values`, in their order.
            wrong: takes what does not fit.
            column: its name.
            why: what is wrong with such a value.
            numbers: the rows' lines in the file.
        """
        found = np.asarray(table, dtype=np.int64)[self.places]
        for place, to in enumerate(table):
            if to == WRONG:
                at = np.flatnonzero(self.places == place)
                wrong.add(column, self.values[place], why, [numbers[row] for row in at])
        return found


class Block(NamedTuple):
    """Some rows of a file: its columns by name, and the lines that they stand on."""

    columns: dict[str, Column]
    numbers: range


def read_checked(path: Path, columns: Sequence[str], wrong: Mismatches) -> Iterator[Block]:
    """The wanted columns in blocks, as far as they stand there once; at the end, what does not fit is an error.

    A column that is missing makes the result an error already; the others are still given, so that every mismatch is
    named.

    Args:
        path: of the CSV.
        columns: by name, each once; the first tells which sign stands between columns.
        wrong: takes what does not fit, also while the blocks are looked at.

    Raises:
        CalmError: F01, V49, V51, V52 for a file without rows.
    """
    header, delimiter = read_header(path, columns[0])
    for name in columns:
        if header.count(name) != 1:
            wrong.column(name, header.count(name))
    present = [name for name in columns if header.count(name) == 1]
    rows = 0
    for block in read_blocks(path, present, delimiter) if present else ():
        numbers = range(rows + 2, rows + 2 + block.num_rows)
        rows += block.num_rows
        yield Block({name: Column.of(block.column(name)) for name in present}, numbers)
    wrong.refuse(path)
    if not rows:
        raise CalmError("V52", "holds no respondents.", file=path, fix="give the file with its rows.")


def read_header(path: Path, column: str) -> tuple[list[str], str]:
    """The names of the columns, and the sign between them: that with which `column` is found."""
    with disk_errors(path), path.open("rb") as stream:
        first = stream.readline(1 << 20)
    try:
        line = first.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise _no_csv(path, "its header is no UTF-8 text") from error
    splits = {sign: [name.strip('"') for name in line.split(sign)] for sign in (",", ";", "\t")}
    sign = next((sign for sign, names in splits.items() if column in names), max(splits, key=lambda s: len(splits[s])))
    return splits[sign], sign


def read_blocks(path: Path, columns: Sequence[str], delimiter: str) -> Iterator[Any]:
    """The wanted columns of a CSV as record batches of texts, about two MiB of the file at a time.

    Raises:
        CalmError: F01 or V49 for a file that cannot be read.
    """
    import pyarrow
    import pyarrow.csv

    options = pyarrow.csv.ConvertOptions(
        include_columns=list(columns),
        column_types={name: pyarrow.string() for name in columns},
        strings_can_be_null=False,
    )
    try:
        # a stream of ours: given a path, pyarrow reads ahead as far as the whole file
        with (
            path.open("rb") as stream,
            pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
                parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                convert_options=options,
            ) as reader,
        ):
            yield from reader
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
        raise _no_csv(path, " ".join(str(error).split())[:150]) from error


def _no_csv(path: Path, reason: str) -> CalmError:
    return CalmError("V49", f"is no readable CSV ({reason}).", file=path, fix="save it as CSV in UTF-8.")
