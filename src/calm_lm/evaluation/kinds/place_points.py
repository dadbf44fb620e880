"""What tasks share that place countries in a space of few dimensions: who is judged, the answers, figures of points."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from calm_lm.culture.norms import NormStore
from calm_lm.errors import CalmError, UnavailableError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.asking.pool import Pooled, pool
from calm_lm.evaluation.asking.question import Choice
from calm_lm.evaluation.kinds.placed import place_for
from calm_lm.evaluation.kinds.survey import present
from calm_lm.evaluation.result import System
from calm_lm.evaluation.table import Table, figure
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.survey.indices import IndexTable, Points, index_table
from calm_lm.survey.item import SurveyItem

Answers = Mapping[str, Pooled]  # by item


class Asked(NamedTuple):
    """One condition's answers, by country; the same for all where the condition names none."""

    condition: Condition
    by_country: Mapping[str, Answers]


def judged_countries(plan: Plan, known: Collection[str], part_of: Callable[[str], str]) -> list[str]:
    """The task's countries, or all that have figures; the plan's number of items bounds how many.

    Args:
        plan: what to ask.
        known: countries with published figures.
        part_of: which part of the space a country lies in; a sample is spread over these.

    Raises:
        CalmError: E24 for a country without figures, E25 for fewer than two countries.
    """
    wanted = sorted(known) if plan.task.cultures is None else list(dict.fromkeys(plan.task.cultures))
    for country in wanted:
        if country not in known:
            raise CalmError(
                "E24", "has no published figures to be compared with.", field=f"{plan.task.name}: cultures",
                value=country, fix=f"choose among {', '.join(sorted(known))}.",
            )  # fmt: skip
    countries = plan.sample(wanted, part_of)
    if len(countries) < 2:
        raise CalmError(
            "E25", "places are compared with each other, so two or more are needed.", field=plan.task.name,
            value=", ".join(countries), fix="ask about more places (--items counts them here).",
        )  # fmt: skip
    return countries


def english_only(plan: Plan) -> tuple[Condition, ...]:
    """The plan's conditions in English, the language of these questions.

    Raises:
        CalmError: E26 where none is left.
    """
    kept = tuple(each for each in plan.conditions if each.language == "en")
    if not kept:
        raise UnavailableError(
            "E26", "the questions of this task are in English only.", field="--conditions",
            value=", ".join(each.name for each in plan.conditions), fix="add neutral or persona+country.",
        )  # fmt: skip
    return kept


def ask_places(
    asker: Asker,
    items: Sequence[SurveyItem],
    countries: Sequence[str],
    condition: Condition,
    plan: Plan,
    norms: NormStore | None,
    wordings: Sequence[str] = (),
) -> Asked:
    """Every item for every country, once for all of them where the condition names none.

    Args:
        asker: the model.
        items: with their options.
        countries: culture ids.
        condition: how to ask.
        plan: number of presentations, seed.
        norms: records that may be put into the context.
        wordings: system turns of a condition that names no country; each is asked with the next presentation. Without
            them nothing is said of who answers.
    """
    places: Sequence[str | None] = countries if condition.names_culture else [None]
    presented: dict[tuple[str | None, str], list[Choice]] = {}
    for place in places:
        for item in items:
            shown = present(item, condition, place_for(condition, place, item.text, norms), plan)
            if place is None and wordings:
                shown = [_said(shown[at % len(shown)], wording) for at, wording in enumerate(wordings)]
            presented[place, item.id] = shown
    flat = [question for questions in presented.values() for question in questions]
    answers = iter(asker.choose(flat, f"{plan.task.name}, {condition.title}"))
    found: dict[str | None, dict[str, Pooled]] = {place: {} for place in places}
    for (place, item_id), questions in presented.items():
        found[place][item_id] = pool([next(answers) for _ in questions])
    return Asked(condition, {each: found[each if condition.names_culture else None] for each in countries})


def add_point_figures(system: System, points: Points, people: Points) -> IndexTable | None:
    """Whether countries lie among each other as people's do, and how far apart; None where no point is known.

    Rank correlations of what is the same for all countries do not exist, so a condition that names no country has
    none, and its distance between countries is 0 by construction.
    """
    if not any(value is not None for values in points.values() for value in values.values()):
        return None
    compared = index_table(points, people)
    for name, agreement in compared.dimensions.items():
        system.figures["order_" + name.lower().replace(" ", "_").replace("-", "_")] = {
            "title": f"Order of countries on {name} (Spearman)", "value": agreement.spearman, "interval": None,
            "higher_is_better": True, "countries": agreement.n,
        }  # fmt: skip
    arrangement = compared.arrangement
    system.figures["arrangement"] = {
        "title": "Countries near each other in people are near in the model (Kendall)", "value": arrangement.kendall,
        "interval": None, "higher_is_better": True, "countries": len(arrangement.countries), "pairs": arrangement.pairs,
    }  # fmt: skip
    model, among_people = (_apart(each, compared) for each in (points, people))
    ratio = None if not among_people or model is None else model / among_people
    system.figures["distinctness"] = {
        "title": "Distance between countries, model over people", "value": ratio, "interval": None,
        "higher_is_better": None, "model": model, "people": among_people,
    }  # fmt: skip
    return compared


def add_answer_figures(system: System, asked: Asked, plan: Plan) -> None:
    """What was no answer, how probable any answer was, and what orders and labels changed.

    Means over countries of the mean over items. Intervals redraw items: a condition that names no country has the same
    answers for all, and redrawing countries would call them certain.
    """
    rows = [(item, country, each) for country, found in asked.by_country.items() for item, each in found.items()]
    table = Table(
        [item for item, _, _ in rows], [country for _, country, _ in rows], seed=plan.seed, replicates=plan.replicates
    )
    columns: dict[str, tuple[str, bool | None, list[float | None]]] = {
        "no_answer": ("Share without a valid answer", False, [*(each.no_answer for _, _, each in rows)]),
        "refused": ("Share refused", None, [*(each.refused for _, _, each in rows)]),
        "answer_mass": ("Probability of naming any option", True, [each.mass for _, _, each in rows]),
        "steadiness": ("Steadiness over presentations", True, [each.steadiness for _, _, each in rows]),
    }
    for name, (title, better, values) in columns.items():
        column = np.asarray([np.nan if value is None else value for value in values], dtype=np.float64)
        if np.isfinite(column).any():
            system.figures[name] = figure(table.means(column), title=title, higher_is_better=better)


def _said(question: Choice, system: str) -> Choice:
    return replace(question, prompt=replace(question.prompt, setting=system))


def _apart(points: Points, compared: IndexTable) -> float | None:
    """Mean Euclidean distance between the countries that the arrangement compares; None under two."""
    rows = [
        [points[country][name] for name in compared.shared.dimensions] for country in compared.arrangement.countries
    ]
    pairs = list(combinations(np.asarray(rows, dtype=np.float64), 2))
    return float(np.mean([np.linalg.norm(a - b) for a, b in pairs])) if pairs else None
