"""The four-way split of a file of respondents, answer by answer, without writing every answer down.

What is new about an answer lies in its row (person, culture, wave) or in its question, so a part for each row and one
for each question tell the part of every answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from calm_lm.survey.people import Names, People
from calm_lm.survey.splits import PARTS, SEVERAL, TRAIN, Axis, hold_out, nothing_left, topic_of

UNSEEN_QUESTION = "unseen_question"
RULE = (
    "Rows stand in the order of the file. An answer's part is its row's where its question's is train, its question's "
    "where its row's is train, and several where neither is."
)


@dataclass(frozen=True, slots=True)
class PeopleSplit:
    """Which part the answers of a file of respondents belong to.

    An answer belongs to its row's part where its question's is `train`, to its question's part where its row's is
    `train`, and to `several` where neither is.

    Attributes:
        rows: part of each row, by person, culture and wave: `train`, `unseen_person`, `unseen_culture`, `unseen_wave`
            or `several` [N].
        questions: part of each question: `train` or `unseen_question`.
        counts: answers in each part.
        held_out: per axis, the values that training never sees.
    """

    rows: tuple[str, ...]
    questions: Mapping[str, str]
    counts: Mapping[str, int]
    held_out: Mapping[Axis, tuple[str, ...]]

    def part(self, row: int, question: str) -> str:
        """The part of one answer."""
        return _joint(self.rows[row], self.questions[question])


def split_people(people: People, *, share: float = 0.2, seed: int) -> PeopleSplit:
    """The split of `four_way_split` for every valid answer of a file, questions grouped by topic.

    The same people, questions and cultures are held out as if every answer were given there as a record. All rows of
    one person stay on one side of that axis.

    Args:
        people: the rows of the file.
        share: of people, topics and cultures that is held out, in (0, 0.5].
        seed: of the draws.

    Raises:
        CalmError: V90 to V92, as `four_way_split`.
    """
    gave, asked = people.answered.any(1), people.answered.any(0)
    axes: dict[Axis, Names] = {"person": people.person, "culture": people.culture, "wave": people.wave}
    questions = np.asarray(list(people.instrument.items), dtype=object)
    values: dict[Axis, list[str]] = {
        axis: [names.known[at] for at in np.unique(names.at[gave])] for axis, names in axes.items()
    }
    values["question"] = sorted(questions[asked].tolist())
    held = hold_out(values, topic_of(people.instrument), share, seed)
    unseen = np.stack([names.among(held[axis]) for axis, names in axes.items()])  # [3, N]
    alone = np.asarray([PARTS.index(f"unseen_{axis}") for axis in axes])[unseen.argmax(0)]
    row_parts = np.where(unseen.any(0), np.where(unseen.sum(0) > 1, PARTS.index(SEVERAL), alone), PARTS.index(TRAIN))
    hidden_questions = set(held["question"])
    new = np.asarray([name in hidden_questions for name in questions], dtype=bool)
    counts = Counter[str]()
    for hidden in (False, True):
        answers = people.answered[:, new == hidden].sum(1)
        for code, count in enumerate(np.bincount(row_parts, weights=answers, minlength=len(PARTS)).tolist()):
            counts[_joint(PARTS[code], UNSEEN_QUESTION if hidden else TRAIN)] += int(count)
    if not counts[TRAIN]:
        raise nothing_left(share)
    return PeopleSplit(
        tuple(PARTS[code] for code in row_parts.tolist()),
        {name: UNSEEN_QUESTION if hidden else TRAIN for name, hidden in zip(questions, new.tolist(), strict=True)},
        {part: counts[part] for part in PARTS},
        held,
    )


def _joint(by_row: str, by_question: str) -> str:
    return by_question if by_row == TRAIN else by_row if by_question == TRAIN else SEVERAL
