"""Free answers graded by a judge model against a reference: CARE, in Arabic, Chinese and Japanese.

One answer is graded at a time, so no order between two answers can sway the judge. The judge also grades the reference
answers themselves and reference answers of other questions: a judge that does not tell these apart measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from calm_lm.culture.norms import NormStore
from calm_lm.data.benchmarks.care import CareItem, read
from calm_lm.data.benchmarks.registry import get, locate
from calm_lm.errors import UnavailableError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import NEUTRAL
from calm_lm.evaluation.asking.question import Open, Prompt
from calm_lm.evaluation.kinds.judging import HIGH, LOW, MAX_TOKENS, Judgement, judge_prompt, read_judgement
from calm_lm.evaluation.kinds.placed import add_no_text, delivered, left_out
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import Metric, Table, figure
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats

METRICS = (Metric("score", "Judge's score", higher_is_better=True, low=LOW, high=HIGH),)
ANSWER_TOKENS = 200
FOCUS = {
    "Cultural commonsense": "What counts is whether the answer says what goes without saying for people there.",
    "Cultural entities": "What counts is whether the answer names and explains the same thing, place, person or dish.",
    "Literacy": "What counts is whether the answer gets the text, saying, author or meaning right.",
    "Opinion": "Views may differ: what counts is whether the answer gives a view that people there could recognise, "
    "with its grounds, not whether it agrees with the reference.",
    "Social norms": "What counts is whether somebody who follows the answer would behave as people there expect.",
}
"""What a judge is to look at in each category of CARE; our words."""


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Let the model answer in the question's own language, greedily, and let the judge grade.

    Conditions are left out: the questions name their place themselves.

    Args:
        asker: the model.
        plan: what to ask.
        norms: not used.
        judge: who grades.

    Raises:
        CalmError: E75 without a judge.
    """
    if judge is None:
        raise UnavailableError("E75", "these answers are graded by a judge, and none was named.", field="--judge",
                        fix="add --judge MODEL, as large a model as you can; never the one under test.")  # fmt: skip
    items, chosen = _choose(plan)
    table = Table([item.id for item in chosen], [item.language for item in chosen], seed=plan.seed,
                  replicates=plan.replicates)  # fmt: skip
    asked = [
        Open(f"{plan.task.name}/{item.id}", Prompt(item.question), max_tokens=ANSWER_TOKENS, language=item.language)
        for item in chosen
    ]
    answers = asker.write(asked, f"{plan.task.name}, {NEUTRAL.title}")
    replies = [answer.texts[0] if answer.texts else "" for answer in answers]
    model = System(NEUTRAL.name, "the model, asked in the question's language", "model", {})
    add_no_text(model, answers, table)
    systems = [model, System("reference", "the reference answers themselves", "people", {}),
               System("misplaced", "reference answers of other questions", "baseline", {})]  # fmt: skip
    given = [replies, [item.answer for item in chosen], misplaced(chosen, items)]
    for system, texts in zip(systems, given, strict=True):
        judged = grade(judge, chosen, texts, f"{plan.task.name}, judge on {system.title}")
        system.rows["score"] = _scores(judged)
        unread = np.asarray([float(each is None) for each in judged])
        system.figures["unparsed"] = figure(table.means(unread), title="Share of judgements that could not be read",
                                            higher_is_better=False)  # fmt: skip
        system.detail["by_category"] = _by_category(chosen, system.rows["score"])
        if system is model:
            system.detail["judgements"] = [
                {"id": item.id, **({} if each is None else each._asdict())}
                for item, each in zip(chosen, judged, strict=True)
            ]
    model.rows["score"] *= delivered(answers)
    identity = judge.subject.identity
    facts = {
        "items": len(chosen), "items_at_hand": len(items), "item_ids": [item.id for item in chosen],
        "judge": {"title": judge.subject.title, "name": identity.name, "fingerprint": identity.fingerprint},
        "judges_itself": identity.fingerprint
        in {asker.speakers.of(item.language).identity.fingerprint for item in chosen},
        "conditions_left_out": left_out(plan, (NEUTRAL,)), "seed": plan.seed,
    }  # fmt: skip
    named = tuple((item.id, item.question) for item in chosen)
    return TaskResult(plan.task, METRICS, table, tuple(systems), facts, texts=named)


def grade(judge: Asker, items: Sequence[CareItem], texts: Sequence[str], title: str) -> list[Judgement | None]:
    """A judgement of each text; an empty one gets the lowest score unseen, one that cannot be read is None."""
    full = [(item, text) for item, text in zip(items, texts, strict=True) if text.strip()]
    asked = [
        Open(f"judge/{item.id}", judge_prompt(FOCUS[item.category], item.question, item.answer, text),
             max_tokens=MAX_TOKENS)
        for item, text in full
    ]  # fmt: skip
    replies = iter(judge.write(asked, title)) if asked else iter(())
    found: list[Judgement | None] = []
    for text in texts:
        reply = next(replies).texts if text.strip() else None
        found.append(Judgement(LOW, "no answer") if reply is None else read_judgement(reply[0]) if reply else None)
    return found


def misplaced(chosen: Sequence[CareItem], items: Sequence[CareItem]) -> list[str]:
    """For each item, the reference of another one of its language: fluent, and beside the point.

    It is the next item's of the category, or of any where the category has no other; empty where there is none.
    """
    found = []
    for item in chosen:
        kin = [each for each in items if each.language == item.language]
        same = [each for each in kin if each.category == item.category]
        pool = same if len(same) > 1 else kin
        found.append(pool[(pool.index(item) + 1) % len(pool)].answer if len(pool) > 1 else "")
    return found


def _choose(plan: Plan) -> tuple[Sequence[CareItem], Sequence[CareItem]]:
    """All items in the task's languages, and those of this run, spread over languages and categories."""
    items = [item for item in read(locate(get(plan.task.data), plan.data_dir)) if item.language in plan.asked_in]
    return items, plan.sample(items, lambda item: f"{item.category}/{item.language}")


def _scores(judged: Sequence[Judgement | None]) -> Floats:
    return np.asarray([np.nan if each is None else float(each.score) for each in judged])


def _by_category(items: Sequence[CareItem], scores: Floats) -> dict[str, Any]:
    found = {}
    for category in FOCUS:
        held = [score for item, score in zip(items, scores.tolist(), strict=True)
                if item.category == category and np.isfinite(score)]  # fmt: skip
        found[category] = {"rows": len(held), "mean": round(float(np.mean(held)), 4) if held else None}
    return found
