"""Hofstede's six dimensions by the Values Survey Module 2013, from the model's answers for each country.

The user brings the questionnaire: its texts are under copyright. Scores of one's own samples have no meaning in level
(the manual; samples are not matched and the constant is free), so each side's mean over the countries is taken away
before distances. A country's distance is the root mean square over the dimensions that are defined on both sides, so
that a missing item does not bring a country nearer (our choice). Rows are countries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from calm_lm.culture.norms import NormStore
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.kinds.place_points import (
    Answers,
    add_answer_figures,
    add_point_figures,
    ask_places,
    english_only,
    judged_countries,
)
from calm_lm.evaluation.kinds.placed import left_out
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import Metric, Table
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats
from calm_lm.survey.cell import Cell
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.indices import Points, point_distances
from calm_lm.survey.published import HOFSTEDE, VSM
from calm_lm.survey.sources.country_tables import load_hofstede
from calm_lm.survey.sources.vsm2013 import read_questionnaire
from calm_lm.survey.vsm import DIMENSIONS, VsmScores, vsm_from_distributions

METRICS = (
    Metric("vsm_distance", "Distance to published scores, centred, per dimension", higher_is_better=False, high=None),
)


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Ask the 24 content items under every condition and compare the scores with the published ones.

    Args:
        asker: the model.
        plan: what to ask; its number of items bounds the countries, because a score needs all of its items.
        norms: records that may be put into the context.
        judge: not needed.

    Raises:
        CalmError: E22 and E23 where questionnaire or table are not there, E24 to E26 for countries or conditions that
            cannot be judged.
    """
    items = tuple(read_questionnaire(VSM.locate(plan.data_dir) / VSM.signs[0]).items.values())
    published = load_hofstede(HOFSTEDE.locate(plan.data_dir))
    known = [country for country in published.complete if not country.startswith("x-")]
    countries = judged_countries(plan, known, lambda country: "")
    conditions = english_only(plan)
    points = published.points(DIMENSIONS)
    people = {country: points[country] for country in countries}
    table = Table(countries, countries, seed=plan.seed, replicates=plan.replicates)
    systems = []
    for condition in conditions:
        asked = ask_places(asker, items, countries, condition, plan, norms)
        scores = {country: score(country, answers) for country, answers in asked.by_country.items()}
        model = {country: each.scores for country, each in scores.items()}
        system = System(condition.name, condition.title, "model", {"vsm_distance": distances(model, people)})
        add_point_figures(system, model, people)
        add_answer_figures(system, asked, plan)
        system.detail["vsm"] = {
            "scores": {country: dict(each.scores) for country, each in scores.items()},
            "missing_items": {country: list(each.missing_items) for country, each in scores.items()},
        }
        systems.append(system)
    alike = dict.fromkeys(countries, dict.fromkeys(DIMENSIONS, 0.0))
    systems.append(System(
        "centroid", "all countries alike", "baseline", {"vsm_distance": distances(alike, people)}
    ))  # fmt: skip
    facts = {
        "items": len(items), "countries": len(countries), "countries_at_hand": len(known),
        "presentations": plan.wanted.presentations, "conditions_left_out": left_out(plan, conditions),
        "seed": plan.seed,
    }  # fmt: skip
    texts = tuple((item.id, item.text) for item in items)
    return TaskResult(plan.task, METRICS, table, tuple(systems), facts, texts=texts)


def score(country: str, answers: Answers) -> VsmScores:
    """The six scores of the model's answers for a country; None where an item of a dimension has no valid answer."""
    return vsm_from_distributions(
        ResponseDistribution(item, Cell(country), tuple(each.shares.tolist()), missing_share=each.no_answer)
        for item, each in answers.items()
        if each.shares is not None
    )


def distances(model: Mapping[str, Mapping[str, float | None]], people: Points) -> Floats:
    """Root mean square of centred differences over the dimensions of each country [C]; `nan` where there are none."""
    if not any(value is not None for values in model.values() for value in values.values()):
        return np.full(len(people), np.nan)
    found = point_distances(model, people).by_country
    return np.asarray([_per_dimension(found[country].centred, found[country].centred_dimensions) for country in people])


def _per_dimension(length: float | None, dimensions: int) -> float:
    return math.nan if length is None else length / math.sqrt(dimensions)
