"""Groups within a country: which are judged, and whether the model tells them apart as their people differ.

A model that is told who answers may come closer to these people, and it may give everyone in a country one answer or
make caricatures of groups. Distance to people says the first; the distance between the cells of one country, the
model's over people's, says the second; and whether a cell's answers fit its own people best says whether the model
moves groups in the right direction. Sampling error pushes people's cells apart, so the distance that cells of these
sizes would have if all of a country answered alike stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from calm_lm.errors import CalmError, UnavailableError
from calm_lm.evaluation.asking.pool import Pooled
from calm_lm.evaluation.kinds.survey_figures import mean_of_known
from calm_lm.evaluation.kinds.survey_rows import SurveyRows, matched
from calm_lm.evaluation.result import System
from calm_lm.evaluation.table import Table, figure, number
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats, Ints
from calm_lm.stats.distances import jensen_shannon_rows
from calm_lm.stats.respondents import noise_floor_rows
from calm_lm.survey.cell import FIELDS
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.item import SurveyItem

FEWEST_PEOPLE = 30  # effective respondents behind a group's shares of one item (our choice)
CHANCE_DRAWS = 50
SAME = 1e-12  # distances that differ by less are equal: the model gave both groups one answer


def fields_of(plan: Plan) -> tuple[str, ...]:
    """The demographic fields of the setting `by`; none where whole places are judged.

    Raises:
        CalmError: E92 for a setting that is no list of fields, or names another one.
    """
    by = plan.task.settings.get("by", ())
    if not isinstance(by, list | tuple) or any(each not in FIELDS for each in by) or len(set(by)) != len(by):
        raise CalmError(
            "E92", "must list demographic fields, each once.", field=f"{plan.task.name}: settings.by", value=by,
            fix=f"use some of {', '.join(FIELDS)}, as in by: [sex, age].",
        )  # fmt: skip
    return tuple(by)


def group_rows(
    item: SurveyItem,
    everyone: Mapping[str, ResponseDistribution],
    found: Sequence[ResponseDistribution],
    fields: Sequence[str],
) -> list[SurveyRows.Row]:
    """An item's rows, one for each cell of the fields, of the wave that is its country's newest."""
    cells = {}
    for each in found:
        whole = everyone.get(each.cell.country)
        if whole is not None and each.cell.cut_by(fields) and each.wave == whole.wave:
            cells[each.cell] = SurveyRows.Row(item, each, whole)
    return [cells[cell] for cell in sorted(cells)]


def without_thin(rows: Sequence[SurveyRows.Row], plan: Plan) -> SurveyRows:
    """The rows that at least `FEWEST_PEOPLE` effective respondents stand behind; the others are kept apart.

    Raises:
        UnavailableError: E93 where there is none.
    """
    kept, thin = list[SurveyRows.Row](), list[SurveyRows.Row]()
    for row in rows:
        (kept if (row.people.n_effective or 0) >= FEWEST_PEOPLE else thin).append(row)
    if not kept:
        raise UnavailableError(
            "E93", f"no group has {FEWEST_PEOPLE} effective respondents.", field=f"{plan.task.name}: settings.by",
            value=", ".join(fields_of(plan)), fix="cut by fewer fields, or judge whole countries.",
        )  # fmt: skip
    return SurveyRows(kept, thin)


def group_facts(rows: SurveyRows, plan: Plan) -> dict[str, Any]:
    """What was judged of the groups and what was not; nothing for whole places."""
    if not fields_of(plan):
        return {}
    judged = {row.culture for row in rows}
    return {
        "groups": {
            "by": list(fields_of(plan)), "judged": len(judged), "countries": len({row.country for row in rows}),
            "fewest_people": FEWEST_PEOPLE, "answers_left_out": len(rows.thin),
            "groups_left_out": sorted({row.culture for row in rows.thin} - judged),
        }
    }  # fmt: skip


def group_notes(rows: SurveyRows) -> list[str]:
    """A remark on what was left out because too few people stand behind it."""
    if not rows.thin:
        return []
    whole = {row.culture for row in rows.thin} - {row.culture for row in rows}
    return [
        f"{len(rows.thin)} of {len(rows) + len(rows.thin)} answers of groups rest on fewer than {FEWEST_PEOPLE} "
        f"effective respondents and are left out, {len(whole)} groups altogether."
    ]


def add_group_figures(system: System, rows: SurveyRows, answers: Sequence[Pooled], table: Table) -> None:
    """How far the cells of a country lie apart, and whether each fits its own people best, with intervals over items.

    Where the prompt names only the country, its cells have one answer: no distance, and half of all comparisons.
    """
    apart = np.full((2, len(rows)), np.nan)
    own = np.full(len(rows), np.nan)
    for part in matched(rows, answers):
        for places in _by_country(rows, part.rows):
            told, lived = part.model[places], part.people[places]
            apart[0, part.rows[places]] = _others(_distances(told, told))
            apart[1, part.rows[places]] = _others(_distances(lived, lived))
            across = _distances(told, lived)
            gap = across - np.diag(across)[:, None]
            fits = np.where(np.abs(gap) < SAME, 0.5, gap > 0)
            # groups whose people answer alike cannot be told apart by anyone
            own[part.rows[places]] = mean_of_known(np.where(_distances(lived, lived) < SAME, np.nan, fits).T)
    if not np.isfinite(own).any():
        return
    model, people = (table.means(each) for each in apart)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = model / people
    system.figures["groups_apart"] = {
        **figure(ratio, title="Distance between the groups of a country, model over people", higher_is_better=None),
        "model": number(model[0]), "people": number(people[0]), "dimension": "distinctiveness",
    }  # fmt: skip
    system.figures["own_group"] = {
        **figure(table.means(own), title="Answers as a group fit its people better than another group of the country",
                 higher_is_better=True), "chance": 0.5, "dimension": "distinctiveness",
    }  # fmt: skip
    countries = np.asarray([row.country for row in rows])
    system.detail["groups_apart"] = {
        str(name): _apart_in(apart[:, (countries == name) & np.isfinite(own)]) for name in np.unique(countries)
        if np.isfinite(own[countries == name]).any()
    }  # fmt: skip


def _by_country(rows: SurveyRows, found: Ints) -> Iterator[Ints]:
    """Places in `found` of the cells of each country that has at least two."""
    countries = np.asarray([rows[row].country for row in found])
    for country in np.unique(countries):
        places = np.flatnonzero(countries == country)
        if len(places) > 1:
            yield places


def _distances(first: Floats, second: Floats) -> Floats:
    """Jensen-Shannon distance of each of the first [n, K] to each of the second [n, K], as [n, n]."""
    n = len(first)
    flat = jensen_shannon_rows(np.repeat(first, n, axis=0), np.tile(second, (n, 1)))
    return flat.reshape(n, n)


def _others(square: Floats) -> Floats:
    """Mean of each row [n, n] without its diagonal [n]."""
    means: Floats = (square.sum(1) - np.diag(square)) / (len(square) - 1)
    return means


def _apart_in(apart: Floats) -> dict[str, float | None]:
    """Mean distances [2, N] between the cells of one country in the model and in people, and their ratio."""
    model, people = apart.mean(1).tolist()
    return {"model": number(model), "people": number(people), "ratio": number(model / people) if people else None}


def people_apart(rows: SurveyRows, plan: Plan) -> dict[str, Any]:
    """Mean distance between the cells of a country in people, and what sampling alone would make of it.

    Sampling alone: everyone in the country answers as all do, and cells of their sizes are drawn from them.
    """
    lived, drawn = list[float](), list[float]()
    for found in rows.by_item.values():
        pairs = [pair for places in _by_country(rows, found) for pair in permutations(found[places], 2)]
        whole = [rows[a].everyone for a, _ in pairs]
        if not pairs or any(each is None for each in whole):
            continue
        first, second = (np.asarray(each) for each in zip(*pairs, strict=True))
        lived += jensen_shannon_rows(rows.people(first), rows.people(second)).tolist()
        shares = np.stack([each.array for each in whole if each is not None])
        sizes = [[rows[row].people.n_effective or 1.0 for row in side] for side in (first, second)]
        floor = noise_floor_rows(
            shares, sizes[0], jensen_shannon_rows, n_other=sizes[1], n=CHANCE_DRAWS, seed=plan.seed
        )
        drawn += floor.mean.tolist()
    if not lived:
        return {}
    return {"groups_of_people": {"distance": number(float(np.mean(lived))),
                                 "by_sampling_alone": number(float(np.mean(drawn)))}}  # fmt: skip
