"""The metrics log: one JSON object per line, cut back to the checkpoint when a run is resumed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors

WALL_CLOCK = "seconds"  # the one field that differs between a straight and a resumed run


class MetricsLog:
    """Appends to `metrics.jsonl`; a line is with the system when `write` returns.

    Args:
        path: the file; None keeps nothing (processes that do not write).
        length: bytes to keep of what is there; a resumed run drops lines its checkpoint does not know.

    Raises:
        CalmError: F01 when it cannot be written, T12 when it is shorter than the checkpoint says.
    """

    def __init__(self, path: Path | None, length: int) -> None:
        self._path = path
        if path is None:
            return
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
            there = os.fstat(self._file.fileno()).st_size
        if there < length:
            self._file.close()
            raise CalmError(
                "T12",
                f"has {there} bytes, the checkpoint was made when it had {length}.",
                file=path,
                fix="restore the file, or begin the run again.",
            )
        with disk_errors(path):
            self._file.truncate(length)

    def write(self, record: dict[str, Any]) -> None:
        """Append one line."""
        if self._path is None:
            return
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with disk_errors(self._path):
            while line:
                line = line[self._file.write(line) :]

    def flush(self) -> int:
        """Bring all lines to the disk and return the file's length."""
        if self._path is None:
            return 0
        with disk_errors(self._path):
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path is not None:
            try:
                if error is None:
                    self.flush()
            finally:
                self._file.close()
