"""Labelled rows put to a trained run: it classifies instead of being asked in words, as the readers that it knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from calm_lm.data.example import Dataset, Example
from calm_lm.errors import UnavailableError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.classifier import Classifier
from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.asking.pool import Pooled
from calm_lm.evaluation.kinds.closed import Conditions, fitting
from calm_lm.evaluation.tasks.plan import Plan


class Readable(NamedTuple):
    """Data of which a run can read every row that is judged.

    Attributes:
        data: without the judged rows of other readers.
        readers_left_out: each reader that the run does not know, with the reason.
        notes: the same in one sentence; none where nobody is left out.
    """

    data: Dataset
    readers_left_out: dict[str, str]
    notes: tuple[str, ...]


def run_of(asker: Asker, data: Dataset) -> Classifier | None:
    """The run under test, if it answers the labels of these data; None for any model that is asked in words."""
    model = asker.subject
    return model if isinstance(model, Classifier) and tuple(model.labels) == data.labels else None


def readable(model: Classifier | None, data: Dataset, plan: Plan) -> Readable:
    """Leave out the rows of readers whom a run does not know: read by nobody, they would count as read by them.

    They are left out under every condition, so that all are judged on the same rows; where no condition asks for the
    reader, and for a model that is asked in words, nothing is left out.

    Raises:
        UnavailableError: E66 where the run knows none of the readers, E60 where no condition fits.
    """
    split = plan.task.settings.get("split", "test")
    rows = data.splits.get(split, ())
    if model is None or not rows or not any(each.names_culture for each in run_conditions(model, rows, plan).used):
        return Readable(data, {}, ())
    kept = tuple(each for each in rows if each.reader is None or each.reader.single in model.readers)
    if len(kept) == len(rows):
        return Readable(data, {}, ())
    lost = Counter(str(each.reader) for each in rows) - Counter(str(each.reader) for each in kept)
    known = ", ".join(model.readers)
    if all(each.reader is None for each in kept):
        raise UnavailableError(
            "E66", f"the run knows none of these readers; it knows {known}.", field="MODEL",
            value=", ".join(sorted(lost)),
            fix="train a run on rows of these readers, or ask under the condition neutral alone.",
        )  # fmt: skip
    reasons = {name: f"{lost[name]} rows; the run was not trained with this reader" for name in sorted(lost)}
    note = f"The rows of {', '.join(reasons)} are left out: the run reads for {known}."
    return Readable(replace(data, splits={**data.splits, split: kept}), reasons, (note,))


def run_conditions(model: Classifier, rows: Sequence[Example], plan: Plan) -> Conditions:
    """The first condition that names nobody and the first that names the reader; a run reads no other words.

    Raises:
        UnavailableError: E60 where none is left.
    """
    nobody = None
    if not model.readers:
        nobody = "the run was trained without readers"
    if all(each.reader is None for each in rows):
        nobody = "its labels have no reader that a run could read for"
    fit = fitting(plan, no_place=nobody)
    firsts = {each.names_culture: each for each in reversed(fit.used)}
    used = tuple(each for each in fit.used if each is firsts[each.names_culture])
    unread = {each.name: "a trained run reads no framing" for each in fit.used if each not in used}
    return Conditions(used, fit.left_out | unread)


def classify_rows(
    asker: Asker, model: Classifier, rows: Sequence[Example], plan: Plan
) -> tuple[list[tuple[Condition, list[Pooled]]], Conditions]:
    """Answers along the rows, by nobody in particular or by each row's reader.

    Raises:
        CalmError: E60 where no condition fits, M01 for a reader that the run does not know (see `readable`).
    """
    conditions = run_conditions(model, rows, plan)
    answers = []
    for condition in conditions.used:
        readers = [str(each.reader) if condition.names_culture and each.reader else None for each in rows]
        found = asker.classify([each.text for each in rows], readers, f"{plan.task.name}, {condition.title}")
        answers.append((condition, [Pooled(row) for row in found]))
    return answers, conditions
