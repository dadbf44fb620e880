"""The metrics log: one JSON object per line, cut back to the checkpoint when a run is resumed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from calm_lm.files import disk_errors

WALL_CLOCK = "seconds"  # the one field that differs between a straight and a resumed run


class MetricsLog:
    """Appends to `metrics.jsonl`.

    Args:
        path: the file.
        length: bytes to keep of what is there; a resumed run drops lines its checkpoint does not know.
    """

    def __init__(self, path: Path, length: int) -> None:
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
            self._file.truncate(length)
            self._file.seek(length)
        self.path = path

    def write(self, record: dict[str, Any]) -> None:
        """Append one line."""
        with disk_errors(self.path):
            self._file.write(json.dumps(record, allow_nan=False).encode() + b"\n")

    def flush(self) -> int:
        """Bring all lines to the disk and return the file's length."""
        with disk_errors(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._file.close()
