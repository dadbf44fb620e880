"""True or false: every option of a question offered as its answer, one at a time."""

from __future__ import annotations

import numpy as np

from calm_lm.culture.norms import NormStore
from calm_lm.data.benchmarks.registry import load_dataset
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.kinds import resampling
from calm_lm.evaluation.kinds.answer_figures import add_answer_figures, add_inequity
from calm_lm.evaluation.kinds.closed import only
from calm_lm.evaluation.kinds.label_figures import calibration_bins
from calm_lm.evaluation.kinds.label_rows import LabelRows, ask_rows, choose_rows, probabilities, texts_of
from calm_lm.evaluation.kinds.resampling import Resampling, Statistic
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import Metric, Table, figure
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats, Ints

METRICS = (
    Metric("accuracy", "Statement judged rightly", higher_is_better=True),
    Metric("preferred", "True statement likelier than a false one on the same question", higher_is_better=True),
    Metric("all_right", "All statements on a question judged rightly", higher_is_better=True),
)


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Ask whether each statement is right; statements on one question about one place are sampled together.

    Args:
        asker: the model; a trained run of the labels `false` and `true` classifies instead of answering.
        plan: what to ask. Settings of the task: those of `label_rows.choose_rows`, `parts` (a tag whose values are told
            apart).
        norms: records that may be put into the context.
        judge: not needed; answers are closed.

    Raises:
        CalmError: E45, E60 to E62, and E64 for data that are not true or false.
    """
    data = load_dataset(plan.task.data, plan.data_dir)
    if data.labels != ("false", "true"):
        raise CalmError(
            "E64", "its labels are not false and true.", field="data", value=plan.task.data,
            fix="ask about it with the kind labels.",
        )  # fmt: skip
    rows = choose_rows(data, plan, unit=lambda each: f"{each.group}/{each.about}")
    asked, conditions = ask_rows(asker, rows, plan, norms)
    table = Table(rows.groups, rows.cultures, seed=plan.seed, replicates=plan.replicates)
    judged = []
    for condition, answers in asked:
        shares = probabilities(asker, answers, plan, [plan.asked_in[0]] * len(answers), 2)
        system = System(condition.name, condition.title, "model", score_rows(rows, shares[:, 1]))
        add_answer_figures(system, answers, table)
        valid = np.isfinite(shares).all(1)
        system.detail["calibration"] = calibration_bins(shares[valid], rows.shares[valid])
        judged.append((system, shares[:, 1]))
    sizes = rows_by_unit(rows)
    chance = {"accuracy": np.full(len(rows), 0.5), "preferred": np.where(rows.labels == 1, 0.5, np.nan)}
    chance["all_right"] = np.asarray([0.5 ** len(sizes[unit]) for unit in rows.units])
    nothing = np.zeros(len(rows))
    judged.append((System("all-false", "everything is false", "baseline", score_rows(rows, nothing)), nothing))
    redraws = Resampling(rows.groups, rows.cultures, plan)
    for system, score in judged:
        _add_figures(system, rows, score, table, redraws, plan)
        add_inequity(system, plan.task.metric, table)
    systems = (*(system for system, _ in judged), System("chance", "chance", "baseline", chance))
    facts = {
        "items": len(sizes), "statements": len(rows), "presentations": plan.wanted.presentations, "seed": plan.seed,
        "true": float((rows.labels == 1).mean()), "conditions_left_out": conditions.left_out, "notes": list(data.notes),
    }  # fmt: skip
    return TaskResult(plan.task, METRICS, table, systems, facts, texts=texts_of(rows))


def score_rows(rows: LabelRows, score: Floats) -> dict[str, Floats]:
    """Every metric on every statement [N] from the probability that it is true; `nan` is no answer, so not right.

    `preferred` belongs to true statements: the share of false ones on the same question and place that are less
    probable, ties one half. `all_right` is the same for all statements on a question, so it means a share of questions
    where each has equally many statements.
    """
    right = np.where(np.isfinite(score), (score > 0.5) == (rows.labels == 1), False)
    preferred, whole = np.full(len(rows), np.nan), np.zeros(len(rows))
    for at in rows_by_unit(rows).values():
        whole[at] = right[at].all()
        false = score[at[rows.labels[at] == 0]]
        for place in at[rows.labels[at] == 1]:
            gap = score[place] - false
            if len(gap) and np.isfinite(gap).all():
                preferred[place] = ((gap > 0) + 0.5 * (gap == 0)).mean()
    return {"accuracy": right.astype(np.float64), "preferred": preferred, "all_right": whole}


def rows_by_unit(rows: LabelRows) -> dict[str, Ints]:
    """Rows of each question and place."""
    found: dict[str, list[int]] = {}
    for row, unit in enumerate(rows.units):
        found.setdefault(unit, []).append(row)
    return {unit: np.asarray(places) for unit, places in found.items()}


def _add_figures(system: System, rows: LabelRows, score: Floats, table: Table, redraws: Resampling, plan: Plan) -> None:
    """Precision, recall and F1 of `true`, and accuracy, precision and F1 within each part the task tells apart."""
    called, true, judged = score > 0.5, rows.labels == 1, np.isfinite(score)
    of_true: dict[str, Statistic] = {
        "precision": lambda at, weights: resampling.share(true[at], called[at], weights),
        "f1": lambda at, weights: resampling.f1(true[at], called[at], weights),
        "recall": lambda at, weights: resampling.share(called[at], true[at], weights),
    }
    for name, statistic in of_true.items():
        title = f"{name.capitalize()} of true statements"
        system.figures[name] = redraws.figure(judged, statistic, title, better=True)
    tag = plan.task.settings.get("parts", "")
    for value in sorted({each.tag(tag) or "" for each in rows.examples} - {""}):
        inside = np.asarray([each.tag(tag) == value for each in rows.examples])
        system.figures[f"accuracy_{value}"] = figure(
            table.means(only(system.rows["accuracy"], inside.tolist())),
            title=f"Statement judged rightly, {tag} {value}", higher_is_better=True,
        )  # fmt: skip
        for name in ("precision", "f1"):
            title = f"{name.capitalize()} of true statements, {tag} {value}"
            system.figures[f"{name}_{value}"] = redraws.figure(judged & inside, of_true[name], title, better=True)
