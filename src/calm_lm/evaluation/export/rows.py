"""The questions of a survey task as plain rows: prompt, answers to choose from, and what people answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.kinds.survey import choose_rows, present_all, read_survey, told_of
from calm_lm.evaluation.tasks.plan import Plan


def export_rows(plan: Plan, condition: Condition) -> Iterator[dict[str, Any]]:
    """One row for each presentation of an item in a place.

    Every place has its own row even where the condition names none, because its people answered differently.

    Raises:
        CalmError: E99 for a task that is no survey, or a condition that lets the model reason first.
    """
    if plan.task.kind != "survey" or condition.reasoning:
        raise CalmError(
            "E99", "only survey tasks without reasoning are written out for other harnesses.", field="--tasks",
            value=f"{plan.task.name}, {condition.name}", fix="choose survey tasks; see `calm evaluate --help`.",
        )  # fmt: skip
    rows = choose_rows(read_survey(plan), plan)
    presented = present_all(rows, condition, plan)
    for row in rows:
        for number, question in enumerate(presented[row.item.id, told_of(row, condition)]):
            yield {
                "id": f"{row.item.id}/{row.culture}/{number}",
                "question": row.item.id,
                "culture": row.culture,
                "presentation": number,
                "ordinal": row.item.scale == "ordinal",
                "prompt": question.prompt.text,
                "answers": list(question.answers),
                "texts": list(question.texts),
                "labels": list(question.labels),
                "language": question.asked_in,
                "people": list(row.people.shares),
                "target": int(row.people.array.argmax()),
            }
