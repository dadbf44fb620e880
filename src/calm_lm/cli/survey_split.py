"""`calm survey split`: what a model may learn from, and what it is tested on, by person, question, culture and wave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calm_lm.cli.display import plain_table, say, write_result
from calm_lm.cli.options import DataDir, Json
from calm_lm.cli.survey_own import CodebookPath, codebook_of, is_registered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calm_lm.survey.people import People

SHOWN_NAMES = 30


def split(
    name_or_path: Annotated[str, typer.Argument(help="A registered survey, or a CSV of respondents.")],
    codebook: CodebookPath = None,
    share: Annotated[float, typer.Option(help="Share of people, questions and cultures held out, up to 0.5.")] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    data_dir: DataDir = None,
    json: Json = None,
) -> None:
    """Split a survey so that unseen people, questions, cultures and waves are tested apart; --json has every part."""
    from calm_lm.survey.people import read_people
    from calm_lm.survey.registry import load_people

    if is_registered(name_or_path, codebook):
        people = load_people(name_or_path, data_dir)
    else:
        path = Path(name_or_path)
        people = read_people(path, codebook_of(path, codebook))
    told = _of_shares(name_or_path, share, seed, data_dir) if people is None else _of_people(people, share, seed)
    name = name_or_path if people is None else people.instrument.name
    write_result(json, {"survey": name, "share": share, "seed": seed} | told)


def _of_people(people: People, share: float, seed: int) -> dict[str, Any]:
    """Every answer of every respondent, as a part for each row and each question."""
    from calm_lm.files import sha256_file
    from calm_lm.survey.people_split import RULE, split_people

    found = split_people(people, share=share, seed=seed)
    _say(people.instrument.title, seed, found.counts, found.held_out)
    count = len(people.person.known)
    rows = f"{len(people.person.at):,} rows"
    if people.column is None:
        say(f"people: each of {rows} counts as a person of its own, because no column tells persons apart.")
    else:
        say(f"people: {count:,} in {rows}, told apart by the column {people.column}.")
    return {
        "file": people.path.name, "sha256": sha256_file(people.path), "person_column": people.column, "rule": RULE,
        "counts": found.counts, "held_out": found.held_out, "questions": found.questions,
        "rows": {"person": people.person.rows(), "culture": people.culture.rows(), "wave": people.wave.rows(),
                 "part": found.rows},
    }  # fmt: skip


def _of_shares(name: str, share: float, seed: int, data_dir: Path | None) -> dict[str, Any]:
    """Every distribution of a survey that names no respondents."""
    from calm_lm.survey.registry import load_survey
    from calm_lm.survey.splits import answers_of, four_way_split, topic_of

    survey = load_survey(name, data_dir)
    answers = answers_of(survey)
    found = four_way_split(answers, share=share, seed=seed, group_of=topic_of(survey.instrument))
    _say(survey.instrument.title, seed, found.counts, found.held_out)
    each_answer = [
        {"item": answer.question, "culture": answer.culture, "wave": answer.wave, "part": part}
        for answer, part in zip(answers, found.parts, strict=True)
    ]
    return {"counts": found.counts, "held_out": found.held_out, "answers": each_answer}


def _say(title: str, seed: int, counts: Mapping[str, int], held_out: Mapping[Any, tuple[str, ...]]) -> None:
    say(plain_table(f"{title}, seed {seed}", ("part", "answers"), counts.items()))
    for axis, values in held_out.items():
        if axis == "person" and values:  # their numbers tell a reader nothing
            shown = f"{len(values):,}, listed by --json"
        else:
            shown = ", ".join(values[:SHOWN_NAMES]) + ", ..." * (len(values) > SHOWN_NAMES)
        say(f"held out, {axis}: {shown or 'nothing: the survey does not tell enough of them apart'}")
