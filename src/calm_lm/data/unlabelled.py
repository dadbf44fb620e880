"""A user's texts without labels: what `calm predict --in` reads."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from calm_lm.culture.blend import Blend
from calm_lm.data.cells import Cultures, read_cell, read_text
from calm_lm.data.records import read_records
from calm_lm.errors import CalmError


class Unlabelled(NamedTuple):
    """One row: its line, its text, and the reader's blend where a column gives one."""

    row: int
    text: str
    reader: Blend | None


def read_unlabelled(path: Path, text: str, culture: str | None) -> list[Unlabelled]:
    """Read texts, and readers where a culture column is named.

    Raises:
        CalmError: the first mistake in the file, with its place; D87 for a file without rows.
    """
    cultures = Cultures()
    rows: list[Unlabelled] = []
    for record in read_records(path, [text] if culture is None else [text, culture]):
        if isinstance(record, CalmError):
            raise record
        reader = read_cell(path, record, culture, cultures.read)
        rows.append(Unlabelled(record.row, read_cell(path, record, text, read_text), reader))
    if not rows:
        raise CalmError("D87", "holds no rows to read.", file=path, fix="write at least one row below the header.")
    return rows
