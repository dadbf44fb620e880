"""Which module runs which kind of task; loaded when a task of the kind is run."""

from __future__ import annotations

import importlib
from typing import Protocol

from calm_lm.culture.norms import NormStore
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.result import TaskResult
from calm_lm.evaluation.tasks.plan import Plan

KINDS = (
    "cultural_map", "survey", "vsm", "labels", "pairs", "choice", "statements", "ladder",
    "generation", "short_answer", "judged", "anchoring", "gap", "values", "education", "capability",
    "value_identification",
)  # fmt: skip


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
