"""A simulated learner: what a model gets right on a quiz form after reading facts about the place, and without.

It rehearses the study with people that `quiz_kit` prepares and stands in for nobody: a model that answers better with
a page in its context has shown that the page helps a reader like it, not that people learn from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calm_lm.culture.ids import display_name
from calm_lm.culture.norms import NormStore
from calm_lm.data.benchmarks.blend_short import read
from calm_lm.data.benchmarks.registry import get, locate
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import NEUTRAL
from calm_lm.evaluation.asking.pool import Pooled, pool
from calm_lm.evaluation.asking.wording import choice, presentations
from calm_lm.evaluation.kinds.placed import left_out
from calm_lm.evaluation.kinds.quiz_kit import OPTIONS, Kit, QuizItem, build_kit, quiz_items
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import Metric, Table, figure
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats

METRICS = (
    Metric("right", "Probability of the right answer", higher_is_better=True),
    Metric("accuracy", "Right answers", higher_is_better=True),
)
PAIRS = 40
FACTS = 6


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Ask both forms without teaching, and the second one again with facts on its place and topic in the context.

    The facts are answers to other questions, so nothing but what carries over can help. Conditions are left out.

    Args:
        asker: the model that plays the learner.
        plan: what to ask; its items are pairs.
        norms: not used.
        judge: not used.
    """
    questions = read(locate(get(plan.task.data), plan.data_dir))
    wanted = set(plan.task.cultures or (question.place for question in questions))
    items = [item for item in quiz_items(questions, plan.seed) if item.culture in wanted]
    kit = build_kit(items, plan.wanted.items or PAIRS, plan.seed)
    table = Table([item.id for item in kit.second], [item.culture for item in kit.second], seed=plan.seed,
                  replicates=plan.replicates)  # fmt: skip
    first = _ask(asker, kit.first, None, plan)
    untaught, taught = _ask(asker, kit.second, None, plan), _ask(asker, kit.second, kit, plan)
    systems = (
        System(NEUTRAL.name, "simulated learner, second form, not taught", "model", score(kit.second, untaught)),
        System("taught", "simulated learner, second form, after reading", "model", score(kit.second, taught)),
        System("first-form", "simulated learner, first form", "control", score(kit.first, first)),
        System("uniform", "uniform", "baseline",
               score(kit.second, [Pooled(np.full(OPTIONS, 1 / OPTIONS))] * len(kit.second))),
    )  # fmt: skip
    after = table.means(systems[1].rows["right"])
    for name, before, title in (
        ("simulated_gain", systems[0], "Simulated gain by reading, same form"),
        ("simulated_gain_over_first_form", systems[2], "Simulated gain, second form after first"),
    ):
        gain = figure(after - table.means(before.rows["right"]), title=title, higher_is_better=True)
        systems[1].figures[name] = gain | {"dimension": "knowledge"}
    facts = {
        "simulated": True, "items": len(kit.second), "items_at_hand": len(items), "lessons": len(kit.lessons),
        "facts_read": FACTS, "item_ids": [item.id for item in kit.second],
        "presentations": plan.wanted.presentations, "conditions_left_out": left_out(plan, (NEUTRAL,)),
        "seed": plan.seed,
    }  # fmt: skip
    texts = tuple((item.id, item.text) for item in (*kit.first, *kit.second))
    return TaskResult(plan.task, METRICS, table, systems, facts, texts=texts)


def score(items: Sequence[QuizItem], answers: Sequence[Pooled]) -> dict[str, Floats]:
    """Along the items: probability of the right option, and whether it is the likeliest (ties share it)."""
    found = {metric.name: np.full(len(items), np.nan) for metric in METRICS}
    for row, (item, answer) in enumerate(zip(items, answers, strict=True)):
        if answer.shares is not None:
            top = answer.shares == answer.shares.max()
            found["right"][row] = answer.shares[item.answer]
            found["accuracy"][row] = float(top[item.answer]) / top.sum()
    return found


def lesson(kit: Kit, item: QuizItem) -> str:
    """What is read before an item."""
    told = [f"- {each.fact}" for each in kit.lesson_for(item, FACTS)]
    return "\n".join([f"What people answered about {display_name(item.culture)}:", *told])


def _ask(asker: Asker, items: Sequence[QuizItem], kit: Kit | None, plan: Plan) -> list[Pooled]:
    """Answers to a form, with the kit's facts before every question, or with none."""
    shown = presentations(OPTIONS, plan.wanted.presentations, ordinal=False, seed=plan.seed)
    asked = []
    for item in items:
        text = item.text if kit is None else f"{lesson(kit, item)}\n\n{item.text}"
        asked += [choice(f"{plan.task.name}/{item.id}", text, item.options, NEUTRAL, None, each) for each in shown]
    title = "simulated learner" if kit is None else "simulated learner, taught"
    answers = iter(asker.choose(asked, f"{plan.task.name}, {title}"))
    return [pool([next(answers) for _ in shown]) for _ in items]
