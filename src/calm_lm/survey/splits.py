"""Four ways of generalising, kept apart: to unseen people, questions, cultures, and to a later wave.

Training and testing on the same questions, as person-level survey prediction usually does, measures how well people
are interpolated, not what was learnt about a culture. Here every answer is training material or belongs to exactly one
test: the one for the single thing about it that is new, or `several` where more than one is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from calm_lm.errors import CalmError
from calm_lm.survey.instrument import Instrument, Survey

Axis = Literal["person", "question", "culture", "wave"]
AXES: tuple[Axis, ...] = ("person", "question", "culture", "wave")
TRAIN, SEVERAL = "train", "several"
PARTS = (TRAIN, *(f"unseen_{axis}" for axis in AXES), SEVERAL)


class Answer(NamedTuple):
    """Where one answer stands on the four axes; empty where a source does not tell."""

    person: str
    question: str
    culture: str
    wave: str


@dataclass(frozen=True, slots=True)
class FourWaySplit:
    """Which part each answer belongs to.

    Attributes:
        parts: part of each answer, in the order given: `train`, `unseen_person`, ..., `several`.
        held_out: per axis, the values that training never sees.
    """

    parts: tuple[str, ...]
    held_out: Mapping[Axis, tuple[str, ...]]

    @property
    def counts(self) -> dict[str, int]:
        """Answers in each part."""
        found = Counter(self.parts)
        return {part: found[part] for part in PARTS}

    def rows(self, part: str) -> list[int]:
        """Places of a part's answers."""
        return [place for place, each in enumerate(self.parts) if each == part]


def four_way_split(
    answers: Sequence[Answer],
    *,
    share: float = 0.2,
    seed: int,
    group_of: Callable[[str], str] = lambda question: question,
) -> FourWaySplit:
    """Hold out people, groups of questions and cultures at random, and the latest wave.

    An axis with fewer than two values (nobody is named, one wave only) holds nothing out. Questions of one group (a
    topic, near-identical wordings) stay on one side. For respondents of a file see `people_split`.

    Args:
        answers: one record an answer.
        share: of people, question groups and cultures that is held out, in (0, 0.5].
        seed: of the draws.
        group_of: the group of a question.

    Raises:
        CalmError: V90 for a share outside (0, 0.5], V91 for no answer, V92 when nothing is left to train on.
    """
    values = {axis: sorted(set(column)) for axis, column in zip(AXES, zip(*answers, strict=True), strict=False)}
    held = hold_out(values, group_of, share, seed)
    sets = [set(held[axis]) for axis in AXES]
    parts = tuple(_part([value in hidden for value, hidden in zip(answer, sets, strict=True)]) for answer in answers)
    if TRAIN not in parts:
        raise nothing_left(share)
    return FourWaySplit(parts, held)


def answers_of(survey: Survey) -> list[Answer]:
    """One record for each distribution; people are not named there, so that axis stays empty."""
    return [Answer("", each.item, each.cell.name, each.wave or each.date) for each in survey.distributions]


def topic_of(instrument: Instrument) -> Callable[[str], str]:
    """Groups questions by topic, so that an unseen question is not a seen one's neighbour; by itself without one."""
    return lambda question: instrument.items[question].topic or question


def hold_out(
    values: Mapping[Axis, Sequence[str]], group_of: Callable[[str], str], share: float, seed: int
) -> dict[Axis, tuple[str, ...]]:
    """What training never sees of each axis.

    Args:
        values: the different values of each axis, sorted; an empty one is not told.
        group_of: the group of a question.
        share: of people, question groups and cultures.
        seed: of the draws.

    Raises:
        CalmError: V90, V91, as `four_way_split`.
    """
    if not 0 < share <= 0.5:
        raise CalmError("V90", "a share is above 0 and at most 0.5.", field="share", value=share, fix="use 0.2.")
    if not values.get("question"):
        raise CalmError("V91", "there is no answer to split.", field="answers", value=0, fix="load a survey first.")
    rng = np.random.default_rng(seed)
    groups = {question: group_of(question) for question in values["question"]}
    drawn_groups = set(_draw(sorted(set(groups.values())), share, rng))
    told = {axis: [value for value in values[axis] if value] for axis in AXES}
    return {
        "person": _draw(told["person"], share, rng),
        "question": tuple(name for name, group in groups.items() if group in drawn_groups),
        "culture": _draw(told["culture"], share, rng),
        "wave": (max(told["wave"], key=_by_number),) if len(told["wave"]) > 1 else (),
    }


def nothing_left(share: float) -> CalmError:
    """For a split without training material."""
    return CalmError(
        "V92", "nothing is left to train on.", field="share", value=share,
        fix="hold out less, or give answers of more people, questions, cultures or waves.",
    )  # fmt: skip


def _draw(values: Sequence[str], share: float, rng: np.random.Generator) -> tuple[str, ...]:
    if len(values) < 2:
        return ()
    count = min(len(values) - 1, max(1, round(share * len(values))))
    return tuple(sorted(rng.choice(np.asarray(values, dtype=object), count, replace=False).tolist()))


def _by_number(wave: str) -> list[str | int]:
    """A key by which wave 10 comes after wave 9."""
    return [int(piece) if piece.isdecimal() else piece for piece in re.split(r"(\d+)", wave)]


def _part(unseen: Sequence[bool]) -> str:
    if not any(unseen):
        return TRAIN
    return SEVERAL if sum(unseen) > 1 else f"unseen_{AXES[list(unseen).index(True)]}"
