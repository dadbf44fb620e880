"""The one error a user sees: what is wrong, where it stands, and how to mend it.

Every mistake a user can make (a bad row, an unknown culture, a damaged model folder, a full disk) is a
`CalmError`; the command line prints it in one line and leaves with its exit code, 2. Anything else that
escapes is our own fault and leaves with exit code 1. Codes are a letter for the room and two digits
(`D04`), unique in the source, so they can be searched for and tests can assert on them.
"""

from __future__ import annotations

from os import PathLike
from reprlib import Repr

_UNSET = object()
SHOWN = 60  # characters of a foreign value that an error may repeat
_BRIEF = Repr()  # a value may hold itself, or grow without end where aliases of YAML are followed
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxother = 3, 4 * SHOWN, 4 * SHOWN
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxset = _BRIEF.maxfrozenset = _BRIEF.maxdict = SHOWN // 2


def show(value: object) -> str:
    """`value` as it may be printed: escaped to printable ASCII, quoted, cut to 60 characters."""
    text = value if isinstance(value, str) else _brief(value)
    escaped = text[: SHOWN + 1].encode("unicode_escape", "backslashreplace").decode("ascii")
    return f"'{escaped[:SHOWN]}...'" if len(escaped) > SHOWN or len(text) > SHOWN else f"'{escaped}'"


def _brief(value: object) -> str:
    try:
        return _BRIEF.repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        return type(value).__name__


class CalmError(Exception):
    """A mistake the user can mend.

    Args:
        code: a letter for the room and two digits, unique in the source.
        problem: what is wrong, in plain words, without the place and the value.
        fix: what to do about it.
        file: the file or folder it concerns.
        row: the line of the file, counted from 1 as an editor counts.
        field: the column, key or option.
        value: the offending value; shown escaped and cut to 60 characters.
        secret: leave the value out of the message (texts of data sets flagged offensive).
    """

    exit_code = 2

    def __init__(
        self,
        code: str,
        problem: str,
        *,
        fix: str,
        file: str | PathLike[str] | None = None,
        row: int | None = None,
        field: str | None = None,
        value: object = _UNSET,
        secret: bool = False,
    ) -> None:
        self.code, self.problem, self.fix = code, problem, fix
        self.file = None if file is None else str(file)
        self.row, self.field = row, field
        self.shown = None if value is _UNSET or secret else show(value)
        super().__init__(str(self))

    def __str__(self) -> str:
        place = [
            part
            for part in (
                None if self.file is None else self.file.encode("unicode_escape").decode("ascii"),
                None if self.row is None else f"row {self.row}",
                None if self.field is None else f"field {show(self.field)}",
                None if self.shown is None else f"value {self.shown}",
            )
            if part
        ]
        where = f"{', '.join(place)}: " if place else ""
        return f"[{self.code}] {where}{self.problem} Fix: {self.fix}"


class UnavailableError(CalmError):
    """What is asked for cannot be had with this model or this data; where more was asked for, the rest goes on."""


class NothingMeasuredError(CalmError):
    """A report was written, as asked, and there is nothing in it."""

    exit_code = 1
