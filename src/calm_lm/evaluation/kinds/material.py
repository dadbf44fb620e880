"""Texts written for a task (topics, situations, paragraphs), read strictly from YAML.

A task names its file under `settings.material`: one that comes with the package by its name, one's own by its path.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TypeVar

import pydantic

from calm_lm.errors import CalmError
from calm_lm.evaluation.tasks.spec import Task
from calm_lm.files import parse_yaml

M = TypeVar("M", bound=pydantic.BaseModel)
FOLDER = resources.files("calm_lm.evaluation.tasks") / "material"


class Strict(pydantic.BaseModel, extra="forbid", frozen=True, str_strip_whitespace=True, str_min_length=1):
    """A part of a material file: no unknown field, no empty text."""


def load_material(task: Task, model: type[M]) -> M:
    """The texts that a task names.

    Args:
        task: its settings name the file.
        model: what the file must hold.

    Raises:
        CalmError: E76 where no file is named or there is none, E77 for one that does not hold what it must.
    """
    name = task.settings.get("material")
    own = isinstance(name, str) and name.endswith((".yaml", ".yml"))
    known = sorted(entry.name.removesuffix(".yaml") for entry in FOLDER.iterdir() if entry.name.endswith(".yaml"))
    file = Path(str(name)) if own else FOLDER / f"{name}.yaml"
    if not (file.is_file() if own else name in known):
        raise CalmError("E76", "names no file of texts.", field=f"{task.name}: settings.material", value=name,
                        fix=f"use {', '.join(known)}, or the path of a YAML file.")  # fmt: skip
    return _read(file.read_bytes(), str(name), model)


def _read(data: bytes, file: str, model: type[M]) -> M:
    field = None
    try:
        return model.model_validate(parse_yaml(data))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field, problem = ".".join(map(str, first["loc"])) or None, first["msg"]
    except ValueError as error:
        problem = str(error)
    raise CalmError(
        "E77", f"does not hold the texts of this kind of task ({problem}).", file=file, field=field,
        fix="write it like the files in evaluation/tasks/material/.",
    )  # fmt: skip


def different(ids: list[str]) -> None:
    """Refuse two parts of one id (a validator of models calls it).

    Raises:
        ValueError: naming the id.
    """
    twice = sorted({each for each in ids if ids.count(each) > 1})
    if twice:
        raise ValueError(f"the id {twice[0]} stands twice")
