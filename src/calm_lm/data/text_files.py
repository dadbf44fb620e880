"""A published file as text, plain or packed with gzip; rooms give the codes that their own errors carry."""

from __future__ import annotations

import ast
import gzip
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors


class TextCodes(NamedTuple):
    """The error codes of a room: damaged gzip, bytes that are no UTF-8."""

    packed: str
    encoding: str


def unpack(path: Path, data: bytes) -> bytes:
    """The bytes of a file, unpacked where its name ends in `.gz`.

    Raises:
        ValueError: for damaged gzip.
    """
    if path.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"damaged gzip: {error}") from error


def decode(path: Path, data: bytes, codes: TextCodes) -> str:
    """The bytes of a file as UTF-8 text, unpacked, without a byte order mark.

    Raises:
        CalmError: the room's codes.
    """
    code = codes.packed
    try:
        data = unpack(path, data)
    except ValueError as error:
        raise CalmError(code, f"is {error}.", file=path, fix="get the file again.") from error
    code = codes.encoding
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CalmError(
            code,
            "is not UTF-8 text.",
            file=path,
            row=data.count(b"\n", 0, error.start) + 1,
            fix="save the file as UTF-8.",
        ) from error


def read_text(path: Path, codes: TextCodes) -> str:
    """A text file, as `decode` gives it.

    Raises:
        CalmError: F01 where it cannot be read, and the room's codes.
    """
    with disk_errors(path):
        data = path.read_bytes()
    return decode(path, data, codes)


def python_literal(text: str) -> Any:
    """A list, a table, a number or a text as Python writes it, the way pandas puts one into a cell; never `eval`.

    Raises:
        ValueError: for anything else.
    """
    try:
        return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("no plain value") from error
