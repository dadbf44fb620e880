"""What a demonstration shows of one model: situations side by side, reflections that went right and wrong, a silence.

Everything shown is picked by a rule that is told beside it, never by hand, and the picks are the same in every run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calm_lm.data.example import Example
from calm_lm.evaluation.system import Answers
from calm_lm.model.answers import Prediction
from calm_lm.model.calm import CalmModel

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
DIFFERING = 3  # situations shown because their documented norms differ most
KINDS = ("changed rightly", "kept", "changed wrongly")


@dataclass(frozen=True, slots=True)
class Reading:
    """One country's reading of a situation.

    Attributes:
        country: the reader.
        documented: the label the bundled norms give.
        predicted: the model's label.
        probability: of that label.
    """

    country: str
    documented: str
    predicted: str
    probability: float

    @property
    def agrees(self) -> bool:
        """Whether prediction and documented norm are the same."""
        return self.documented == self.predicted


@dataclass(frozen=True, slots=True)
class Situation:
    """One text read by every country, and the rule by which it was picked."""

    text: str
    family: str
    picked: str
    readings: tuple[Reading, ...]

    @property
    def agreeing(self) -> int:
        """Countries for which the model says what is documented."""
        return sum(reading.agrees for reading in self.readings)


@dataclass(frozen=True, slots=True)
class Reflection:
    """One reflection, shown with all it rested on.

    Attributes:
        kind: one of `KINDS`.
        split: where the row was found; None with everything after it when there is none in either split.
        text: the situation.
        country: the reader.
        documented: the label the bundled norms give.
        prediction: draft, every round with its evidence, and the final answer.
    """

    kind: str
    split: str | None
    text: str = ""
    country: str = ""
    documented: str = ""
    prediction: Prediction | None = None


@dataclass(frozen=True, slots=True)
class Reflections:
    """How often reflection changed an answer of the first split, and one example of each kind.

    Attributes:
        rows: answers in all.
        rightly: changed from wrong to right.
        wrongly: changed from right to wrong.
        between_wrong: changed from one wrong label to another.
        examples: one per kind of `KINDS`.
    """

    rows: int
    rightly: int
    wrongly: int
    between_wrong: int
    examples: tuple[Reflection, ...]


@dataclass(frozen=True, slots=True)
class Abstention:
    """When the model says nothing.

    Attributes:
        threshold: probability below which it abstains, fitted on validation rows; None when none was found.
        share: of the judged rows on which it abstains.
        accuracy_all: of all answers.
        accuracy_answered: of those it does not withhold; None when it withholds all.
        text, country, documented, prediction: the least sure row; empty and None when it never abstains.
    """

    threshold: float | None
    share: float
    accuracy_all: float
    accuracy_answered: float | None
    text: str = ""
    country: str = ""
    documented: str = ""
    prediction: Prediction | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One split with a model's answers to it."""

    split: str
    examples: tuple[Example, ...]
    answers: Answers

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Documented labels [N]."""
        return np.array([example.label for example in self.examples], dtype=np.int64)


def pick_situations(judged: Judged, names: Sequence[str]) -> tuple[Situation, ...]:
    """Three situations whose documented norms differ most, each of another topic, and the one most often wrong."""
    groups: dict[str, list[int]] = {}
    for row, example in enumerate(judged.examples):
        groups.setdefault(example.group, []).append(row)
    labels, right = judged.labels, judged.answers.shares.argmax(1) == judged.labels
    by_difference = sorted(groups, key=lambda g: (-_entropy(labels[groups[g]].tolist()), g))
    topics: set[str] = set()
    chosen: list[str] = []
    for group in by_difference:
        topic = judged.examples[groups[group][0]].source
        if len(chosen) < DIFFERING and topic not in topics:
            topics.add(topic)
            chosen.append(group)
    worst = min((g for g in groups if g not in chosen), key=lambda g: (float(right[groups[g]].mean()), g), default=None)
    pairs = [
        (group, "its documented norms differ most between the countries, one situation a topic") for group in chosen
    ]
    if worst is not None:
        pairs.append((worst, "of all others the model is wrong on it for the most countries"))
    return tuple(_situation(judged, groups[group], names, why) for group, why in pairs)


def _entropy(labels: Iterable[int]) -> float:
    counts = np.array(list(Counter(labels).values()), dtype=float)
    shares = counts / counts.sum()
    return round(float(-(shares * np.log(shares)).sum()), 9)  # so that equal mixtures tie, whatever their order


def _situation(judged: Judged, rows: Sequence[int], names: Sequence[str], picked: str) -> Situation:
    first = judged.examples[rows[0]]
    return Situation(first.text, first.tag("family") or first.group, picked, tuple(_readings(judged, rows, names)))


def _readings(judged: Judged, rows: Sequence[int], names: Sequence[str]) -> Iterator[Reading]:
    for row in sorted(rows, key=lambda row: str(judged.examples[row].reader)):
        shares = judged.answers.shares[row]
        best = int(shares.argmax())
        yield Reading(str(judged.examples[row].reader), names[judged.labels[row]], names[best], float(shares[best]))


def pick_reflections(model: CalmModel, splits: Sequence[Judged]) -> Reflections:
    """One example of each kind, from the first split that has it; the documented label's probability moved most."""
    rightly, wrongly, between = (int(mask.sum()) for mask in _changes(splits[0]))
    examples = tuple(_example(model, splits, kind) for kind in KINDS)
    return Reflections(len(splits[0].examples), rightly, wrongly, between, examples)


def _changes(judged: Judged) -> tuple[Bools, Bools, Bools]:
    """Rows changed rightly, wrongly, and from one wrong label to another."""
    draft, final, labels = judged.answers.drafts.argmax(1), judged.answers.shares.argmax(1), judged.labels
    changed = draft != final
    return changed & (final == labels), changed & (draft == labels), changed & (final != labels) & (draft != labels)


def _example(model: CalmModel, splits: Sequence[Judged], kind: str) -> Reflection:
    for judged in splits:
        rightly, wrongly, between = _changes(judged)
        candidates = {KINDS[0]: rightly, KINDS[1]: ~(rightly | wrongly | between), KINDS[2]: wrongly}[kind]
        rows = np.flatnonzero(candidates)
        if len(rows):
            gain = (judged.answers.shares - judged.answers.drafts)[rows, judged.labels[rows]]
            row = int(rows[np.argmax(-gain if kind == KINDS[2] else gain)])
            example = judged.examples[row]
            documented = model.manifest.labels[judged.labels[row]]
            answer = model.predict([example.text], [example.reader])[0]
            return Reflection(kind, judged.split, example.text, str(example.reader), documented, answer)
    return Reflection(kind, None)


def pick_abstention(model: CalmModel, judged: Judged) -> Abstention:
    """The least sure row, and what abstaining does to the accuracy of the answers that are given."""
    sure, right = judged.answers.shares.max(1), judged.answers.shares.argmax(1) == judged.labels
    threshold = model.manifest.calibration.abstain_below or None
    silent = sure < (threshold or 0.0)
    answered = float(right[~silent].mean()) if not silent.all() else None
    facts = (threshold, float(silent.mean()), float(right.mean()), answered)
    if not silent.any():
        return Abstention(*facts)
    row = int(sure.argmin())
    example = judged.examples[row]
    documented = model.manifest.labels[judged.labels[row]]
    answer = model.predict([example.text], [example.reader])[0]
    return Abstention(*facts, example.text, str(example.reader), documented, answer)
