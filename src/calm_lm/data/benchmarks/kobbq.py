"""KoBBQ: Korean questions on a context that tells the answer, or does not (Jin and others, TACL 2024).

In an ambiguous context the right answer is that it cannot be known. In a disambiguated one it is a person: the one a
stereotype would name (`biased`) or the other (`counter`). The sample id says which, and the answer must agree.
"""

from __future__ import annotations

import re
from pathlib import Path

from calm_lm.data.benchmarks.registry import Benchmark
from calm_lm.data.benchmarks.rows import ChoiceQuestion, Rows, require_rows, unique_id
from calm_lm.data.records import read_records
from calm_lm.data.tables import Row
from calm_lm.errors import CalmError

UNKNOWN = "알 수 없음"
CONTEXTS = ("ambiguous", "biased", "counter")
_FILE = "KoBBQ_test_samples.tsv"
_COLUMNS = ("sample_id", "label_annotation", "context", "question", "choices", "biased_answer", "answer")
_ID = re.compile(r"(?P<category>[a-z_]+)-(?P<template>\d+)[a-z]-\d+-(?P<context>amb|dis)-(?:bsd|cnt)(?:-\d+)?")


def load(folder: Path) -> Rows[ChoiceQuestion]:
    """Read `KoBBQ_test_samples.tsv`, or the larger `KoBBQ_all_samples.tsv` in the same layout where only that is there.

    Raises:
        CalmError: D07 for an unreadable row, D09 for an id that stands there twice, E51 for one of another form, E52
            for no row, E53 for an answer that is no option or contradicts the context, D10 to D12 for a cell.
    """
    names = (_FILE, f"data/{_FILE}", "KoBBQ_all_samples.tsv", "data/KoBBQ_all_samples.tsv")
    path = next((folder / name for name in names if (folder / name).is_file()), folder / _FILE)
    seen: set[str] = set()
    questions = tuple(_question(row, seen) for row in _read(path))
    require_rows(path, len(questions))
    return Rows(ChoiceQuestion, questions)


def _read(path: Path) -> list[Row]:
    rows = []
    for record in read_records(path, _COLUMNS):
        if isinstance(record, CalmError):  # told again without the text
            raise CalmError(
                "D07", record.problem, fix=record.fix, file=path, row=record.row, field=record.field
            ) from None
        rows.append(Row(path, record.row, {name: str(record.cells[name]) for name in _COLUMNS}, secret=True))
    return rows


def _question(row: Row, seen: set[str]) -> ChoiceQuestion:
    name = unique_id(row, "sample_id", seen)
    told = _ID.fullmatch(name)
    if told is None:
        raise CalmError(
            "E51", "is no sample id of KoBBQ.", fix="take the file as its authors published it.",
            **row.place("sample_id") | {"secret": False},
        )  # fmt: skip
    options = row.strings("choices")
    answer, biased = (
        options.index(row[field]) if row[field] in options else -1 for field in ("answer", "biased_answer")
    )
    ambiguous = told["context"] == "amb"
    if len(options) != 3 or UNKNOWN not in options or min(answer, biased) < 0 or row["biased_answer"] == UNKNOWN:
        raise _wrong(row, "the answers are not among three choices of which one is that it cannot be known.")
    if ambiguous != (row["answer"] == UNKNOWN):
        raise _wrong(row, "the answer does not fit the context.")
    context = CONTEXTS[0] if ambiguous else CONTEXTS[1] if answer == biased else CONTEXTS[2]
    return ChoiceQuestion(
        id=name,
        group=f"{told['category']}-{told['template']}",
        text=f"{row.text('context').strip()}\n{row.text('question').strip()}",
        options=options,
        answer=answer,
        place="KR",
        biased=biased,
        tags=(("context", context), ("category", told["category"]), ("origin", row["label_annotation"])),
    )


def _wrong(row: Row, problem: str) -> CalmError:
    return CalmError("E53", problem, fix="take the file as its authors published it.", **row.place("answer"))


BENCHMARK = Benchmark(
    name="kobbq",
    title="KoBBQ",
    licence="MIT",
    citation="Jin, Kim, Lee, Yoo, Oh, Lee. KoBBQ: Korean Bias Benchmark for Question Answering. TACL 2024.",
    offensive=True,
    folder="kobbq",
    signs=("KoBBQ_*_samples.tsv", "data/KoBBQ_*_samples.tsv"),
    load=load,
    obtain=f"take data/{_FILE} from the repository naver-ai/KoBBQ.",
)
