"""BLEnD multiple choice as true/false statements: everyday knowledge of 14 places (Myung and others, NeurIPS 2024).

The multiple-choice file is the one of Yu and others (2025, repository copenlu/CultureScope): a question about a
place and four options, each the answer of some place. Each option gives one statement about the place asked about,
true for its own answer and false for the others (whose distractors may hold true there as well, so the ceiling is
below 100 %). A substitute for CultureAtlas, never the same thing. Our choices: the wording, and a 70/10/20 split by
a hash of the question id, which keeps a question in its split whatever part of the set is present.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset, Example, Slice
from calm_lm.data.groups import hash_share
from calm_lm.data.registry import Download, RemoteFile, Source
from calm_lm.data.tables import Row, Table, find, read_table
from calm_lm.errors import CalmError

PLACES = {
    "Algeria": "DZ",
    "Assam": "x-assam",
    "Azerbaijan": "AZ",
    "China": "CN",
    "Ethiopia": "ET",
    "Greece": "GR",
    "Indonesia": "ID",
    "Iran": "IR",
    "Mexico": "MX",
    "North Korea": "KP",
    "Northern Nigeria": "x-northern-nigeria",
    "South Korea": "KR",
    "Spain": "ES",
    "UK": "GB",
    "US": "US",
    "West Java": "x-west-java",
}
LABELS = ("false", "true")
VALID_FROM, TEST_FROM = 0.7, 0.8
LICENCE = "CC-BY-SA-4.0"
CITATION = (
    "Myung, Lee, Zhou, Jin and others. BLEnD: A Benchmark for LLMs on Everyday Knowledge in Diverse Cultures and "
    "Languages. NeurIPS 2024. Multiple choice: Yu, Jeong, Pawar and others. Entangled in Representations. 2025."
)

_LEVELS = ("high", "mid", "low")
RESOURCE_SLICES = tuple(Slice(f"{level} resources", "resource", (level,)) for level in _LEVELS)
FILE = "blend_resource/blend_resource_based.csv"
COLUMNS = (
    "ID",
    "target_country",
    "target_region",
    "prompt",
    "region_choices_list",
    "region_choice_countries_list",
    "region_answer",
)
_TOPICS = "questions/US_questions.csv"
_PLACE = PLACES | {name.replace(" ", "_"): place for name, place in PLACES.items()}


class Asked(NamedTuple):
    """A question about a place as a row gives it: its options, and which of them is the place's own answer."""

    question: str
    place: str
    prompt: str
    options: tuple[str, ...]
    answer: int
    resource: str


class Statement(NamedTuple):
    """One option of one question about one place."""

    question: str
    place: str
    prompt: str
    option: str
    true: bool
    resource: str
    id: str


def load(folder: Path) -> Dataset:
    """Read `blend_resource/blend_resource_based.csv`; topics come from `blend/questions/` beside it, where present.

    Raises:
        CalmError: D33 without the file, D34 for an answer that is none of the options, D10 to D25 for a malformed file.
    """
    path = find(folder, FILE, Path(FILE).name)
    if path is None:
        raise CalmError("D33", "holds no BLEnD multiple-choice file.", file=folder, fix=SOURCE.obtain)
    table = read_table(path, COLUMNS)
    topics, topic_file = _read_topics(folder)
    notes = ["a SUBSTITUTE for CultureAtlas: its scores never stand in one column with that set's."]
    statements = _once([s for row in table.rows for s in _statements(row)], notes)
    splits: dict[str, list[Example]] = {"train": [], "valid": [], "test": []}
    for statement in statements:
        share = hash_share(statement.question)
        split = "train" if share < VALID_FROM else "valid" if share < TEST_FROM else "test"
        splits[split].append(_example(statement, topics.get(statement.question)))
    return Dataset(
        name="blend",
        labels=LABELS,
        positive=1,
        splits={split: tuple(rows) for split, rows in splits.items() if rows},
        contrast="about",
        licences=(LICENCE,),
        citation=CITATION,
        files={path.relative_to(folder).as_posix(): table.sha256, **topic_file},
        notes=tuple(notes),
        slices=RESOURCE_SLICES,
    )


