"""Survey against behaviour: what the model answers on a scale, and where its own words on the same topic lie.

On each topic the model answers a survey item and writes two or three sentences of advice, for every place. A text's
position is its projection between two authored poles in the space of a sentence encoder that has nothing to do with
the model under test (our choice; the model's own reading of its text would share its bias). Held-out sentences that
lean one way or the other say how well that measures: their share on the right side stands in the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import pydantic

from calm_lm.culture.norms import NormStore
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.asking.pool import pool
from calm_lm.evaluation.asking.question import Open, OpenAnswer
from calm_lm.evaluation.asking.wording import choice, presentations
from calm_lm.evaluation.kinds.material import Strict, different, load_material
from calm_lm.evaluation.kinds.placed import add_no_text, left_out, place_for, places_of, prompt_for
from calm_lm.evaluation.kinds.placed import english as english_of
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import Metric, Table
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats

METRICS = (Metric("gap", "Distance from survey answer to own words", higher_is_better=False),)
TEMPERATURE = 0.8
MAX_TOKENS = 56
Texts = Sequence[str]


class Encoder(Protocol):
    """What places sentences in a space; `lm.sentence.MeanPoolEncoder` does."""

    def embed(self, texts: Sequence[str]) -> Any:
        """Unit-length vectors [N, d] as a tensor or an array."""
        ...


class Topic(Strict):
    """A topic with two poles.

    Attributes:
        id: unique.
        item: the survey question.
        options: its answers from the low pole to the high one.
        task: the instruction for the text.
        low: texts at the low pole.
        high: texts at the high pole.
        check_low: other texts that lean to the low pole, by which the measure is judged.
        check_high: others that lean to the high pole.
    """

    id: str
    item: str
    options: tuple[str, ...] = pydantic.Field(min_length=3)
    task: str
    low: tuple[str, ...] = pydantic.Field(min_length=2)
    high: tuple[str, ...] = pydantic.Field(min_length=2)
    check_low: tuple[str, ...] = pydantic.Field(min_length=1)
    check_high: tuple[str, ...] = pydantic.Field(min_length=1)


class Topics(Strict):
    """The material of this kind."""

    topics: tuple[Topic, ...] = pydantic.Field(min_length=1)

    @pydantic.model_validator(mode="after")
    def _ids(self) -> Topics:
        different([each.id for each in self.topics])
        return self


class Positions(NamedTuple):
    """Along the rows, from 0 (low pole) to 1: the survey's answer and the texts' mean, `nan` where there is none."""

    survey: Floats
    words: Floats


class Axis:
    """The line between a topic's poles.

    Raises:
        CalmError: E85 for poles that the encoder cannot tell apart.
    """

    def __init__(self, topic: Topic, encoder: Encoder) -> None:
        self._encoder = encoder
        low, high = (self._embed(texts).mean(0) for texts in (topic.low, topic.high))
        self._start, self._line = low, high - low
        if float(self._line @ self._line) < 1e-4:
            raise CalmError("E85", "the two poles read the same.", field=f"topic {topic.id}", value=topic.low[0],
                            fix="write texts that differ in what they advise.")  # fmt: skip

    def place(self, texts: Texts) -> Floats:
        """Positions of texts [N], cut off at 0 and 1."""
        along = (self._embed(texts) - self._start) @ self._line / float(self._line @ self._line)
        held: Floats = np.clip(along, 0.0, 1.0)
        return held

    def _embed(self, texts: Texts) -> Floats:
        return np.asarray(self._encoder.embed(list(texts)), dtype=np.float64)


def run(
    asker: Asker,
    plan: Plan,
    *,
    norms: NormStore | None = None,
    judge: Asker | None = None,
    encoder: Encoder | None = None,
) -> TaskResult:
    """Ask and let write on every topic for every place.

    Args:
        asker: the model.
        plan: what to ask; its samples are texts for each topic and place.
        norms: records that may be put into the context.
        judge: not used.
        encoder: what places texts; the embedded sentence encoder by default.
    """
    conditions, places = english_of(plan), places_of(plan)
    at_hand = load_material(plan.task, Topics).topics
    topics = plan.sample(at_hand, lambda topic: topic.id)
    encoder = encoder or _embedded()
    axes = {topic.id: Axis(topic, encoder) for topic in topics}
    rows = [(topic, place) for topic in topics for place in places]
    table = Table([topic.id for topic, _ in rows], [place for _, place in rows], seed=plan.seed,
                  replicates=plan.replicates)  # fmt: skip
    systems, shuffled = [], []
    for condition in conditions:
        answers, written = _ask(asker, rows, condition, plan, norms), _write(asker, rows, condition, plan, norms)
        words = [axes[topic.id].place(each.texts).mean() if each.texts else np.nan
                 for (topic, _), each in zip(rows, written, strict=True)]  # fmt: skip
        found = Positions(answers, np.asarray(words))
        system = System(condition.name, condition.title, "model", {"gap": np.abs(found.survey - found.words)})
        add_no_text(system, written, table)
        system.detail["positions"] = [
            {"topic": topic.id, "place": place, "survey": _known(found.survey[row]), "words": _known(found.words[row])}
            for row, (topic, place) in enumerate(rows)
        ]
        systems.append(system)
        if condition.names_culture:
            value = agreement(found, len(places))
            title = "Places that answer higher also write higher (correlation within topics)"
            system.figures["agreement"] = {
                "title": title, "value": _known(value), "interval": None, "higher_is_better": True,
                "dimension": "consistency",
            }  # fmt: skip
            shuffled.append(
                System(f"shuffled-places:{condition.name}", f"{condition.title}, texts of the other places",
                       "baseline", {"gap": gap_to_others(found, len(places))})
            )  # fmt: skip
    signed = np.asarray([_separates(topic, axes[topic.id]) for topic in topics])
    facts = {
        "items": len(topics), "items_at_hand": len(at_hand), "samples": plan.wanted.samples, "places": list(places),
        "item_ids": [topic.id for topic in topics], "conditions_left_out": left_out(plan, conditions),
        "held_out_texts_on_the_right_side": round(float(signed.mean()), 4), "seed": plan.seed,
    }  # fmt: skip
    texts = tuple((f"{each.id}/{part}", getattr(each, part)) for each in topics for part in ("item", "task"))
    return TaskResult(plan.task, METRICS, table, tuple(systems + shuffled), facts, texts=texts)


def gap_to_others(found: Positions, places: int) -> Floats:
    """Mean distance from a place's survey answer to the texts of the topic's other places [N].

    It is what the gap would be if survey and words had nothing to do with each other beyond the topic.
    """
    survey, words = (values.reshape(-1, places) for values in found)
    apart = np.abs(survey[:, :, None] - words[:, None, :])
    apart[:, np.arange(places), np.arange(places)] = np.nan
    known = np.isfinite(apart)
    total = np.where(known, apart, 0).sum(2)
    return np.where(known.any(2), total / np.maximum(known.sum(2), 1), np.nan).ravel()


def agreement(found: Positions, places: int) -> float:
    """Correlation of survey and words over places, both centred within topics, -1 to 1; `nan` where one is constant."""
    survey, words = (values.reshape(-1, places) for values in found)
    known = np.isfinite(survey) & np.isfinite(words)
    survey, words = (_centred(values, known) for values in (survey, words))
    spread = float((survey**2).sum() * (words**2).sum())
    return float((survey * words).sum() / np.sqrt(spread)) if spread > 1e-18 else float("nan")


def _centred(values: Floats, known: Any) -> Floats:
    held = np.where(known, values, 0.0)
    means = held.sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
    return np.where(known, held - means, 0.0)


def _ask(
    asker: Asker, rows: Sequence[tuple[Topic, str]], condition: Condition, plan: Plan, norms: NormStore | None
) -> Floats:
    """Mean position of the survey answers along the rows."""
    asked, counts = [], []
    for topic, place in rows:
        shown = presentations(len(topic.options), plan.wanted.presentations, ordinal=True, seed=plan.seed)
        told = place_for(condition, place, topic.item, norms)
        name = f"{plan.task.name}/{topic.id}/{condition.name}/{place}"
        asked += [choice(name, topic.item, topic.options, condition, told, each) for each in shown]
        counts.append(len(shown))
    answers = iter(asker.choose(asked, f"{plan.task.name}, {condition.title}, survey"))
    pooled = [pool([next(answers) for _ in range(count)]) for count in counts]
    return np.asarray([
        np.nan if each.shares is None else float(each.shares @ np.linspace(0, 1, len(each.shares))) for each in pooled
    ])  # fmt: skip


def _write(
    asker: Asker, rows: Sequence[tuple[Topic, str]], condition: Condition, plan: Plan, norms: NormStore | None
) -> list[OpenAnswer]:
    asked = [
        Open(f"{plan.task.name}/{topic.id}/{place}", prompt_for(condition, place, topic.task, norms),
             samples=plan.wanted.samples, max_tokens=MAX_TOKENS, temperature=TEMPERATURE)
        for topic, place in rows
    ]  # fmt: skip
    answers = asker.write(asked, f"{plan.task.name}, {condition.title}, own words")
    return [_with_texts(each) for each in answers]


def _with_texts(answer: OpenAnswer) -> OpenAnswer:
    """An empty text is no text: it counts as declined."""
    texts = tuple(filter(str.strip, answer.texts))
    return OpenAnswer(texts, answer.refused + len(answer.texts) - len(texts), answer.failed)


def _separates(topic: Topic, axis: Axis) -> float:
    """Share of the topic's held-out texts that lie on their side of the middle."""
    low, high = axis.place(topic.check_low), axis.place(topic.check_high)
    return float(np.mean([*(low < 0.5), *(high > 0.5)]))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _embedded() -> Encoder:
    from calm_lm.lm.sentence import MeanPoolEncoder

    return MeanPoolEncoder.load("embedded", local_files_only=True)
