"""The user's cache folder, and checksums of large files remembered between runs."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_dir

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors, read_json, sha256_bytes, sha256_file, write_json


def cache_folder() -> Path:
    """`CALM_CACHE`, or the platform's cache folder for `calm-lm`; not made here."""
    return Path(os.environ.get("CALM_CACHE") or user_cache_dir("calm-lm")).expanduser()


def recorded_sha256(path: Path) -> str:
    """Hex SHA-256 of a file, read again only when its path, size or modification time has changed.

    Raises:
        CalmError: F01 when the file cannot be read or the cache folder cannot be written.
    """
    path = path.resolve()
    with disk_errors(path):
        about = path.stat()
    key = {"path": str(path), "size": about.st_size, "mtime_ns": about.st_mtime_ns}
    record = cache_folder() / "checksums" / f"{sha256_bytes(str(path).encode())}.json"
    known = _read_record(record)
    if {name: known.get(name) for name in key} == key and isinstance(known.get("sha256"), str):
        return str(known["sha256"])
    with disk_errors(path):
        digest = sha256_file(path)
    write_json(record, {**key, "sha256": digest})
    return digest


def _read_record(record: Path) -> dict[str, object]:
    """A record, or nothing where it is absent or damaged: it is then made again from the file itself."""
    if not record.is_file():
        return {}
    try:
        value = read_json(record)
    except CalmError:
        return {}
    return value if isinstance(value, dict) else {}
