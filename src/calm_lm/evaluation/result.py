"""What a task came to: one value that the report, the tables and the JSON are all made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

from calm_lm.errors import CalmError
from calm_lm.evaluation.table import Metric, Table, number
from calm_lm.evaluation.tasks.spec import Task
from calm_lm.files import sha256_bytes
from calm_lm.stats.arrays import Floats
from calm_lm.stats.paired import holm

Role = Literal["model", "baseline", "people", "control"]


@dataclass(slots=True)
class System:
    """Something that is judged on a task's rows.

    Attributes:
        name: a condition's name, or a baseline's.
        title: as a reader says it.
        role: the model under a condition, a baseline, what people themselves reach, or a control.
        rows: metric name to a score for each row [N], `nan` where there is none.
        figures: further figures (`evaluation.table.figure`) by name: consistency, diversity, refusals.
        detail: whatever only the task's own part of the page shows.
        answered_by: title of the model by language, where another than the one under test answered.
    """

    name: str
    title: str
    role: Role
    rows: dict[str, Floats]
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)
    answered_by: dict[str, str] = field(default_factory=dict)

    @property
    def full_title(self) -> str:
        """The title, and who answered in which language where that was another model than the one under test."""
        who: dict[str, list[str]] = {}
        for language, model in self.answered_by.items():
            who.setdefault(model, []).append(language)
        said = [f"{', '.join(languages)} answered by {model}" for model, languages in who.items()]
        return f"{self.title} ({'; '.join(said)})" if said else self.title


@dataclass(frozen=True, slots=True)
class TaskResult:
    """A task's scores.

    Attributes:
        task: what was declared.
        metrics: how its scores are called, the headline among them.
        table: the rows.
        systems: model conditions first.
        asked: facts of this run: items, presentations, rows, what was left out and why.
        detail: what only this task shows (points of a map, bins of a calibration).
        texts: id and text of every question, for the search for leaks; they never leave this process.

    Raises:
        CalmError: E48 for a task whose metric is none of these.
    """

    task: Task
    metrics: tuple[Metric, ...]
    table: Table
    systems: tuple[System, ...]
    asked: dict[str, Any]
    detail: dict[str, Any] = field(default_factory=dict)
    texts: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.task.metric not in [each.name for each in self.metrics]:
            raise CalmError(
                "E48", "is no score of this kind of task.", field=f"{self.task.name}: metric", value=self.task.metric,
                fix=f"use {', '.join(each.name for each in self.metrics)}.",
            )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """The grammar of `calm evaluate`: metrics with interval, worst culture and cultures; paired differences."""
        return {
            "task": self.task.model_dump(mode="json"),
            "cultures": self.table.names,
            "rows": len(self.table),
            "asked": self.asked,
            "systems": {
                system.name: {
                    "title": system.full_title,
                    "role": system.role,
                    "metrics": {
                        metric.name: self.table.score(metric, system.rows[metric.name])
                        for metric in self.metrics
                        if metric.name in system.rows
                    },
                    "figures": system.figures,
                    "detail": system.detail,
                    **({"answered_by": system.answered_by} if system.answered_by else {}),
                }
                for system in self.systems
            },
            "paired": self._paired(),
            "detail": self.detail,
        }

    def rows(self) -> dict[str, Any]:
        """Every row's headline by system, so that another report can be compared with this one row by row.

        Ids of questions may hold what a text says, so those of offensive data are told as their checksums.
        """
        metric, questions = self.task.metric, self.table.questions
        if self.task.offensive:
            questions = [sha256_bytes(each.encode())[:16] for each in questions]
        return {
            "questions": questions,
            "cultures": [self.table.names[place] for place in self.table.culture_of.tolist()],
            "systems": {
                system.name: [number(value) for value in system.rows[metric].tolist()]
                for system in self.systems
                if metric in system.rows
            },
        }

    def _paired(self) -> list[dict[str, Any]]:
        """The model under each condition against everything else, by the headline, p corrected for their number."""
        metric = next(each for each in self.metrics if each.name == self.task.metric)
        found = []
        for a, b in combinations(self.systems, 2):
            if "model" not in (a.role, b.role) or metric.name not in a.rows or metric.name not in b.rows:
                continue
            gap = self.table.compare(metric, a.rows[metric.name], b.rows[metric.name])
            if gap is not None:
                found.append({"a": a.name, "b": b.name, "metric": metric.name, **gap})
        if found:
            for gap, p in zip(found, holm([each["p"] for each in found]).tolist(), strict=True):
                gap["p_holm"] = p
        return found