def _statements(row: Row) -> list[Statement]:
    asked = read_asked(row, "D34")
    question, place = asked.question, asked.place
    return [
        Statement(
            question,
            place,
            asked.prompt,
            option,
            at == asked.answer,
            asked.resource,
            f"{question}/{place}/{row.number}.{at}",
        )
        for at, option in enumerate(asked.options)
    ]


def read_asked(row: Row, code: str) -> Asked:
    """The question of a row.

    Args:
        row: with the cells of `COLUMNS`.
        code: of the error for an answer that is not the option of the place asked about.

    Raises:
        CalmError: `code`, and D10 to D12 for a cell.
    """
    options = row.strings("region_choices_list")
    owners = row.strings("region_choice_countries_list")
    answer = row.choice("region_answer", {str(at): at for at in range(len(options))})
    place = row.choice("target_country", _PLACE)
    if len(owners) != len(options) or _PLACE.get(owners[answer]) != place:
        raise CalmError(
            code,
            "the answer of the row is not the option of the place asked about.",
            fix="take the file as its authors published it.",
            **row.place("region_choice_countries_list"),
        )
    resource = row.choice("target_region", {level: level for level in _LEVELS})
    stripped = tuple(option.strip() for option in options)
    return Asked(row.text("ID"), place, row.text("prompt").strip(), stripped, answer, resource)


def _once(statements: list[Statement], notes: list[str]) -> list[Statement]:
    """Each option of a question about a place once; where it is both the answer and a distractor, the answer stays."""
    counts: Counter[str] = Counter()
    first: dict[tuple[str, str, str], Statement] = {}
    for statement in sorted(statements, key=lambda s: not s.true):
        key = (statement.question, statement.place, statement.option.casefold())
        if not statement.option:
            counts["empty options dropped."] += 1
        elif key in first:
            counts["repeated options of a question and place dropped."] += 1
        else:
            first[key] = statement
    notes += [f"{count} {what}" for what, count in counts.items()]
    kept = {statement.id for statement in first.values()}
    return [statement for statement in statements if statement.id in kept]


def _example(statement: Statement, topic: str | None) -> Example:
    return Example(
        text=f"Question: {statement.prompt} Answer: {statement.option.rstrip('.')}.",
        id=statement.id,
        group=statement.question,
        label=int(statement.true),
        about=Blend.of(statement.place),
        source="blend_resource_based",
        licence=LICENCE,
        tags=(("resource", statement.resource), *((("topic", topic),) if topic else ())),
    )


def _read_topics(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Question id to topic, and the sha256 of the file it was read from; both empty where there is none."""
    path = find(folder, _TOPICS, f"blend/{_TOPICS}", f"../blend/{_TOPICS}")
    if path is None:
        return {}, {}
    table: Table = read_table(path, ("ID", "Topic"))
    return {row.text("ID"): row.text("Topic") for row in table.rows}, {_TOPICS: table.sha256}


SOURCE = Source(
    name="blend",
    title="BLEnD multiple choice as true/false",
    summary="statements on everyday life in 14 places, true or false; a substitute for CultureAtlas.",
    licence=LICENCE,
    citation=CITATION,
    offensive=False,
    contrast="about",
    folder="culturescope-blend-mcq",
    signs=(f"{FILE}*", f"{Path(FILE).name}*"),
    load=load,
    obtain="run `calm data get blend`, or take blend_resource_based.csv from the repository copenlu/CultureScope.",
    address=Download(
        (
            RemoteFile(
                FILE,
                "https://raw.githubusercontent.com/copenlu/CultureScope/f6afe57b4c31d7d4cbb6be847a10a1405493b2c1/"
                f"Data/mcq_hard-negatives/{FILE}",
                "3344f9f613410124e56b92513c86b7e41bfebb53f607e9794c5b39f70d2ecf17",
                1960926,
            ),
        )
    ),
)
