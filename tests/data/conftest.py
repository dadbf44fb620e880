"""Fixtures for tests of published layouts."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

WriteCsv = Callable[[Path, Sequence[str], Iterable[Sequence[object]]], Path]


@pytest.fixture
def write_csv() -> WriteCsv:
    """Write a header and rows to a CSV file, making its folder."""

    def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([header, *rows])
        return path

    return write
