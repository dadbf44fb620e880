"""Cells of a user's row, each read as what its column stands for, or refused.

Every reader takes the cell and `wrong`, which makes the error that already knows the file, row, field and value.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from calm_lm.culture.blend import Blend
from calm_lm.culture.ids import check_blend
from calm_lm.data.records import JsonObject, Record, parse_json
from calm_lm.errors import CalmError

MOST_UNKNOWN = 100
SPLITS = {"train": "train", "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid", "test": "test"}

Wrong = Callable[..., CalmError]


def show_cell(value: Any) -> str:
    """A cell as text for an error; JSON nested too deep to be printed is named by its type."""
    try:
        return value if isinstance(value, str) else repr(value)
    except RecursionError:
        return type(value).__name__


def read_cell(path: Path, record: Record, name: str | None, parse: Callable[[Any, Wrong], Any]) -> Any:
    """One cell of a record through its reader; None for a column the user did not name.

    Raises:
        CalmError: D65 for NaN, or whatever `parse` finds wrong, with file, row, field and value.
    """
    if name is None:
        return None
    value = record.cells[name]
    wrong = partial(CalmError, file=path, row=record.row, field=name, value=show_cell(value))
    if (isinstance(value, float) and not math.isfinite(value)) or value in ("nan", "NaN"):
        raise wrong("D65", "is NaN or infinite.", fix="write what belongs there, or leave an optional cell empty.")
    return parse(value, wrong)


def read_text(value: Any, wrong: Wrong) -> str:
    """The text as it stands; it holds more than white space."""
    if not isinstance(value, str) or not value.strip():
        raise wrong("D64", "the text is empty or no text.", fix="write the text, or remove the row.")
    return value


def read_label(value: Any, wrong: Wrong) -> str | None:
    """The label as text, or None where the cell is empty."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() <= 63:
        return str(value)
    if isinstance(value, str):
        return value.strip()
    raise wrong("D67", "a label is text, a whole number or true and false.", fix="write it as one of those.")


def read_votes(value: Any, wrong: Wrong) -> dict[str, int] | tuple[int, ...] | None:
    """Counts by label, or in the order of the labels, or None where the cell is empty."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        bars = "|" in value and "{" not in value
        counts: dict[str, Any] | tuple[Any, ...] = (
            _counts_between_bars(value) if bars else _counts_by_label(parse_json(value))
        )
    else:
        counts = _counts_by_label(value)
    numbers = list(counts.values()) if isinstance(counts, dict) else list(counts)
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 10**9 for n in numbers) or not sum(numbers):
        raise wrong(
            "D68",
            "votes are whole numbers from 0, of which at least one is above 0.",
            fix='write {"yes": 3, "no": 2}, or 3|2 in the order of the labels.',
        )
    return counts


def _counts_between_bars(text: str) -> tuple[Any, ...]:
    pieces = [piece.strip() for piece in text.split("|")]
    return tuple(int(piece) if piece.isascii() and piece.isdigit() and len(piece) < 10 else None for piece in pieces)


def _counts_by_label(value: Any) -> dict[str, Any]:
    """Label to count; nothing where the value is no object, or names a label twice."""
    if not isinstance(value, dict) or (isinstance(value, JsonObject) and value.twice is not None):
        return {}
    counts = {label.strip(): count for label, count in value.items()}
    return counts if len(counts) == len(value) else {}


class Cultures:
    """Culture cells of one file, each distinct cell looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, Blend] = {}
        self._unknown: dict[str, CalmError] = {}

    def read(self, value: Any, wrong: Wrong) -> Blend | None:
        """The blend with ids in canonical form, or None where the cell is empty."""
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if not isinstance(value, str):
            raise wrong("D82", "a culture is an id or a blend, written as text.", fix="write SG, or SG=0.5,AU=0.5.")
        if value in self._known:
            return self._known[value]
        # Finding the nearest ids takes time; a file with so many unknown ones has another column in this place.
        if value not in self._unknown and len(self._unknown) >= MOST_UNKNOWN:
            raise wrong(
                "D85",
                f"{MOST_UNKNOWN} unknown cultures stand above; further new ones are not looked up.",
                fix="name the column that holds culture ids with --culture.",
            )
        if value not in self._unknown:
            try:
                self._known[value] = check_blend(Blend.parse(value))
                return self._known[value]
            except CalmError as error:
                self._unknown[value] = error
        unknown = self._unknown[value]
        raise wrong(unknown.code, unknown.problem, fix=_ascii(unknown.fix))


def _ascii(text: str) -> str:
    """Names of places in plain letters, so that an error prints on any terminal."""
    return unicodedata.normalize("NFKD", text.replace("\u2019", "'")).encode("ascii", "ignore").decode("ascii")


def read_name(value: Any, wrong: Wrong) -> str:
    """The name of a row or a group."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 63:
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise wrong("D83", "the cell is empty, or neither text nor a whole number.", fix="write a name in each row.")
    return value


def read_split(value: Any, wrong: Wrong) -> str:
    """train, valid or test, also by their other usual names."""
    name = SPLITS.get(value.strip()) if isinstance(value, str) else None
    if name is None:
        raise wrong("D70", "is no split.", fix="write train, valid or test.")
    return name
