"""Miniature files in the published layouts; every text and number in them is invented."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pytest

WriteSheet = Callable[..., Path]
WriteCsv = Callable[[Path, Sequence[str], Iterable[Sequence[object]]], Path]

MENA_FACTS = ("Source", "Sub Question", "Min", "MAX", "Scale", "Category", "Sub Category", "Full Question")
QUESTION = (
    "WVS 7", "Q1: Important: tea", 1, 4, "y", "LIFE", "DRINKS",
    "How important is 'tea' in your life, with '1' being 'Very important' and '4' being 'Not important'. "
    "Provide a number only.",
)  # fmt: skip


@pytest.fixture
def write_csv() -> WriteCsv:
    def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([header, *rows])
        return path

    return write


@pytest.fixture
def write_sheet(tmp_path: Path) -> WriteSheet:
    """A transposed workbook: questions (facts by name, else those of `QUESTION`) and cells by country."""
    openpyxl = pytest.importorskip("openpyxl")

    def write(
        questions: Sequence[tuple[Mapping[str, object], Mapping[str, object]]],
        countries: Sequence[str] = ("Egypt", "Palestine", "Turkey"),
        names: Sequence[str] = MENA_FACTS,
    ) -> Path:
        book = openpyxl.Workbook()
        sheet = book.active
        usual = dict(zip(MENA_FACTS, QUESTION, strict=True))
        for name in names:
            sheet.append([name, *({**usual, **facts}[name] for facts, _ in questions)])
        for country in countries:
            sheet.append([country, *(cells.get(country) for _, cells in questions)])
        book.save(tmp_path / "MenaValues Benchmark.xlsx")
        return tmp_path

    return write
