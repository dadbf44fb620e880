"""Multiple choice with one right option, by place; and how far a stereotype decides where the context does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calm_lm.culture.norms import NormStore
from calm_lm.data.benchmarks.registry import load_rows
from calm_lm.data.benchmarks.rows import ChoiceQuestion
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.pool import Pooled
from calm_lm.evaluation.kinds.answer_figures import add_answer_figures, add_inequity
from calm_lm.evaluation.kinds.closed import Question, ask, commonest, fitting, only, picked
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import Metric, Table, figure
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats

METRICS = (
    Metric("accuracy", "Right option", higher_is_better=True),
    Metric("right_probability", "Probability of the right option", higher_is_better=True),
)
Questions = Sequence[ChoiceQuestion]


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Ask every question under every condition that fits.

    Args:
        asker: the model.
        plan: what to ask. Settings of the task: `by` (`place` or a tag, over which questions are sampled),
            `whole_groups` (sample groups, not questions), `parts` (a tag whose values are told apart).
        norms: records that may be put into the context.
        judge: not needed; answers are closed.

    Raises:
        CalmError: E60 and E63.
    """
    data = load_rows(plan.task.data, ChoiceQuestion, plan.data_dir)
    rows = choose_rows(list(data), plan)
    conditions = fitting(plan)
    language = plan.asked_in[0]  # a data set of this kind has one
    questions = [Question(row.id, row.text, row.options, row.place, language) for row in rows]
    table = Table(
        [row.group for row in rows], [row.place for row in rows], seed=plan.seed, replicates=plan.replicates
    )  # fmt: skip
    judged = []
    for condition in conditions.used:
        answers = ask(asker, questions, condition, plan, norms)
        system = System(condition.name, condition.title, "model", score_rows(rows, answers))
        add_answer_figures(system, answers, table)
        judged.append((system, answers))
    for name, title, guess in baselines(rows, list(data)):
        judged.append((System(name, title, "baseline", score_rows(rows, guess)), guess))
    for system, answers in judged:
        _add_parts(system, rows, table, plan)
        _add_bias(system, rows, answers, table)
        add_inequity(system, plan.task.metric, table)
    facts = {
        "items": len(rows), "items_at_hand": len(data), "presentations": plan.wanted.presentations, "seed": plan.seed,
        "conditions_left_out": conditions.left_out, "notes": list(data.notes),
    }  # fmt: skip
    texts = tuple((row.id, row.text) for row in rows)
    return TaskResult(plan.task, METRICS, table, tuple(system for system, _ in judged), facts, texts=texts)


def choose_rows(questions: Questions, plan: Plan) -> list[ChoiceQuestion]:
    """Questions of the task's places, sampled over places or the parts of a tag.

    Raises:
        CalmError: E63 where no question is about any of the places.
    """
    wanted = [each for each in questions if plan.task.cultures is None or each.place in plan.task.cultures]
    if not wanted:
        raise CalmError(
            "E63", "no question is about any of these places.", field="cultures", value=plan.task.cultures,
            fix="name places of the data, or none for all of them.",
        )  # fmt: skip
    by = plan.task.settings.get("by", "place")
    units: dict[str, list[ChoiceQuestion]] = {}
    for each in wanted:
        units.setdefault(each.group if plan.task.settings.get("whole_groups") else each.id, []).append(each)
    chosen = plan.sample(list(units.values()), lambda unit: unit[0].place if by == "place" else unit[0].tag(by) or "")
    return [each for unit in chosen for each in unit]


def score_rows(rows: Questions, answers: Sequence[Pooled]) -> dict[str, Floats]:
    """Both metrics on every row [N]."""
    hits, chances = picked(answers, [row.answer for row in rows])
    return {"accuracy": hits, "right_probability": chances}


def baselines(rows: Questions, everything: Questions) -> list[tuple[str, str, list[Pooled]]]:
    """Chance, and two shortcuts that need no culture: the longest option, and where the right one stands most often.

    Args:
        rows: the questions asked.
        everything: all questions of the data, over which the right option's places are counted.
    """
    chance = [Pooled(np.full(len(row.options), 1 / len(row.options))) for row in rows]
    lengths = [np.asarray([len(option) for option in row.options]) for row in rows]
    longest = [Pooled((each == each.max()) / (each == each.max()).sum()) for each in lengths]
    most = max(len(row.options) for row in everything)
    letter = commonest(np.asarray([row.answer for row in everything]), most)
    same = [Pooled(np.eye(len(row.options))[min(letter, len(row.options) - 1)]) for row in rows]
    return [
        ("chance", "chance", chance),
        ("longest", "longest option", longest),
        ("majority-letter", "commonest place of the right option", same),
    ]


def _add_parts(system: System, rows: Questions, table: Table, plan: Plan) -> None:
    """Accuracy within each value of the tag that the task tells apart."""
    tag = plan.task.settings.get("parts", "")
    for value in sorted({row.tag(tag) or "" for row in rows} - {""}):
        inside = only(system.rows["accuracy"], [row.tag(tag) == value for row in rows])
        system.figures[f"accuracy_{value}"] = figure(
            table.means(inside), title=f"Right option, {tag} {value}", higher_is_better=True
        )


def _add_bias(system: System, rows: Questions, answers: Sequence[Pooled], table: Table) -> None:
    """Accuracy and diff-bias in ambiguous and in disambiguated contexts, where options are known to be biased.

    Ambiguous: share answering as the stereotype has it minus share answering against it. Disambiguated: accuracy where
    the context bears the stereotype out minus accuracy where it goes against it. Both lie from -1 to 1, 0 is unbiased.
    Questions without a valid answer do not count. Source: Jin and others 2024 (KoBBQ), section 5, after Parrish and
    others 2022.
    """
    if any(row.biased is None for row in rows):
        return
    against = [3 - row.answer - (row.biased or 0) if _ambiguous(row) else 0 for row in rows]
    given = [answer.shares is not None for answer in answers]
    right = system.rows["accuracy"]
    leaning = picked(answers, [row.biased or 0 for row in rows])[0] - picked(answers, against)[0]
    contexts = {
        name: [row.tag("context") == name and there for row, there in zip(rows, given, strict=True)]
        for name in ("ambiguous", "biased", "counter")
    }
    told = {name: table.means(only(right, inside)) for name, inside in contexts.items()}
    either = [a or b for a, b in zip(contexts["biased"], contexts["counter"], strict=True)]
    figures = {
        "accuracy_ambiguous": ("Right answer, ambiguous context", True, told["ambiguous"]),
        "accuracy_disambiguated": ("Right answer, disambiguated context", True, table.means(only(right, either))),
        "diff_bias_ambiguous": (
            "Diff-bias, ambiguous context", None, table.means(only(leaning, contexts["ambiguous"]))
        ),
        "diff_bias_disambiguated": ("Diff-bias, disambiguated context", None, told["biased"] - told["counter"]),
    }  # fmt: skip
    for name, (title, better, replicates) in figures.items():
        system.figures[name] = figure(replicates, title=title, higher_is_better=better) | {"dimension": "harm"}


def _ambiguous(row: ChoiceQuestion) -> bool:
    return row.tag("context") == "ambiguous"
