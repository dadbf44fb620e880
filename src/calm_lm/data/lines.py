"""Lines of a user's file as records take them: numbered, bounded, and given back where a record breaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from calm_lm.errors import CalmError

RECORD_BYTES = 1_000_000  # a record must be shorter than this


class Lines:
    """Decoded lines of a stream that know their number, are bounded, and can be given back.

    Bytes that are not UTF-8 become lone surrogates, so that the row can still be cut into fields and the
    field that holds them be named.
    """

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream, self._path = stream, path
        self._waiting: list[str] = []
        self._read = 0  # lines handed out, those given back not counted
        self.taken: list[str] = []  # lines of the record that is being read
        self._bytes = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.pop() if self._waiting else self._next_line()
        if not line:
            raise StopIteration
        self._read += 1
        self.taken.append(line)
        self._bytes += len(line.encode("utf-8", "surrogateescape"))
        if self._bytes >= RECORD_BYTES:
            raise CalmError(
                "D56",
                f"a row is shorter than {RECORD_BYTES:,} bytes; this one is longer, or a quote in it never closes.",
                file=self._path,
                row=self.row,
                value=self.taken[0],
                fix="shorten the text, or close the quote.",
            )
        return line

    def _next_line(self) -> str:
        raw = self._stream.readline(RECORD_BYTES)
        if len(raw) == RECORD_BYTES:
            rest = raw
            while rest and not rest.endswith(b"\n"):
                rest = self._stream.readline(RECORD_BYTES)
            return raw.decode("latin-1")  # one character a byte: long enough to be refused
        if self._read == 0:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        return raw.decode("utf-8", "surrogateescape")

    @property
    def row(self) -> int:
        """The line the record starts on."""
        return self._read - len(self.taken) + 1

    def start_record(self) -> None:
        """Forget the lines of the last record."""
        self.taken, self._bytes = [], 0

    def give_back(self) -> None:
        """Take back all lines of a broken record but its first: they may be rows of their own."""
        self._waiting.extend(reversed(self.taken[1:]))
        self._read -= len(self.taken) - 1
