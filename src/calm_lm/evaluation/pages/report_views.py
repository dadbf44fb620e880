"""A task's JSON as values that the page's parts read; what is absent or null stays so, whatever kind of task it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from calm_lm.evaluation.pages.report_text import clean_text, ends, finite

Standing = Literal["ahead", "behind", "level"]
ROLES = ("model", "baseline", "control", "people")


class Score(NamedTuple):
    """One score or figure of one system."""

    name: str
    title: str
    value: float | None
    interval: tuple[float, float] | None
    worst: float | None
    worst_culture: str | None
    higher_is_better: bool | None
    by_culture: dict[str, tuple[float | None, tuple[float, float] | None]]


class Judged(NamedTuple):
    """One system of a task; `by_another` where another model than the one under test answered some of it."""

    name: str
    title: str
    role: str
    headline: Score | None
    metrics: dict[str, Score]
    figures: dict[str, Score]
    detail: Mapping[str, Any]
    by_another: bool = False


@dataclass(frozen=True, slots=True)
class TaskView:
    """One task as the page shows it."""

    name: str
    anchor: str
    title: str
    kind: str
    dimension: str
    metric: str
    offensive: bool
    declared: Mapping[str, Any]
    cultures: tuple[str, ...]
    rows: int
    asked: Mapping[str, Any]
    systems: tuple[Judged, ...]
    paired: tuple[Mapping[str, Any], ...]
    detail: Mapping[str, Any]

    @property
    def model(self) -> tuple[Judged, ...]:
        """The model under each condition."""
        return tuple(each for each in self.systems if each.role == "model")

    @property
    def others(self) -> tuple[Judged, ...]:
        """Baselines, controls and people."""
        return tuple(each for each in self.systems if each.role != "model")

    @property
    def higher_is_better(self) -> bool | None:
        """Of the headline; None too where no system has it."""
        found = [each.headline for each in self.systems if each.headline is not None]
        return found[0].higher_is_better if found else None

    def best(self, role: str) -> Judged | None:
        """The system of a role with the best headline; the first one where neither end is good.

        What another model than the one under test answered speaks for neither.
        """
        known = [each for each in self.systems if each.role == role and not each.by_another]
        known = [each for each in known if _value(each) is not None]
        if not known:
            return None
        if self.higher_is_better is None:
            return known[0]
        sign = 1 if self.higher_is_better else -1
        return max(known, key=lambda each: sign * (_value(each) or 0.0))

    def is_own(self, *names: str) -> bool:
        """Whether the model under test answered all of these systems itself."""
        return not any(each.by_another for each in self.systems if each.name in names)

    def standing(self, first: str, second: str) -> Standing | None:
        """Whether the whole 95 % interval of the paired difference is on one side; None where there is none."""
        for pair in self.paired:
            if {pair.get("a"), pair.get("b")} == {first, second}:
                return standing_of(pair, turned=pair.get("a") != first)
        return None


def standing_of(pair: Mapping[str, Any], *, turned: bool = False) -> Standing | None:
    """How the first of a paired difference stands to the second; `turned` asks the other way round."""
    interval, better = ends(pair.get("interval")), pair.get("higher_is_better")
    if interval is None or better is None:
        return None
    if interval[0] <= 0 <= interval[1]:
        return "level"
    return "ahead" if ((interval[0] > 0) == bool(better)) != turned else "behind"


def task_view(name: str, found: Mapping[str, Any], number: int) -> TaskView:
    """One task of a report; `number` makes its anchor."""
    declared = found.get("task") or {}
    metric = str(declared.get("metric", ""))
    offensive = bool(declared.get("offensive"))
    systems = tuple(_judged(key, each, metric) for key, each in (found.get("systems") or {}).items())
    return TaskView(
        name=name, anchor=f"task-{number}", title=str(declared.get("title") or name),
        kind=str(declared.get("kind", "")), dimension=str(declared.get("dimension", "")), metric=metric,
        offensive=offensive, declared=declared, cultures=tuple(found.get("cultures") or ()),
        rows=int(finite(found.get("rows")) or 0), asked=found.get("asked") or {}, systems=systems,
        paired=tuple(found.get("paired") or ()), detail=found.get("detail") or {},
    )  # fmt: skip


def _judged(name: str, found: Mapping[str, Any], metric: str) -> Judged:
    metrics = {key: _score(key, each, "mean") for key, each in (found.get("metrics") or {}).items()}
    figures = {key: _score(key, each, "value") for key, each in (found.get("figures") or {}).items()}
    title = clean_text(str(found.get("title") or name), 120)
    return Judged(
        name, title, str(found.get("role", "")), metrics.get(metric), metrics, figures, found.get("detail") or {},
        bool(found.get("answered_by")),
    )  # fmt: skip


def _score(name: str, found: Mapping[str, Any], value: str) -> Score:
    cultures = {
        culture: (finite(each.get("value")), ends(each.get("interval")))
        for culture, each in (found.get("by_culture") or {}).items()
    }
    return Score(
        name, str(found.get("title") or name), finite(found.get(value)), ends(found.get("interval")),
        finite(found.get("worst")), found.get("worst_culture"), found.get("higher_is_better"), cultures,
    )  # fmt: skip


def _value(system: Judged) -> float | None:
    return None if system.headline is None else system.headline.value
