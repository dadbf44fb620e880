"""The first sheet of a workbook, read with openpyxl, which is asked for only here."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors

# what openpyxl lets through for a damaged file
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, LookupError, ValueError, TypeError,
    AttributeError, SyntaxError,
)  # fmt: skip


def read_sheet(path: Path) -> list[tuple[object, ...]]:
    """The values of the first sheet, row by row; formulas give the value that was saved with them.

    Raises:
        CalmError: F01 where the file cannot be read, V29 without openpyxl, V30 for what is no workbook,
            V58 for one whose first sheet has no rows.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise CalmError(
            "V29", "this file is a workbook, and openpyxl is not installed.", file=path,
            fix="run `pip install 'calm-lm[survey]'` (or `pip install openpyxl`).",
        ) from error  # fmt: skip
    with disk_errors(path), path.open("rb") as stream:
        try:
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            rows: list[tuple[object, ...]] = [tuple(row) for row in book.worksheets[0].iter_rows(values_only=True)]
        except _DAMAGED as error:
            problem = f"is no readable workbook ({type(error).__name__})."
            raise CalmError("V30", problem, file=path, fix="get the file again.") from error
    if not rows:
        raise CalmError("V58", "the first sheet is empty.", file=path, fix="get the file again.")
    return rows
