"""Text classification judged by each community: hate speech, stereotypes, generalising language."""

from __future__ import annotations

import numpy as np

from calm_lm.culture.norms import NormStore
from calm_lm.data.benchmarks.registry import load_dataset
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.classifier import Classifier
from calm_lm.evaluation.kinds.answer_figures import add_answer_figures, add_inequity
from calm_lm.evaluation.kinds.closed import commonest
from calm_lm.evaluation.kinds.label_figures import add_label_figures, permuted, ranked
from calm_lm.evaluation.kinds.label_rows import (
    LabelRows,
    ask_rows,
    choose_rows,
    language_of,
    one_text,
    probabilities,
    texts_of,
)
from calm_lm.evaluation.kinds.resampling import Resampling
from calm_lm.evaluation.kinds.run_rows import readable, run_of
from calm_lm.evaluation.result import Role, System, TaskResult
from calm_lm.evaluation.table import Metric, Table, figure
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Bools, Floats
from calm_lm.stats.probability import cross_entropy_rows

OTHERS = "other-readers"
METRICS = (
    Metric("cross_entropy", "Cross-entropy to people's shares", higher_is_better=False, high=None),
    Metric("accuracy", "Commonest label of people", higher_is_better=True),
    Metric("ranked", "Ranked right beside a text of the other label (AUROC)", higher_is_better=True),
)


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Ask about every text, and for every reader where the condition names one.

    Args:
        asker: the model; a trained run of the same labels classifies instead of answering.
        plan: what to ask. Settings of the task: those of `label_rows.choose_rows`, `metrics` (which of ours apply),
            `figures` (see `label_figures`), `contrast` (two readers whose difference is told).
        norms: records that may be put into the context.
        judge: not needed; answers are closed.

    Raises:
        CalmError: E45 for a run of other labels, E66 for one that knows none of the readers, E60 to E62.
    """
    data = load_dataset(plan.task.data, plan.data_dir)
    model = run_of(asker, data)
    read = readable(model, data, plan)
    rows = choose_rows(read.data, plan)
    asked, conditions = ask_rows(asker, rows, plan, norms)
    judging = Judging(rows, plan)
    judged, controls = [], []
    for condition, answers in asked:
        languages = [language_of(each, plan) for each in rows.examples]
        shares = probabilities(asker, answers, plan, languages, len(rows.data.labels))
        judged.append(judging.judge(condition.name, condition.title, "model", shares))
        add_answer_figures(judged[-1], answers, judging.table)
        if condition.names_culture and rows.have_company.any():
            name, title = f"{condition.name}/permuted", f"{condition.title}, readers exchanged"
            controls.append(judging.judge(name, title, "control", permuted(rows, shares), rows.have_company))
    for name, title, guess in baselines(rows):
        among = rows.have_company if name == OTHERS else None
        judged.append(judging.judge(name, title, "baseline", guess, among))
    if any(each.votes is not None for each in rows.examples):
        least = {"cross_entropy": cross_entropy_rows(rows.shares, rows.shares)}
        judged.append(System("people", "the people's own shares (least possible)", "people", least))
    split = plan.task.settings.get("split", "test")
    facts = {
        "items": len(set(rows.units)), "items_at_hand": len({one_text(each) for each in rows.data.splits[split]}),
        "split": split, "seed": plan.seed, "presentations": plan.wanted.presentations if model is None else None,
        "ties": int((rows.labels < 0).sum()), "positive": float(rows.shares[:, rows.data.positive].mean()),
        "conditions_left_out": conditions.left_out, "readers_left_out": read.readers_left_out,
        "notes": [*data.notes, *_seen(asker, plan.task.data, split), *read.notes],
    }  # fmt: skip
    return TaskResult(plan.task, metrics_of(plan), judging.table, (*judged, *controls), facts, texts=texts_of(rows))


def _seen(asker: Asker, data: str, split: str) -> list[str]:
    """What a reader must know of a run that has met the rows it is judged on."""
    if not isinstance(asker.subject, Classifier) or asker.subject.fitted_on != data or split == "test":
        return []
    use = "was trained on" if split == "train" else "stopped and was calibrated on"
    return [f"The run {use} these very rows, so its score here flatters it."]


def metrics_of(plan: Plan) -> tuple[Metric, ...]:
    """Those of ours that the task names; all of them where it names none."""
    named = plan.task.settings.get("metrics", [metric.name for metric in METRICS])
    return tuple(metric for metric in METRICS if metric.name in named)


class Judging:
    """Turns answers along the rows into systems, all on the same redraws of texts."""

    def __init__(self, rows: LabelRows, plan: Plan) -> None:
        self.table = Table(rows.groups, rows.cultures, seed=plan.seed, replicates=plan.replicates)
        self._redraws = Resampling(rows.groups, rows.cultures, plan)
        self._rows, self._plan = rows, plan

    def judge(self, name: str, title: str, role: Role, shares: Floats, among: Bools | None = None) -> System:
        """A system with its metrics and figures from its answers [N, L], those of the rows `among` if not of all."""
        scores = score_rows(self._rows, shares)
        if among is not None:
            scores = {each: np.where(among, values, np.nan) for each, values in scores.items()}
        unfit = {"cross_entropy"} if name == "majority" else set()  # its zeros would cost any amount
        kept = {each.name: scores[each.name] for each in metrics_of(self._plan) if each.name not in unfit}
        system = System(name, title, role, kept)
        add_label_figures(system, self._rows, shares, self.table, self._redraws, self._plan)
        add_inequity(system, self._plan.task.metric, self.table)
        _add_contrast(system, self.table, self._plan)
        return system


def score_rows(rows: LabelRows, shares: Floats) -> dict[str, Floats]:
    """Every metric on every row [N] from answers [N, L].

    Without a valid answer a row has no cross-entropy and no rank, and its label is not found (accuracy 0). Where people
    are divided evenly there is no commonest label to find.
    """
    valid = np.isfinite(shares).all(1)
    surprise = np.full(len(rows), np.nan)
    if valid.any():
        surprise[valid] = cross_entropy_rows(shares[valid], rows.shares[valid])
    best = np.isclose(shares, np.nan_to_num(shares).max(1, keepdims=True), rtol=0, atol=1e-12)
    hits = best[np.arange(len(rows)), rows.labels] / np.maximum(best.sum(1), 1)
    return {
        "cross_entropy": surprise,
        "accuracy": np.where(rows.labels >= 0, hits, np.nan),
        "ranked": ranked(rows, shares[:, rows.data.positive]),
    }


def baselines(rows: LabelRows) -> list[tuple[str, str, Floats]]:
    """What one would answer without a model: name, title, shares along the rows [N, L].

    Base rates are those of the training split where the data set has one, else of all its rows.
    """
    known = rows.data.splits.get("train") or tuple(rows.data)
    n_labels = len(rows.data.labels)
    labels = np.asarray([-1 if each.label is None else each.label for each in known])
    rates = np.bincount(labels[labels >= 0], minlength=n_labels) / (labels >= 0).sum()
    n = len(rows)
    found = [
        ("majority", "commonest label", np.tile(np.eye(n_labels)[commonest(labels, n_labels)], (n, 1))),
        ("base-rate", "base rates", np.tile(rates, (n, 1))),
    ]
    if rows.have_company.any():
        found.append((OTHERS, "votes of the text's other readers", votes_of_others(rows)))
    return found


def votes_of_others(rows: LabelRows) -> Floats:
    """For each row, the shares of all votes of the text's other readers [N, L]; `nan` where there is no other.

    A label alone counts as one vote, and half a vote is added to every label (our choice, after Jeffreys), or a label
    that three raters miss would count as impossible.
    """
    votes = np.stack([
        np.asarray(share if each.votes is None else each.votes, dtype=np.float64)
        for each, share in zip(rows.examples, rows.shares, strict=True)
    ])  # fmt: skip
    found = np.full(rows.shares.shape, np.nan)
    units = np.asarray(rows.units)
    for unit in np.unique(units):
        at = np.flatnonzero(units == unit)
        if len(at) > 1:
            others = votes[at].sum(0) - votes[at] + 0.5
            found[at] = others / others.sum(1, keepdims=True)
    return found


def _add_contrast(system: System, table: Table, plan: Plan) -> None:
    """How much more often the label of one reader is found than that of another."""
    pair = plan.task.settings.get("contrast")
    if pair and all(name in table.names for name in pair) and "accuracy" in system.rows:
        by_culture = table.by_culture(system.rows["accuracy"])
        first, second = (by_culture[:, table.names.index(name)] for name in pair)
        title = f"Agreement with {pair[0]} minus with {pair[1]}"
        system.figures["contrast"] = figure(first - second, title=title, higher_is_better=None) | {
            "dimension": "fairness"
        }
