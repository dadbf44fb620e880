"""The rows that benchmarks are read into, where a labelled text (`data.example`) does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from calm_lm.data.tables import Row, Table, find, read_table
from calm_lm.errors import CalmError


@dataclass(frozen=True, slots=True)
class ChoiceQuestion:
    """A question with one right option.

    Attributes:
        id: unique.
        group: what belongs together when rows are resampled: the question asked of several places, the template.
        text: the question as it is put.
        options: in the published order.
        answer: index of the right one.
        place: culture id of the place it is about.
        biased: index of the option that a stereotype would choose, None where there is none.
        tags: further facts as (name, value) pairs.
    """

    id: str
    group: str
    text: str
    options: tuple[str, ...]
    answer: int
    place: str
    biased: int | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def tag(self, name: str) -> str | None:
        """The value of one tag, or None."""
        return dict(self.tags).get(name)


@dataclass(frozen=True, slots=True)
class SentencePair:
    """Two sentences that differ in the group they speak of.

    Attributes:
        id: unique.
        more: the more stereotyping one.
        less: the other.
        direction: `stereo` where `more` states a stereotype, `antistereo` where `less` goes against one.
        kind: which bias.
    """

    id: str
    more: str
    less: str
    direction: str
    kind: str


@dataclass(frozen=True, slots=True)
class Story:
    """Something somebody does, and whether that is acceptable where it happens.

    Attributes:
        id: unique.
        place: culture id.
        value: the abstract value behind the norm.
        rule: the norm itself.
        text: what happens.
        label: `yes`, `no` or `neutral`.
    """

    id: str
    place: str
    value: str
    rule: str
    text: str
    label: str


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Rows(Generic[R]):
    """All rows of a benchmark, of one frozen type.

    Attributes:
        of: which rows they are.
        rows: in the order of the file.
        notes: what a user must know (rows left out, with counts).
    """

    of: type[R]
    rows: tuple[R, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[R]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def unique_id(row: Row, field: str, seen: set[str]) -> str:
    """The row's id, remembered in `seen`.

    Raises:
        CalmError: D09 for an id that was there before.
    """
    name = row.text(field)
    if name in seen:
        raise CalmError("D09", "the id stands there twice.", fix="keep one of the rows.", **row.place(field))
    seen.add(name)
    return name


def read_benchmark(folder: Path, names: Sequence[str], columns: Sequence[str], *, secret: bool = False) -> Table:
    """The first of `names` (each also as `.gz`) that lies in a folder, with at least one row.

    Args:
        folder: of the benchmark.
        names: relative to it; where none is there, the error names the first.
        columns: that are read.
        secret: leave cells out of error messages.

    Raises:
        CalmError: E52 for a file without rows, D13 to D25 for an unreadable one.
    """
    path = find(folder, *names) or folder / names[0]
    table = read_table(path, columns, secret=secret)
    require_rows(path, len(table.rows))
    return table


def require_rows(path: Path, found: int) -> None:
    """Refuse a file that holds a header alone.

    Raises:
        CalmError: E52.
    """
    if not found:
        raise CalmError("E52", "holds no row.", file=path, fix="get the file again.")
