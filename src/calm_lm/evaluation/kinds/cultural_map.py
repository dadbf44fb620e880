"""The cultural map: where the model lies among peoples, for nobody in particular and asked about each country.

After Tao and others, PNAS Nexus 2024. Their ten wordings of a respondent are the system turn of conditions that name no
country; other conditions have the sentences that every task has. The mean over presentations is projected, which is
the mean of their points. Rows are countries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from calm_lm.culture.norms import NormStore
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.kinds.map_items import map_point, map_questions
from calm_lm.evaluation.kinds.place_points import (
    Asked,
    add_answer_figures,
    add_point_figures,
    ask_places,
    english_only,
    judged_countries,
)
from calm_lm.evaluation.kinds.placed import left_out
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import EVERYONE, Metric, Table
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats
from calm_lm.survey.indices import Points
from calm_lm.survey.inglehart_welzel import ITEMS, MapPoint, Projection
from calm_lm.survey.published import AXES, MAP
from calm_lm.survey.sources.iw_map import load

METRICS = (Metric("map_distance", "Distance to people on the map", higher_is_better=False, high=None),)
Placed = Mapping[str, MapPoint | None]  # by country


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Ask the ten items under every condition and lay the points beside people's.

    Args:
        asker: the model.
        plan: what to ask; its number of items bounds the countries, its number of presentations the wordings.
        norms: records that may be put into the context.
        judge: not needed.

    Raises:
        CalmError: E22 and E23 where the map's folder is not there, E24 to E26 for countries or conditions that cannot
            be judged.
    """
    found = load(MAP.locate(plan.data_dir))
    centre = _mean(list(found.points.values()))
    countries = judged_countries(plan, found.points, lambda each: _quarter(found.points[each], centre))
    conditions = english_only(plan)
    wordings = choose_wordings(found.descriptors, plan)
    people: Placed = {country: found.points[country] for country in countries}
    table = Table(countries, countries, seed=plan.seed, replicates=plan.replicates)
    systems, drawn = [], {}
    for condition in conditions:
        asked = ask_places(asker, map_questions(), countries, condition, plan, norms, wordings)
        points = place(found.projection, asked)
        system = System(condition.name, condition.title, "model", {"map_distance": distances(points, people)})
        add_point_figures(system, _as_points(points), _as_points(people))
        add_answer_figures(system, asked, plan)
        systems.append(system)
        drawn[condition.name] = {
            country: list(point) for country, point in points.items() if point is not None
        } if condition.names_culture else _one(points)  # fmt: skip
    centroid = System(
        "centroid", "mean of all peoples' points", "baseline",
        {"map_distance": distances(dict.fromkeys(countries, centre), people)},
    )  # fmt: skip
    facts = {
        "items": len(ITEMS), "questions": len(map_questions()), "countries": len(countries),
        "countries_at_hand": len(found.points), "presentations": plan.wanted.presentations, "wordings": wordings,
        "conditions_left_out": left_out(plan, conditions), "seed": plan.seed,
    }  # fmt: skip
    detail = {"map": {
        "axes": list(AXES), "people": {country: list(found.points[country]) for country in countries}, "model": drawn,
    }}  # fmt: skip
    texts = tuple((item.id, item.text) for item in map_questions())
    return TaskResult(plan.task, METRICS, table, (*systems, centroid), facts, detail, texts)


def choose_wordings(wordings: Sequence[str], plan: Plan) -> list[str]:
    """As many wordings of a respondent as presentations are wanted, seeded, in the order of the file."""
    count = min(plan.wanted.presentations, len(wordings))
    chosen = np.random.default_rng(plan.seed).choice(len(wordings), count, replace=False)
    return [wordings[at] for at in sorted(chosen.tolist())]


def place(projection: Projection, asked: Asked) -> dict[str, MapPoint | None]:
    """The model's point for each country; None where a question has no valid answer."""
    return {
        country: map_point(projection, {item: each.shares for item, each in answers.items()})
        for country, answers in asked.by_country.items()
    }


def distances(points: Placed, people: Placed) -> Floats:
    """Euclidean distance of each country's point to its people's [C], in the map's unit; `nan` without a point."""
    pairs = [(points[country], people[country]) for country in people]
    return np.asarray([math.nan if a is None or b is None else math.dist(a, b) for a, b in pairs])


def _as_points(placed: Placed) -> Points:
    nowhere = (None, None)
    return {country: dict(zip(AXES, point or nowhere, strict=True)) for country, point in placed.items()}


def _one(points: Placed) -> dict[str, list[float]]:
    """The one point of a condition that names no country."""
    point = next(iter(points.values()))
    return {} if point is None else {EVERYONE: list(point)}


def _mean(points: Sequence[MapPoint]) -> MapPoint:
    x, y = np.mean(points, axis=0)
    return MapPoint(float(x), float(y))


def _quarter(point: MapPoint, centre: MapPoint) -> str:
    return f"{point.x >= centre.x}, {point.y >= centre.y}"
