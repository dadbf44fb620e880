"""CulturalBench, brought by the user: the same questions as multiple choice (Easy) and as true/false (Hard).

Columns as on the authors' data card. In Hard a question is four statements, each an option offered as its answer;
a model has the question right when it has all four right (Chiu and others, ACL 2025).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from calm_lm.culture.blend import Blend
from calm_lm.data.benchmarks.places import place_of
from calm_lm.data.benchmarks.registry import Benchmark
from calm_lm.data.benchmarks.rows import ChoiceQuestion, Rows, read_benchmark, unique_id
from calm_lm.data.example import Dataset, Example
from calm_lm.data.tables import Row, Table
from calm_lm.errors import CalmError

LABELS = ("false", "true")
STATEMENTS = 4
LICENCE = "CC-BY-4.0"
CITATION = (
    "Chiu, Jiang, Lin, Park, Li and others. CulturalBench: a Robust, Diverse and Challenging Benchmark on Measuring "
    "(the Lack of) Cultural Knowledge of LLMs. ACL 2025."
)
_LETTERS = {letter: place for place, letter in enumerate("ABCD")}
_TRUTH = {"True": 1, "TRUE": 1, "true": 1, "1": 1, "False": 0, "FALSE": 0, "false": 0, "0": 0}


def load_easy(folder: Path) -> Rows[ChoiceQuestion]:
    """Read `CulturalBench-Easy` (.csv, .jsonl or .parquet).

    Raises:
        CalmError: D09 for a question that stands there twice, D10 to D25 and E52 for a malformed file.
    """
    options = tuple(f"prompt_option_{letter.lower()}" for letter in _LETTERS)
    table = _read(folder, "Easy", ("question_idx", "prompt_question", *options, "answer", "country"))
    seen: set[str] = set()
    return Rows(ChoiceQuestion, tuple(_question(row, options, seen) for row in table.rows))


def _question(row: Row, options: tuple[str, ...], seen: set[str]) -> ChoiceQuestion:
    name = unique_id(row, "question_idx", seen)
    return ChoiceQuestion(
        id=name,
        group=name,
        text=row.text("prompt_question").strip(),
        options=tuple(row.text(option).strip() for option in options),
        answer=row.choice("answer", _LETTERS),
        place=place_of(row.text("country")),
    )


def load_hard(folder: Path) -> Dataset:
    """Read `CulturalBench-Hard` (.csv, .jsonl or .parquet).

    Raises:
        CalmError: E50 for a question that has not four statements, D10 to D25 and E52 for a malformed file.
    """
    table = _read(folder, "Hard", ("question_idx", "prompt_question", "prompt_option", "answer", "country"))
    counts = Counter(row.text("question_idx") for row in table.rows)
    for row in table.rows:
        if counts[row["question_idx"]] != STATEMENTS:
            raise CalmError(
                "E50", f"the question has {counts[row['question_idx']]} statements and needs {STATEMENTS}.",
                fix="take the whole file as its authors published it.", **row.place("question_idx"),
            )  # fmt: skip
    return Dataset(
        name="culturalbench-hard",
        labels=LABELS,
        positive=1,
        splits={"test": tuple(_statement(row) for row in table.rows)},
        contrast="about",
        licences=(LICENCE,),
        citation=CITATION,
        files={table.path.name: table.sha256},
    )


def _statement(row: Row) -> Example:
    question, option = row.text("prompt_question").strip(), row.text("prompt_option").strip()
    return Example(
        text=f"Question: {question} Answer: {option.rstrip('.')}.",
        id=f"{row['question_idx']}.{row.number}",
        group=row["question_idx"],
        label=row.choice("answer", _TRUTH),
        about=Blend.of(place_of(row.text("country"))),
        licence=LICENCE,
    )


def _read(folder: Path, part: str, columns: tuple[str, ...]) -> Table:
    return read_benchmark(folder, [f"CulturalBench-{part}.{end}" for end in ("csv", "jsonl", "parquet")], columns)


def _benchmark(part: str) -> Benchmark:
    return Benchmark(
        name=f"culturalbench-{part.lower()}",
        title=f"CulturalBench-{part}",
        licence=LICENCE,
        citation=CITATION,
        offensive=False,
        folder="culturalbench",
        signs=(f"CulturalBench-{part}.*",),
        load=load_easy if part == "Easy" else load_hard,
        obtain=f"save the {part} part of the authors' data card kellycyy/CulturalBench as "
        f"culturalbench/CulturalBench-{part}.csv in the data folder.",
    )


EASY, HARD = _benchmark("Easy"), _benchmark("Hard")
