"""Answers kept on disk by what was asked, so that a run killed at any instant repeats no question.

The file is SQLite in WAL mode, one transaction an answer. A kill loses nothing that `put` has returned from; a power
cut may lose the last answers, never the file. Several processes may share it, on one machine.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

import tenacity

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors, sha256_bytes

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
T = TypeVar("T")

APPLICATION = 0x43414C4D  # marks the file as ours; "CALM"
SCHEMA = 1
BUSY_SECONDS = 30.0
DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def make_key(parts: Mapping[str, Json]) -> str:
    """Hex SHA-256 over `parts` as canonical JSON: equal parts give equal keys, different parts different ones.

    Nothing is joined, so no text can reach into its neighbour. 1, 1.0, True and "1" are four different values.

    Raises:
        CalmError: L54 for what JSON cannot hold exactly (NaN, names that are no text, half a surrogate pair).
    """
    return sha256_bytes(_encode(parts))


class AnswerCache:
    """A file of answers; use it as a context manager, or close it.

    Args:
        path: of the file, made with its folders where it is not there.

    Attributes:
        damaged: entries found damaged and dropped since opening.

    Raises:
        CalmError: L55 for a file that is no cache or of another schema, L56 where SQLite cannot work, F01 on disk
            trouble.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.damaged = Path(path), 0
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._database_errors():
            self._file = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                _when_free(self._open)
            except BaseException:
                self._file.close()
                raise

    def get(self, key: str) -> Json:
        """The answer, None where there is none (or where it is null); a damaged entry is dropped and counted.

        Raises:
            CalmError: L56.
        """
        with self._database_errors():
            try:
                row = self._file.execute("SELECT value, sha256 FROM answers WHERE key = ?", (key,)).fetchone()
            except sqlite3.DatabaseError as error:
                if _code(error) not in DAMAGE:
                    raise
                row = (None, None)
        if row is None:
            return None
        value, checksum = row
        if isinstance(value, bytes) and checksum == _checksum(key, value):
            with suppress(ValueError, RecursionError):  # whole by its checksum, yet not written by `put`
                answer: Json = json.loads(value)
                return answer
        self.drop(key)
        return None

    def put(self, key: str, value: Json) -> None:
        """Keep an answer in place of any earlier one; it is on disk when this returns.

        Raises:
            CalmError: L54 for what JSON cannot hold, L56.
        """
        data = _encode(value)
        with self._database_errors():
            self._file.execute("REPLACE INTO answers VALUES (?, ?, ?)", (key, data, _checksum(key, data)))

    def drop(self, key: str) -> None:
        """Remove an entry that is not what it should be, and count it as damaged."""
        self.damaged += 1
        with suppress(sqlite3.DatabaseError):  # in a file damaged so far, the entry stays and is refused again
            self._file.execute("DELETE FROM answers WHERE key = ?", (key,))

    def __len__(self) -> int:
        with self._database_errors():
            return int(self._file.execute("SELECT count(*) FROM answers").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _open(self) -> None:
        """Make the table in an empty file, or see that the file is ours before a byte of it changes."""
        self._file.execute("BEGIN IMMEDIATE")  # two processes that find it empty make it one after the other
        try:
            application, schema, tables = (
                int(self._file.execute(question).fetchone()[0])
                for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
            )
            if (application, schema, tables) == (0, 0, 0):
                self._file.execute("CREATE TABLE answers (key TEXT PRIMARY KEY, value BLOB, sha256 TEXT)")
                self._file.execute(f"PRAGMA application_id = {APPLICATION}")
                self._file.execute(f"PRAGMA user_version = {SCHEMA}")
            elif (application, schema) != (APPLICATION, SCHEMA):
                raise self._foreign()
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        self._file.text_factory = _text  # a flipped bit may make text undecodable

    @contextmanager
    def _database_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            # what we ask is always the same, so that a mistake in it means that the table is not ours
            if _code(error) in {*DAMAGE, sqlite3.SQLITE_ERROR}:
                raise self._foreign() from error
            raise CalmError(
                "L56",
                f"the answer cache cannot be read or written ({error}).",
                file=self.path,
                fix="free space, choose a folder you may write to, or close the program that holds the file.",
            ) from error

    def _foreign(self) -> CalmError:
        return CalmError(
            "L55",
            f"is no answer cache of schema {SCHEMA}, or is damaged beyond use.",
            file=self.path,
            fix="move the file away and begin a new one, or name another.",
        )


def _when_free(act: Callable[[], T]) -> T:
    """SQLite does not wait for the lock that the change to WAL needs, so two openings at once are tried again."""
    locked = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: _code(error) in locked),
        stop=tenacity.stop_after_delay(BUSY_SECONDS),
        wait=tenacity.wait_random(0.001, 0.05),
        reraise=True,
    )
    return retrying(act)


def _code(error: BaseException) -> int:
    """SQLite's primary result code, 0 where the error has none."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _checksum(key: str, value: bytes) -> str:
    """Over key and value, so that an entry read under another's key is refused too."""
    return sha256_bytes(sha256_bytes(key.encode()).encode() + value)


def _encode(value: Json) -> bytes:
    try:
        _check_names(value)
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:  # also half a surrogate pair
        raise CalmError(
            "L54",
            f"an answer or a key holds what JSON cannot ({type(error).__name__}).",
            fix="use text, finite numbers, lists and objects with text as names.",
        ) from error


def _check_names(value: Json) -> None:
    """json.dumps would turn the name 1 into "1" and so give two different objects one key."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if not isinstance(name, str):
                raise TypeError("a name that is no text")
            _check_names(part)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for part in value:
            _check_names(part)
