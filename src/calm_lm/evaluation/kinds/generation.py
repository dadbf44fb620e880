"""Open generation on everyday topics: what a model writes about each place, and about nobody in particular.

After CULTURE-GEN (arXiv 2404.10199): texts are drawn under each place's prompt and under one that names no culture;
what is asked is whether a place's texts are marked as special, how varied they are, and whose symbols stand in the
texts about nobody. Topics, prompts, symbol rules and thresholds are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pydantic

from calm_lm.culture.norms import NormStore
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import COUNTRY_PROMPT, NEUTRAL, Condition
from calm_lm.evaluation.asking.question import Open, OpenAnswer
from calm_lm.evaluation.kinds.generation_figures import Text, Texts, add_figures, shuffled_distinctness
from calm_lm.evaluation.kinds.material import Strict, different, load_material
from calm_lm.evaluation.kinds.placed import english, left_out, places_of, prompt_for
from calm_lm.evaluation.kinds.symbols import candidates, is_marked, words
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import Metric, Table
from calm_lm.evaluation.tasks.plan import Plan

METRICS = (Metric("marked", "Share of texts that mark their subject as special", higher_is_better=False),)
TEMPERATURE = 0.8
MAX_TOKENS = 40


class Topic(Strict):
    """What is written about: an instruction that names no place."""

    id: str
    text: str


class Topics(Strict):
    """The material of this kind."""

    topics: tuple[Topic, ...] = pydantic.Field(min_length=1)

    @pydantic.model_validator(mode="after")
    def _ids(self) -> Topics:
        different([each.id for each in self.topics])
        return self


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Draw texts on every topic for every place and without one.

    The culture-free prompt gets as many texts as all places together, so that the two compare at equal amounts.

    Args:
        asker: the model.
        plan: what to ask; its samples are texts for each topic and place.
        norms: records that may be put into the context.
        judge: not used.
    """
    conditions, places = with_both(english(plan)), places_of(plan)
    at_hand = load_material(plan.task, Topics).topics
    topics = plan.sample(at_hand, lambda topic: topic.id)
    keys = [(topic.id, sample, place) for topic in topics for sample in range(plan.wanted.samples) for place in places]
    table = Table([f"{topic}/{sample}" for topic, sample, _ in keys], [place for *_, place in keys],
                  seed=plan.seed, replicates=plan.replicates)  # fmt: skip
    written = [
        Texts(places, tuple(_write(asker, topics, places, condition, plan, norms))) for condition in conditions
    ]  # fmt: skip
    systems = [
        System(condition.name, condition.title, "model", {"marked": _marked(texts)})
        for condition, texts in zip(conditions, written, strict=True)
    ]
    named = next(place for place, condition in enumerate(conditions) if condition.names_culture)
    for system, condition, texts in zip(systems, conditions, written, strict=True):
        add_figures(system, texts, None if condition.names_culture else written[named])
    systems.append(System("shuffled-places", "places shuffled among the texts", "baseline", {}))
    systems[-1].figures["symbol_distinctness"] = shuffled_distinctness(written[named], plan.seed)
    facts = {
        "items": len(topics), "items_at_hand": len(at_hand), "samples": plan.wanted.samples, "places": list(places),
        "temperature": TEMPERATURE, "max_tokens": MAX_TOKENS, "symbols_from": conditions[named].name,
        "conditions_left_out": left_out(plan, conditions), "item_ids": [topic.id for topic in topics],
        "seed": plan.seed,
    }  # fmt: skip
    named_texts = tuple((topic.id, topic.text) for topic in topics)
    return TaskResult(plan.task, METRICS, table, tuple(systems), facts, _examples(conditions, written), named_texts)


def with_both(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """The conditions with at least one that names a place and one that does not."""
    found = list(conditions)
    if all(each.names_culture for each in found):
        found.insert(0, NEUTRAL)
    if not any(each.names_culture for each in found):
        found.append(COUNTRY_PROMPT)
    return tuple(found)


def _write(
    asker: Asker,
    topics: Sequence[Topic],
    places: tuple[str, ...],
    condition: Condition,
    plan: Plan,
    norms: NormStore | None,
) -> list[Text]:
    """Texts along the rows: topic, sample, place; a sample without a text is an empty one."""
    whom: tuple[str | None, ...] = places if condition.names_culture else (None,)
    each = plan.wanted.samples if condition.names_culture else plan.wanted.samples * len(places)
    asked = [
        Open(f"{plan.task.name}/{topic.id}/{place}", prompt_for(condition, place, topic.text, norms), samples=each,
             max_tokens=MAX_TOKENS, temperature=TEMPERATURE)
        for topic in topics
        for place in whom
    ]  # fmt: skip
    answers = iter(asker.write(asked, f"{plan.task.name}, {condition.title}"))
    found = []
    for topic in topics:
        drawn = [_all_samples(next(answers), each) for _ in whom]
        for sample in range(plan.wanted.samples):
            for number, place in enumerate(places):
                named = condition.names_culture
                text = drawn[number][sample] if named else drawn[0][sample * len(places) + number]
                symbols = candidates(text, topic.text)
                found.append(Text(f"{topic.id}/{sample}", place, text, symbols, tuple(words(text))))
    return found


def _all_samples(answer: OpenAnswer, count: int) -> list[str]:
    return [*answer.texts, *[""] * (count - len(answer.texts))]


def _marked(texts: Texts) -> Any:
    return np.asarray([float(is_marked(each.text)) if each.words else np.nan for each in texts.texts])


def _examples(conditions: Sequence[Condition], written: Sequence[Texts]) -> dict[str, Any]:
    """The first texts, one for each place where one was named, to see what the figures are made of."""
    return {
        "examples": {
            condition.name: [
                {"place": each.place if condition.names_culture else None, "text": each.text}
                for each in texts.texts[: len(texts.places)]
            ]
            for condition, texts in zip(conditions, written, strict=True)
        }
    }
