"""BLEnD multiple choice with hard negatives: each wrong option is another place's answer (Yu and others, 2025).

The file is read as `data.sources.blend` reads it, which makes true/false statements of the same rows.
"""

from __future__ import annotations

from pathlib import Path

from calm_lm.data.benchmarks.registry import Benchmark
from calm_lm.data.benchmarks.rows import ChoiceQuestion, Rows, require_rows
from calm_lm.data.sources.blend import CITATION, LICENCE, PLACES, SOURCE
from calm_lm.data.tables import Row, find, read_table
from calm_lm.errors import CalmError

LEVELS = ("high", "mid", "low")
_FILE = "blend_resource/blend_resource_based.csv"
_CHOICES = "region_choices_list"
_COLUMNS = (
    "ID", "target_country", "target_region", "prompt", _CHOICES, "region_choice_countries_list", "region_answer",
)  # fmt: skip


def load(folder: Path) -> Rows[ChoiceQuestion]:
    """Read `blend_resource/blend_resource_based.csv`.

    Rows with an empty option, or with two that are the same but for case, are left out: no answer can be judged.

    Raises:
        CalmError: D06 for an answer that is not the option of the place asked about, D10 to D25 and E52 for a
            malformed file.
    """
    path = find(folder, _FILE, Path(_FILE).name) or folder / _FILE
    table = read_table(path, _COLUMNS)
    require_rows(path, len(table.rows))
    questions = [_question(row) for row in table.rows]
    kept = tuple(each for each in questions if _can_be_judged(each.options))
    left_out = len(questions) - len(kept)
    return Rows(ChoiceQuestion, kept, (f"{left_out} questions left out: an option is empty or stands there twice.",))


def _question(row: Row) -> ChoiceQuestion:
    options, owners = row.strings(_CHOICES), row.strings("region_choice_countries_list")
    answer = row.choice("region_answer", {str(at): at for at in range(len(options))})
    place = row.choice("target_country", PLACES)
    if len(owners) != len(options) or PLACES.get(owners[answer]) != place:
        raise CalmError(
            "D06", "the answer is not the option of the place asked about.",
            fix="take the file as its authors published it.", **row.place("region_choice_countries_list"),
        )  # fmt: skip
    level = row.choice("target_region", {level: level for level in LEVELS})
    return ChoiceQuestion(
        id=str(row.number),
        group=row.text("ID"),
        text=row.text("prompt").strip(),
        options=tuple(option.strip() for option in options),
        answer=answer,
        place=place,
        tags=(("resource", level),),
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
