"""What a survey task says beyond the distance to people: diversity, distinctness, fairness, consistency, refusals.

Each figure has an interval over items where it is a mean over rows, and is made of the same answers as the scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.asking.pool import Pooled
from calm_lm.evaluation.kinds.answer_figures import add_answer_figures, add_inequity
from calm_lm.evaluation.kinds.survey_rows import SurveyRows, matched, sheets
from calm_lm.evaluation.result import System
from calm_lm.evaluation.table import Table, figure, number
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Bools, Floats
from calm_lm.stats.distances import (
    jensen_shannon_rows,
    mean_position_rows,
    shannon_distance,
    spread_rows,
    wasserstein_rows,
)
from calm_lm.stats.distinctiveness import c_dist, distinct_pairs, gini_simpson_rows
from calm_lm.stats.refusals import DistanceName, refusal_bounds

if TYPE_CHECKING:
    from calm_lm.evaluation.asking.subject import Subject

PEOPLE_DRAWS = 200
FEWEST = 3  # cultures of which one can say how far they lie apart


def add_figures(system: System, rows: SurveyRows, answers: Sequence[Pooled], table: Table, plan: Plan) -> None:
    """Figures of one system from its answers along the rows."""
    _diversity(system, rows, answers, table)
    _distinctness(system, rows, answers, plan)
    add_inequity(system, plan.task.metric, table)
    _over_respondents(system, rows, answers, table, plan)
    if system.role == "model":
        _what_was_no_answer(system, rows, answers, table, plan)


def _diversity(system: System, rows: SurveyRows, answers: Sequence[Pooled], table: Table) -> None:
    """Within-group diversity: the model's spread over people's, as a ratio of means (single ratios explode)."""
    spreads = {name: np.full((2, len(rows)), np.nan) for name in ("diversity_ratio", "spread_ratio")}
    for part in matched(rows, answers):
        spreads["diversity_ratio"][:, part.rows] = gini_simpson_rows(part.model), gini_simpson_rows(part.people)
        if part.item.scale == "ordinal":
            spreads["spread_ratio"][:, part.rows] = spread_rows(part.model), spread_rows(part.people)
    titles = {
        "diversity_ratio": "Within-group diversity (Gini-Simpson), model over people",
        "spread_ratio": "Within-group spread (standard deviation, ordinal items), model over people",
    }
    for name, (model, people) in spreads.items():
        if np.isfinite(model).any():
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = table.means(model) / table.means(people)
            system.figures[name] = figure(ratio, title=titles[name], higher_is_better=None)


def _distinctness(system: System, rows: SurveyRows, answers: Sequence[Pooled], plan: Plan) -> None:
    """How far apart two cultures are in the model, beside people; of at least three that share items."""
    cultures = sorted({row.culture for row in rows})
    model, people = sheets(rows, answers, cultures)
    alike = comparable(np.isfinite(model[:, :, 0]))
    if len(alike) < FEWEST:
        return
    model, people = model[alike], people[alike]
    found = distinct_pairs(model, people, seed=plan.seed)
    system.figures["distinctness"] = {
        "title": "Distance between cultures, model over people", "value": number(found.ratio), "interval": None,
        "higher_is_better": None, "model": number(found.model_mean), "people": number(found.people_mean),
        "cultures": [cultures[place] for place in alike],
    }  # fmt: skip
    system.figures["c_dist"] = _home_and_away(model, people)
    system.figures["arrangement"] = {
        "title": "Cultures near each other in people are near in the model (Spearman)",
        "value": number(found.spearman), "interval": None, "higher_is_better": True, "p": number(found.p),
        "kendall": number(found.kendall), "pairs": found.pairs,
    }  # fmt: skip


def comparable(known: Bools) -> list[int]:
    """Cultures of which every two share an item [C, I] -> indices; those that share with fewest go first.

    A survey that asked other questions in other places cannot compare them all.
    """
    shared: Bools = np.any(known[:, None] & known[None], axis=2)
    kept = list(range(len(known)))
    while kept and not shared[np.ix_(kept, kept)].all():
        partners = shared[np.ix_(kept, kept)].sum(1)
        kept.pop(int(len(kept) - 1 - partners[::-1].argmin()))
    return kept


def _home_and_away(model: Floats, people: Floats) -> dict[str, Any]:
    """C-Dist: is each culture's answer sheet nearest to its own people? With the absolute scores beside it.

    A score is 1 minus the mean Jensen-Shannon distance of the model's answers as one culture to the people of another,
    over the items that both have. Where the prompt names no culture, all sheets are one.
    """
    n = len(model)
    scores = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            both = np.isfinite(model[i, :, 0]) & np.isfinite(people[j, :, 0])
            scores[i, j] = 1 - shannon_distance(model[i, both], people[j, both]).mean()
    found = c_dist(scores)
    return {
        "title": "C-Dist: answers as a culture fit its own people best", "value": number(found.c_dist),
        "interval": None, "higher_is_better": True, "mean_home": number(found.mean_home),
        "worst_home": number(found.worst_home), "mean_away": number(found.mean_away),
    }  # fmt: skip


def _over_respondents(system: System, rows: SurveyRows, answers: Sequence[Pooled], table: Table, plan: Plan) -> None:
    """Interval of the headline when respondents are redrawn; only where the source tells how many there were."""
    if plan.task.metric not in ("wasserstein", "jensen_shannon"):
        return
    distance = wasserstein_rows if plan.task.metric == "wasserstein" else jensen_shannon_rows
    rng = np.random.default_rng([plan.seed, len(rows)])
    values = np.full((PEOPLE_DRAWS, len(rows)), np.nan)
    for part in matched(rows, answers):
        sizes = [rows[row].people.n_effective for row in part.rows]
        if any(size is None for size in sizes):
            return
        if part.item.scale == "nominal" and plan.task.metric == "wasserstein":
            continue
        for number_, size in enumerate(sizes):
            n = max(1, round(size or 0))
            drawn = rng.multinomial(n, part.people[number_], size=PEOPLE_DRAWS) / n
            model = np.broadcast_to(part.model[number_], drawn.shape)
            values[:, part.rows[number_]] = distance(model, drawn)
    if not np.isfinite(values).any():
        return
    cultures = np.asarray([row.culture for row in rows])
    by_culture = [mean_of_known(values[:, cultures == name].T) for name in np.unique(cultures)]
    means = mean_of_known(np.stack(by_culture))
    low, high = np.quantile(means, [0.025, 0.975])
    system.figures["over_respondents"] = {
        "title": "Headline when respondents are redrawn",
        "value": number(table.means(system.rows[plan.task.metric])[0]),
        "interval": [number(float(low)), number(float(high))], "higher_is_better": False,
    }  # fmt: skip


def _what_was_no_answer(system: System, rows: SurveyRows, answers: Sequence[Pooled], table: Table, plan: Plan) -> None:
    """Refusals with what they could have changed, the probability of answering at all, steadiness, and the leak."""
    add_answer_figures(system, answers, table)
    if plan.task.metric in ("wasserstein", "jensen_shannon") and any(each.no_answer > 0 for each in answers):
        low, high = _bounds(rows, answers, plan)
        system.detail["refusal_bounds"] = {
            "metric": plan.task.metric, "low": number(table.means(low)[0]), "high": number(table.means(high)[0]),
        }  # fmt: skip


def _bounds(rows: SurveyRows, answers: Sequence[Pooled], plan: Plan) -> tuple[Floats, Floats]:
    """Per row, the headline if all that was no answer had gone where it helps most, and where it hurts most."""
    low, high = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    name: DistanceName = "wasserstein" if plan.task.metric == "wasserstein" else "jensen_shannon"
    for whole in rows.by_item.values():
        found = np.asarray([row for row in whole if np.isfinite(answers[row].no_answer)], dtype=np.int64)
        item = rows[whole[0]].item
        if not len(found) or (item.scale == "nominal" and name == "wasserstein"):
            continue
        k = len(item.options)
        given = [answers[row].shares for row in found]
        shares = np.stack([np.full(k, 1 / k) if each is None else each for each in given])
        refused = np.asarray([1.0 if answers[row].shares is None else answers[row].no_answer for row in found])
        bounds = refusal_bounds(shares, refused, rows.people(found), name)
        low[found], high[found] = bounds.low, bounds.high
    return low, high


def add_comparisons(
    systems: Sequence[System],
    conditions: Sequence[Condition],
    rows: SurveyRows,
    answers: Sequence[Sequence[Pooled]],
    table: Table,
    speakers: Sequence[Subject],
) -> list[str]:
    """Consistency over framings (FCS) and languages (CLCS), and the shift that a persona brings (SPD).

    Consistencies are a model's, not a condition's: they stand with the first condition that it answered, and answers
    of two models are never compared as one model's.

    Args:
        systems: the conditions first.
        conditions: how was asked.
        rows: what was asked.
        answers: along the rows, by condition.
        table: the rows' redraws.
        speakers: who answered, by condition.

    Returns:
        Remarks on what is not computed.
    """
    told: dict[str, tuple[str, Callable[[Condition], tuple[object, ...]]]] = {
        "fcs": ("Consistency over framings (FCS, Jensen-Shannon)", lambda one: (one.language, one.reasoning)),
        "clcs": (
            "Consistency over languages (CLCS, Jensen-Shannon)", lambda one: (one.framing, one.culture, one.reasoning)
        ),
        "reasoning_consistency": (
            "Consistency with and without reasoning", lambda one: (one.framing, one.culture, one.language)
        ),
    }  # fmt: skip
    models = [each.identity.fingerprint for each in speakers]
    remarks: list[str] = []
    for name, (title, kept) in told.items():
        alike = [
            (a, b)
            for a, b in combinations(range(len(conditions)), 2)
            if kept(conditions[a]) == kept(conditions[b]) and (name != "fcs" or _framings_differ(conditions, a, b))
        ]
        for model in dict.fromkeys(models):
            pairs = [(a, b) for a, b in alike if models[a] == models[b] == model]
            if pairs:
                closeness = mean_of_known(np.stack([_closeness(rows, answers[a], answers[b]) for a, b in pairs]))
                first = systems[models.index(model)]
                first.figures[name] = figure(table.means(closeness), title=title, higher_is_better=True)
        for who in dict.fromkeys((speakers[a].title, speakers[b].title) for a, b in alike if models[a] != models[b]):
            remarks.append(f"{title.partition(' (')[0]} is not computed between {' and '.join(who)}: two models.")
    for number_, condition in enumerate(conditions):
        plain = Condition(language=condition.language, reasoning=condition.reasoning)
        if condition.framing == "persona" and plain in conditions:
            shift = _shift(rows, answers[conditions.index(plain)], answers[number_])
            systems[number_].figures["spd"] = figure(
                table.means(shift), title="How far a persona moves the answer on the scale (SPD)", higher_is_better=None
            )
    return remarks


def mean_of_known(values: Floats) -> Floats:
    """Mean over the first axis of what is known; `nan` where nothing is."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(0)
    return np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)


def _framings_differ(conditions: Sequence[Condition], a: int, b: int) -> bool:
    return conditions[a].framing != conditions[b].framing


def _closeness(rows: SurveyRows, first: Sequence[Pooled], second: Sequence[Pooled]) -> Floats:
    """1 - Jensen-Shannon distance of two answers to the same row [N]."""
    found = np.full(len(rows), np.nan)
    for row, (a, b) in enumerate(zip(first, second, strict=True)):
        if a.shares is not None and b.shares is not None:
            found[row] = 1 - jensen_shannon_rows(a.shares[None], b.shares[None])[0]
    return found


def _shift(rows: SurveyRows, neutral: Sequence[Pooled], persona: Sequence[Pooled]) -> Floats:
    """Distance of the persona's mean position from the neutral one, ordinal rows only [N], 0 to 1.

    Without a sign: scales run either way, so that signed shifts of two items would cancel for no reason.
    """
    found = np.full(len(rows), np.nan)
    for number_, (row, a, b) in enumerate(zip(rows, neutral, persona, strict=True)):
        if row.item.scale == "ordinal" and a.shares is not None and b.shares is not None:
            found[number_] = abs(mean_position_rows(b.shares[None])[0] - mean_position_rows(a.shares[None])[0])
    return found
