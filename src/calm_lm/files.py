"""Files that are whole or absent: atomic writes, checksums, and disk trouble told in one line.

A write goes to a temporary file beside its target, is flushed to the disk, and is renamed over the
target; a kill at any instant leaves the old file or the new one. Every other room writes through here.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calm_lm.errors import CalmError


def sha256_bytes(data: bytes) -> str:
    """Hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` on `path` (full, read-only, forbidden, a file in the way) into one `CalmError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise CalmError(
            "F01",
            f"cannot be written or read ({reason}).",
            file=path,
            fix="free space, or choose a folder you may write to; earlier results are untouched.",
        ) from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that a rename in it survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a temporary file beside `path`, then put it in place in one step.

    Raises:
        CalmError: F01 when the disk is full, read-only or the folder cannot be made.
    """
    path = Path(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        part = Path(name)
        try:
            fill(part)
            with part.open("rb") as stream:
                os.fsync(stream.fileno())
            part.chmod(0o644)
            os.replace(part, path)  # noqa: PTH105 (tests of kills count exactly this call)
            sync_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    write_atomically(path, lambda part: _store(part, data))


def _store(part: Path, data: bytes) -> None:
    part.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path` atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, keys in the given order, NaN refused, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        CalmError: F01 when it cannot be read, F02 when it is not UTF-8 JSON or an object has a name twice.
    """
    with disk_errors(path):
        data = path.read_bytes()
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=unique_names)
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, a number of thousands of digits, too deep
        raise CalmError(
            "F02", f"is not readable JSON ({error}).", file=path, fix="restore the file or make it again."
        ) from error


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object from its pairs, for `object_pairs_hook`: of two values with one name, neither is taken.

    Raises:
        ValueError: when a name stands twice.
    """
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name stands twice")
    return names
