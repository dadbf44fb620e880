"""BLEnD short answers: everyday questions about 16 places, with what people there answered (Myung and others 2024).

Questions come with an English translation, answers in the local language and in English, each with its number of
annotators. An English question that a place's table lacks is taken from its annotations.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from calm_lm.data.benchmarks.registry import Benchmark
from calm_lm.data.benchmarks.rows import Rows
from calm_lm.data.sources.blend import PLACES
from calm_lm.data.tables import find, read_table
from calm_lm.data.text_files import unpack
from calm_lm.errors import CalmError
from calm_lm.files import disk_errors


@dataclass(frozen=True, slots=True)
class PeoplesAnswer:
    """One answer in all its spellings, local and English, and how many annotators gave it."""

    local: tuple[str, ...]
    english: tuple[str, ...]
    votes: int


@dataclass(frozen=True, slots=True)
class ShortQuestion:
    """A question about a place.

    Attributes:
        id: shared by all places that were asked it.
        place: culture id.
        topic: Food, Sport, Family and so on.
        text: in English.
        answers: with at least one vote, commonest first.
        unknown: annotators who did not know, gave nothing, or found that it does not apply.
    """

    id: str
    place: str
    topic: str
    text: str
    answers: tuple[PeoplesAnswer, ...]
    unknown: int


def read(folder: Path) -> tuple[ShortQuestion, ...]:
    """Every question of every place whose two files lie in `folder`, also those that nobody there could answer.

    Args:
        folder: holds `annotations/PLACE_data.json.gz` (or `.json`) and `questions/PLACE_questions.csv`.

    Raises:
        CalmError: E80 for a folder with no place, E81 for a damaged annotation file, D10 to D25 for a bad table.
    """
    found: list[ShortQuestion] = []
    for name, place in PLACES.items():
        stem = name.replace(" ", "_")
        questions = find(folder, f"questions/{stem}_questions.csv")
        answers = find(folder, f"annotations/{stem}_data.json")
        if questions is not None and answers is not None:
            found += _read_place(place, questions, answers)
    if not found:
        raise CalmError(
            "E80", "holds no short answers of BLEnD.", file=folder,
            fix="take the folders `questions` and `annotations` of the repository nlee0212/BLEnD.",
        )  # fmt: skip
    return tuple(found)


def _read_place(place: str, questions: Path, answers: Path) -> list[ShortQuestion]:
    annotated = _read_json(answers)
    found = []
    for row in read_table(questions, ("ID", "Topic", "Translation")).rows:
        name = row.text("ID")
        if name in annotated:
            given, text = annotated[name], row["Translation"].strip()
            try:
                people = [_answer(each) for each in given["annotations"]]
                unknown = sum(int(count) for count in given["idks"].values())
                text = text or str(given["en_question"]).strip()
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                _damaged(answers, f"{type(error).__name__} at {error}", name)
            known = [each for each in people if each.votes > 0 and (each.local or each.english)]
            ordered = tuple(sorted(known, key=lambda each: -each.votes))
            found.append(ShortQuestion(name, place, row.text("Topic"), text, ordered, unknown))
    return found


def _answer(value: Any) -> PeoplesAnswer:
    local, english = (tuple(str(each).strip() for each in value[field] if each) for field in ("answers", "en_answers"))
    return PeoplesAnswer(tuple(filter(None, local)), tuple(filter(None, english)), int(value["count"]))


def _read_json(path: Path) -> dict[str, Any]:
    with disk_errors(path):
        data = path.read_bytes()
    try:
        loaded = json.loads(unpack(path, data))
    except (ValueError, RecursionError) as error:
        _damaged(path, str(error), None)
    if not isinstance(loaded, dict):
        _damaged(path, "no object", None)
    return dict(loaded)


def _damaged(path: Path, problem: str, field: str | None) -> NoReturn:
    raise CalmError(
        "E81", f"is no annotation file of BLEnD ({problem}).", file=path, field=field,
        fix="take the file as its authors published it.",
    )  # fmt: skip


def load(folder: Path) -> Rows[Any]:
    """As the registry takes it; errors as in `read`."""
    return Rows[Any](ShortQuestion, read(folder))


BENCHMARK = Benchmark(
    name="blend-short",
    title="BLEnD short answers",
    licence="CC-BY-SA-4.0",
    citation=(
        "Myung, Lee, Zhou, Jin and others. BLEnD: A Benchmark for LLMs on Everyday Knowledge in Diverse Cultures and "
        "Languages. NeurIPS 2024."
    ),
    offensive=False,
    folder="blend",
    signs=("annotations/*_data.json*",),
    load=load,
    obtain="take the folders data/annotations and data/questions of the repository nlee0212/BLEnD.",
)
