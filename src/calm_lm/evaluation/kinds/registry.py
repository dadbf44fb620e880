"""Which module runs which kind of task; loaded when a task of the kind is run."""

from __future__ import annotations

import importlib
from typing import Protocol

from calm_lm.culture.norms import NormStore
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.result import TaskResult
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Task

KINDS = (
    "cultural_map", "survey", "vsm", "labels", "pairs", "choice", "statements", "ladder",
    "generation", "short_answer", "judged", "anchoring", "gap", "values", "education", "capability",
    "value_identification",
)  # fmt: skip

_LABELS = ("split", "by", "culture", "asks", "reader_is_about")
SETTINGS = {
    "survey": ("by",), "choice": ("by", "parts", "whole_groups"),
    "labels": (*_LABELS, "contrast", "metrics", "figures"), "statements": (*_LABELS, "parts"),
    "anchoring": ("material",), "capability": ("material",), "gap": ("material",), "generation": ("material",),
}  # fmt: skip
"""What the file of a task may set, by kind; a kind that is not named here has no settings."""


class Kind(Protocol):
    """A function `run` of a module under `evaluation/kinds/`."""

    def __call__(
        self, asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None
    ) -> TaskResult:
        """Ask, score, and say what it came to."""
        ...


def kind_of(name: str) -> Kind:
    """The function that runs a kind of task.

    Raises:
        CalmError: E44 for a kind that there is not.
    """
    if name not in KINDS:
        raise CalmError("E44", "is no kind of task.", field="kind", value=name, fix=f"use {', '.join(KINDS)}.")
    run: Kind = importlib.import_module(f"calm_lm.evaluation.kinds.{name}").run
    return run


def check_settings(task: Task) -> None:
    """Refuse a setting that the task's kind does not heed, rather than pass over it.

    Raises:
        CalmError: E49.
    """
    known = SETTINGS.get(task.kind, ())
    for name, value in task.settings.items():
        if name not in known:
            raise CalmError(
                "E49", f"a task of the kind {task.kind} has no such setting.", field=f"{task.name}: settings.{name}",
                value=value, fix=f"use {', '.join(known)}." if known else "leave settings out.",
            )  # fmt: skip
