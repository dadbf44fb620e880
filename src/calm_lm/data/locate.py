"""Where published material lies on this machine: in a folder of its own under the folder of data sets, or in that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Protocol

from calm_lm.errors import UnavailableError

DATA_DIR_VARIABLE = "CALM_DATA"


class Located(Protocol):
    """Anything known by name that is read from a folder: a data set, a benchmark, a survey, a table."""

    @property
    def title(self) -> str:
        """Its authors' name for it."""
        ...

    @property
    def folder(self) -> str:
        """Name of its folder under the data folder."""
        ...

    @property
    def signs(self) -> tuple[str, ...]:
        """Patterns relative to the folder, any of which tells that it lies there."""
        ...

    @property
    def obtain(self) -> str:
        """One sentence on how a user gets it."""
        ...


class Codes(NamedTuple):
    """The error codes of a room: no data folder was given, it is not in there."""

    none_given: str
    not_there: str


def given_folder(data_dir: Path | None) -> Path | None:
    """The folder of data sets: the one named, else that of `CALM_DATA`, else None."""
    named = data_dir if data_dir is not None else os.environ.get(DATA_DIR_VARIABLE) or None
    return None if named is None else Path(named)


def find_folder(wanted: Located, data_dir: Path | None) -> Path | None:
    """The folder it lies in, None where it is nowhere."""
    given = given_folder(data_dir)
    places = () if given is None else (given / wanted.folder, given)
    return next((p for p in places if any(next(p.glob(sign), None) is not None for sign in wanted.signs)), None)


def require_folder(wanted: Located, data_dir: Path | None, codes: Codes) -> Path:
    """The folder it lies in.

    Raises:
        UnavailableError: the room's codes, without a data folder, and where it is in neither place.
    """
    given = given_folder(data_dir)
    if given is None:
        code = codes.none_given
        raise UnavailableError(
            code, f"{wanted.title} is read from a folder of data sets, and none was given.", field="--data-dir",
            fix=f"pass --data-dir or set {DATA_DIR_VARIABLE}. {wanted.obtain}",
        )  # fmt: skip
    found = find_folder(wanted, data_dir)
    if found is None:
        code = codes.not_there
        raise UnavailableError(
            code, f"{wanted.title} is not there: looked for {' or '.join(wanted.signs)} in {given / wanted.folder} and "
            f"{given}.", file=given, fix=wanted.obtain,
        )  # fmt: skip
    return found
