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

from calm_lm.errors import CalmError, show

YAML_BYTES = 2 << 20
YAML_PARTS = 200_000  # values in a file that people write, each alias counted with all that it repeats


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


def parse_yaml(data: bytes) -> Any:
    """What a YAML file of a user holds: at most `YAML_BYTES` of UTF-8 and `YAML_PARTS` values, no key twice.

    Raises:
        ValueError: for anything else, in one line.
    """
    import yaml

    if len(data) > YAML_BYTES:
        raise ValueError(f"it is larger than {YAML_BYTES:,} bytes")
    try:
        loader = yaml.SafeLoader(data.decode("utf-8-sig"))
        root = loader.get_single_node()
        if root is None:
            return None
        _count_parts(root, {})
        return loader.construct_document(root)
    except (yaml.YAMLError, ValueError, AttributeError, LookupError, RecursionError) as error:
        # the four others are what PyYAML lets through for `2024-99-99`, `!!timestamp x`, `!!bool x` and deep nesting
        raise ValueError(" ".join(str(error).split())[:200]) from error


def _count_parts(node: Any, known: dict[int, int]) -> int:
    """Values below a node of YAML, itself among them; an alias is the node it repeats."""
    if id(node) not in known:
        known[id(node)] = YAML_PARTS  # where it holds itself
        below = node.value if isinstance(node.value, list) else []
        keys = [pair[0].value for pair in below if isinstance(pair, tuple) and isinstance(pair[0].value, str)]
        if len(set(keys)) != len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"the key {show(twice)} stands twice below line {node.start_mark.line + 1}")
        parts = [each for part in below for each in (part if isinstance(part, tuple) else (part,))]
        known[id(node)] = 1 + sum(_count_parts(each, known) for each in parts)
    if known[id(node)] >= YAML_PARTS:
        raise ValueError("aliases make it larger than any file that people write, or it holds itself")
    return known[id(node)]


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object from its pairs, for `object_pairs_hook`: of two values with one name, neither is taken.

    Raises:
        ValueError: when a name stands twice.
    """
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name stands twice")
    return names
