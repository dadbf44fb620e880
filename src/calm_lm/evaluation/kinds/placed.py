"""What open tasks share: which conditions they can be asked under, and the prompt of a question in a place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calm_lm.culture.blend import Blend
from calm_lm.culture.norms import NormStore
from calm_lm.errors import CalmError, UnavailableError
from calm_lm.evaluation.asking.conditions import NEUTRAL, Condition
from calm_lm.evaluation.asking.question import OpenAnswer, Prompt
from calm_lm.evaluation.asking.wording import Place, setting
from calm_lm.evaluation.result import System
from calm_lm.evaluation.table import Table, figure
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats

MOST_NORMS = 3


def english(plan: Plan) -> tuple[Condition, ...]:
    """The plan's conditions in English without a step of reasoning, which an open task has no place for.

    Raises:
        UnavailableError: E78 where none is left.
    """
    kept = tuple(each for each in plan.conditions if each.language == "en" and not each.reasoning)
    if not kept:
        raise UnavailableError(
            "E78", "this task is written in English and answered in the model's own words.", field="--conditions",
            value=", ".join(each.name for each in plan.conditions), fix="add a condition such as neutral+country.",
        )  # fmt: skip
    return kept


def without_place(plan: Plan) -> tuple[Condition, ...]:
    """Those conditions that name no place; the neutral one where there is none."""
    return tuple(each for each in plan.conditions if not each.names_culture and each.language == "en") or (NEUTRAL,)


def left_out(plan: Plan, kept: Sequence[Condition]) -> list[str]:
    """Names of conditions that a task was not asked under, for its facts."""
    return [each.name for each in plan.conditions if each not in kept]


def place_for(condition: Condition, culture: str | None, text: str, norms: NormStore | None) -> Place | None:
    """What a condition tells of a place: norm records that fit the text where it asks for them."""
    if culture is None or not condition.names_culture:
        return None
    if condition.culture != "norms" or norms is None:
        return Place(culture)
    hits = norms.search(text, Blend(((culture, 1.0),)), MOST_NORMS)
    return Place(culture, norms=tuple(hit.record.sentence() for hit in hits))


def prompt_for(condition: Condition, culture: str | None, text: str, norms: NormStore | None) -> Prompt:
    """A question that is answered in words, after what the condition says of the place."""
    return Prompt(text, setting(condition, place_for(condition, culture, text, norms)))


def places_of(plan: Plan) -> tuple[str, ...]:
    """The task's places.

    Raises:
        CalmError: E79 for fewer than two.
    """
    places = plan.task.cultures or ()
    if len(places) < 2:
        raise CalmError(
            "E79", "this kind of task compares places and needs two or more.", field=f"{plan.task.name}: cultures",
            value=", ".join(places), fix="name them in the task's file.",
        )  # fmt: skip
    return places


def delivered(answers: Sequence[OpenAnswer]) -> Floats:
    """1 along the rows, `nan` where an endpoint delivered nothing: that is no wrong answer. A refusal counts as one."""
    return np.asarray([1.0 if each.texts or not each.failed else np.nan for each in answers])


def add_no_text(system: System, answers: Sequence[OpenAnswer], table: Table) -> None:
    """Share of samples along the rows that were refused or not delivered and so have no text."""
    shares = np.asarray([1 - len(each.texts) / (len(each.texts) + each.refused + each.failed) for each in answers])
    system.figures["no_answer"] = figure(table.means(shares), title="Share without a text", higher_is_better=False)
