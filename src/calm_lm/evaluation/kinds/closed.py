"""What every kind of task with closed answers shares: which conditions fit it, asking, and figures of answering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from calm_lm.culture.blend import Blend
from calm_lm.culture.norms import NormStore
from calm_lm.errors import UnavailableError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.asking.pool import Pooled, pool
from calm_lm.evaluation.asking.question import Choice
from calm_lm.evaluation.asking.wording import Place, choice, presentations
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats, Ints

MOST_NORMS = 3
ASKED_IN = "en"  # the language of the sentences around every question of these tasks


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one row.

    Attributes:
        id: shared by rows that ask the same of several places.
        text: the question.
        options: in its own order.
        place: culture id that a condition may name; None where there is nobody to name.
        language: of text and options.
    """

    id: str
    text: str
    options: tuple[str, ...]
    place: str | None
    language: str = ASKED_IN


class Conditions(NamedTuple):
    """Which of a run's conditions fit a task, and why the others do not."""

    used: tuple[Condition, ...]
    left_out: dict[str, str]


def fitting(plan: Plan, *, no_place: str | None = None) -> Conditions:
    """The conditions that a task with fixed wording can be asked under.

    Args:
        plan: with the conditions of the run.
        no_place: why a prompt can name nobody; None where it can.

    Raises:
        UnavailableError: E60 where none is left.
    """
    reasons = {}
    for condition in plan.conditions:
        if condition.language != ASKED_IN:
            reasons[condition.name] = "the task has one wording and no translation"
        elif condition.names_culture and no_place is not None:
            reasons[condition.name] = no_place
    used = tuple(each for each in plan.conditions if each.name not in reasons)
    if not used:
        raise UnavailableError(
            "E60", f"no condition of this run fits {plan.task.name}: {'; '.join(sorted(set(reasons.values())))}.",
            field="--conditions", value=", ".join(reasons), fix="add the condition neutral, or leave the task out.",
        )  # fmt: skip
    return Conditions(used, reasons)


def ask(
    asker: Asker, questions: Sequence[Question], condition: Condition, plan: Plan, norms: NormStore | None
) -> list[Pooled]:
    """Answers along the questions; a condition that names no place asks each different question once."""
    keys = [(each.id, each.place if condition.names_culture else None) for each in questions]
    different = dict(zip(keys, questions, strict=True))
    presented = {
        key: _present(question, key[1], condition, plan, norms) for key, question in different.items()
    }  # fmt: skip
    flat = [one for shown in presented.values() for one in shown]
    answers = iter(asker.choose(flat, f"{plan.task.name}, {condition.title}"))
    found = {key: pool([next(answers) for _ in shown]) for key, shown in presented.items()}
    return [found[key] for key in keys]


def _present(
    question: Question, place: str | None, condition: Condition, plan: Plan, norms: NormStore | None
) -> list[Choice]:
    name = f"{plan.task.name}/{question.id}/{condition.name}/{place or ''}"
    told = None if place is None else _tell(place, question.text, condition, norms)
    shown = presentations(len(question.options), plan.wanted.presentations, ordinal=False, seed=plan.seed)
    return [
        replace(choice(name, question.text, question.options, condition, told, each), text_language=question.language)
        for each in shown
    ]


def _tell(place: str, text: str, condition: Condition, norms: NormStore | None) -> Place:
    if condition.culture != "norms" or norms is None:
        return Place(place)
    hits = norms.search(text, Blend.of(place), MOST_NORMS)
    return Place(place, norms=tuple(hit.record.sentence() for hit in hits))


def shares_of(answers: Sequence[Pooled], n_options: int) -> Floats:
    """Answers to questions with the same number of options as shares [N, K]; `nan` rows where none is valid."""
    nothing = np.full(n_options, np.nan)
    return np.stack([nothing if each.shares is None else each.shares for each in answers])


def picked(answers: Sequence[Pooled], right: Sequence[int]) -> tuple[Floats, Floats]:
    """Per row [N]: how right the likeliest option is, and the probability of the right one.

    Where several options are likeliest, the right one among them counts its part. A question without any valid answer
    is not answered right: 0 in both (our choice: a refusal must not raise a score; its share stands beside it).
    """
    hits, chances = np.zeros(len(answers)), np.zeros(len(answers))
    for row, (answer, place) in enumerate(zip(answers, right, strict=True)):
        if answer.shares is not None:
            best = np.isclose(answer.shares, answer.shares.max(), rtol=0, atol=1e-12)
            hits[row], chances[row] = best[place] / best.sum(), answer.shares[place]
    return hits, chances


def only(values: Floats, chosen: Sequence[bool]) -> Floats:
    """The values [N] of chosen rows, `nan` elsewhere: a part of a table that is judged by itself."""
    return np.where(np.asarray(chosen), values, np.nan)


def constant(shares: Sequence[float], rows: int) -> list[Pooled]:
    """The same answer to every row."""
    return [Pooled(np.asarray(shares, dtype=np.float64))] * rows


def commonest(values: Ints, n: int) -> int:
    """The value from 0 to n - 1 that occurs most, the smaller one of two that tie."""
    return int(np.bincount(values[values >= 0], minlength=n).argmax())
