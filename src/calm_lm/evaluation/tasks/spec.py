"""A task as declared: what is asked, of whom, under which licence, and what a reader of its score must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pydantic

from calm_lm.errors import CalmError, show
from calm_lm.evaluation.asking.conditions import Condition, parse_conditions
from calm_lm.evaluation.summary import DIMENSIONS
from calm_lm.files import disk_errors, parse_yaml

FOLDER = resources.files("calm_lm.evaluation.tasks") / "catalogue"


class EvaluationCard(pydantic.BaseModel, extra="forbid", frozen=True):
    """What a score takes for granted. After "Culture is Everywhere" (EMNLP 2025 Findings 1043); the fields are ours.

    Attributes:
        assumes: what must hold for the score to mean what it says.
        labels_by: whose answers or labels they are.
        language: in which language it is asked.
        gaps: what is known to be missing.
    """

    assumes: str
    labels_by: str
    language: str
    gaps: str


class Task(pydantic.BaseModel, extra="forbid", frozen=True):
    """One task.

    Attributes:
        name: unique; also the name of a file of the report.
        kind: the module under `evaluation/kinds/` that runs it.
        title: in tables.
        data: registered name of the survey or data set, or `bundled`.
        licence: SPDX id of the data.
        citation: one line.
        cultures: which cultures are judged; None takes those of the data.
        languages: those its questions are in where a condition does not choose.
        metric: the headline.
        dimension: the part of the report its headline belongs to.
        offensive: mask its texts.
        card: what a reader must know.
        settings: what only its kind knows.
    """

    name: str = pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    kind: str
    title: str
    data: str
    licence: str
    citation: str
    cultures: tuple[str, ...] | None = pydantic.Field(None, min_length=1)
    languages: tuple[str, ...] = pydantic.Field(("en",), min_length=1)
    metric: str
    dimension: str = "alignment"
    offensive: bool = False
    card: EvaluationCard
    settings: Mapping[str, Any] = {}

    @pydantic.field_validator("dimension")
    @classmethod
    def _is_a_part_of_the_report(cls, name: str) -> str:
        if name not in DIMENSIONS:
            raise ValueError(f"is no part of a report; use {', '.join(DIMENSIONS)}")
        return name

    @pydantic.field_validator("languages")
    @classmethod
    def _are_languages(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        from calm_lm.culture.ids import check_id, kind

        try:
            strange = [name for name in names if kind(check_id(name)) != "language"]
        except CalmError as error:
            raise ValueError(f"{error.shown} {error.problem.rstrip('.')}") from error
        if strange:
            raise ValueError(f"{show(strange[0])} is no language")
        return names


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task as a suite asks for it.

    Attributes:
        task: what is asked.
        items: at most so many; None takes all.
        presentations: of each item.
        samples: of a text.
        also: conditions beside those of the run, without which this task would not say what it is for.
    """

    task: Task
    items: int | None = None
    presentations: int = 2
    samples: int = 5
    also: tuple[str, ...] = ()

    def asked_under(self, conditions: Sequence[Condition]) -> tuple[Condition, ...]:
        """The run's conditions, and those that this task is asked under beside them."""
        return tuple(dict.fromkeys((*conditions, *parse_conditions(self.also))))


@dataclass(frozen=True, slots=True)
class Suite:
    """Tasks that are run together, and the conditions under which.

    Attributes:
        name: as on the command line.
        title: one sentence.
        conditions: names, the first is the one others are compared with.
        tasks: in order.
    """

    name: str
    title: str
    conditions: tuple[str, ...]
    tasks: tuple[Wanted, ...]


def task_names() -> list[str]:
    """All registered tasks."""
    return sorted(entry.name.removesuffix(".yaml") for entry in FOLDER.iterdir() if entry.name.endswith(".yaml"))


def load_task(name: str) -> Task:
    """A registered task by name, or one of the user's by the path of its YAML file.

    Raises:
        CalmError: E38 and E41 for a file or a name that is none, E42 for a file that declares no task.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        with disk_errors(path):
            is_file = path.is_file()
        if not is_file:
            raise CalmError("E38", "there is no such task file.", file=path, fix="give the path of a task's YAML file.")
        with disk_errors(path):
            return _read_task(path.read_bytes(), str(path))
    if name not in task_names():
        raise CalmError(
            "E41", "is no task.", field="--tasks", value=name,
            fix=f"use {', '.join(task_names())}, or the path of a task's YAML file.",
        )  # fmt: skip
    return _read_task((FOLDER / f"{name}.yaml").read_bytes(), f"{name}.yaml")


def suite_names() -> list[str]:
    """All suites."""
    return sorted(_suites())


def load_suite(name: str) -> Suite:
    """A suite by name.

    Raises:
        CalmError: E43 for a name that is none.
    """
    if name not in _suites():
        raise CalmError("E43", "is no suite.", field="--suite", value=name, fix=f"use {', '.join(suite_names())}.")
    declared = _suites()[name]
    tasks = tuple(
        Wanted(load_task(entry.pop("task")), also=tuple(entry.pop("also", ())), **entry)
        for entry in map(dict, declared["tasks"])
    )
    return Suite(name, declared["title"], tuple(declared["conditions"]), tasks)


@cache
def _suites() -> dict[str, Any]:
    import yaml

    loaded: dict[str, Any] = yaml.safe_load((resources.files("calm_lm.evaluation.tasks") / "suites.yaml").read_text())
    return loaded


def _read_task(data: bytes, file: str) -> Task:
    try:
        return Task.model_validate(parse_yaml(data))
    except ValueError as error:  # also pydantic's, whose text would hold the whole input
        where = ""
        if not isinstance(error, pydantic.ValidationError):
            problem = str(error)
        else:
            found = error.errors()
            where, problem = ", ".join(".".join(map(str, each["loc"])) for each in found), found[0]["msg"]
        raise CalmError(
            "E42", f"declares no task ({problem}).", file=file, field=where or None,
            fix=f"see the files in {FOLDER} for what a task declares.",
        ) from error  # fmt: skip
