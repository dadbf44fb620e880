"""BLEnD multiple choice with hard negatives: each wrong option is another place's answer (Yu and others, 2025).

The file is read as `data.sources.blend` reads it, which makes true/false statements of the same rows.
"""

from __future__ import annotations

from pathlib import Path

from calm_lm.data.benchmarks.registry import Benchmark
from calm_lm.data.benchmarks.rows import ChoiceQuestion, Rows, read_benchmark
from calm_lm.data.sources.blend import CITATION, COLUMNS, FILE, LICENCE, SOURCE, read_asked
from calm_lm.data.tables import Row


def load(folder: Path) -> Rows[ChoiceQuestion]:
    """Read `blend_resource/blend_resource_based.csv`.

    Rows with an empty option, or with two that are the same but for case, are left out: no answer can be judged.

    Raises:
        CalmError: D06 for an answer that is not the option of the place asked about, D10 to D25 and E52 for a
            malformed file.
    """
    table = read_benchmark(folder, (FILE, Path(FILE).name), COLUMNS)
    questions = [_question(row) for row in table.rows]
    kept = tuple(each for each in questions if _can_be_judged(each.options))
    left_out = len(questions) - len(kept)
    return Rows(ChoiceQuestion, kept, (f"{left_out} questions left out: an option is empty or stands there twice.",))


def _question(row: Row) -> ChoiceQuestion:
    asked = read_asked(row, "D06")
    return ChoiceQuestion(
        id=str(row.number),
        group=asked.question,
        text=asked.prompt,
        options=asked.options,
        answer=asked.answer,
        place=asked.place,
        tags=(("resource", asked.resource),),
    )


def _can_be_judged(options: tuple[str, ...]) -> bool:
    return all(options) and len({text.casefold() for text in options}) == len(options)


BENCHMARK = Benchmark(
    name="culturescope-blend-mcq",
    title="BLEnD multiple choice with hard negatives",
    licence=LICENCE,
    citation=CITATION,
    offensive=False,
    folder="culturescope-blend-mcq",
    signs=SOURCE.signs,
    load=load,
    obtain=SOURCE.obtain,
)
