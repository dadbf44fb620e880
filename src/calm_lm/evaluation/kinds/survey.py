"""Survey alignment: the model's answers to every item, beside the shares of the people of each place.

With the setting `by` (demographic fields, `survey.cell.FIELDS`) the people of a place are cut into cells of these
fields, and every cell is judged by itself: see `survey_groups`. Then `+profile` tells the model who answers, and
`+country` only where, the same for all cells of a country.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from calm_lm.culture.norms import NormStore
from calm_lm.errors import UnavailableError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.asking.pool import NOT_ASKED, Pooled, pool
from calm_lm.evaluation.asking.profile import Profiles
from calm_lm.evaluation.asking.question import Choice
from calm_lm.evaluation.asking.wording import Place, choice, presentations
from calm_lm.evaluation.kinds.survey_figures import add_comparisons, add_figures
from calm_lm.evaluation.kinds.survey_groups import (
    add_group_figures,
    fields_of,
    group_facts,
    group_notes,
    group_rows,
    people_apart,
    without_thin,
)
from calm_lm.evaluation.kinds.survey_rows import METRICS, SurveyRows, score_rows
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import Table
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.distances import jensen_shannon_rows, total_variation_rows, wasserstein_rows
from calm_lm.stats.respondents import noise_floor_rows
from calm_lm.survey.instrument import Survey
from calm_lm.survey.item import SurveyItem
from calm_lm.survey.registry import load_survey

MOST_NORMS = 3


class _Asked(NamedTuple):
    """One condition's answers laid along the rows."""

    condition: Condition
    answers: list[Pooled]


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Ask every item under every condition, and for every place where the condition names one.

    Args:
        asker: the model.
        plan: what to ask.
        norms: records that may be put into the context.
        judge: not needed; options are read by probability or by name.
    """
    survey = read_survey(plan)
    rows = choose_rows(survey, plan)
    conditions, untranslated = fitting(rows, plan.conditions)
    asked = [_Asked(condition, ask(asker, rows, condition, plan, norms)) for condition in conditions]
    table = Table([row.item.id for row in rows], [row.culture for row in rows], seed=plan.seed,
                  replicates=plan.replicates)  # fmt: skip
    systems = [System(one.condition.name, one.condition.title, "model", score_rows(rows, one.answers)) for one in asked]
    answers = [one.answers for one in asked]
    for name, title, guessed in baselines(rows):
        systems.append(System(name, title, "baseline", score_rows(rows, guessed)))
        answers.append(guessed)
    for system, given in zip(systems, answers, strict=True):
        add_figures(system, rows, given, table, plan)
        if fields_of(plan) and system.role == "model":
            add_group_figures(system, rows, given, table)
    speakers = [asker.speakers.of(condition.language) for condition in conditions]
    apart = add_comparisons(systems, conditions, rows, answers[: len(asked)], table, speakers)
    systems += people_again(rows, plan)
    items = list(dict.fromkeys(row.item.id for row in rows))
    facts = {
        "items": len(items), "items_at_hand": len(survey.by_item), "presentations": plan.wanted.presentations,
        "ordinal": sum(survey.item(item).scale == "ordinal" for item in items), "item_ids": items,
        "left_out_by_the_loader": dict(survey.left_out), "seed": plan.seed,
        "conditions_left_out": {
            each.name: "no item is translated" for each in plan.conditions if each not in conditions
        },
        "notes": untranslated + apart + group_notes(rows), **group_facts(rows, plan),
    }  # fmt: skip
    texts = tuple((item, survey.item(item).text) for item in items)
    return TaskResult(plan.task, METRICS, table, tuple(systems), facts, people_apart(rows, plan), texts)


def read_survey(plan: Plan) -> Survey:
    """The task's survey, cut into the groups that the task is about.

    Raises:
        CalmError: as `load_survey` and `fields_of`.
    """
    return load_survey(plan.task.data, plan.data_dir, by=fields_of(plan))


def fitting(rows: SurveyRows, conditions: Sequence[Condition]) -> tuple[list[Condition], list[str]]:
    """Conditions in whose language there is any item, and a remark on each language that some items lack.

    Raises:
        UnavailableError: E47 where no condition is left.
    """
    items = {row.item.id: row.item for row in rows}
    kept, remarks = [], []
    for condition in conditions:
        missing = sum(not item.speaks(condition.language) for item in items.values())
        if missing < len(items):
            kept.append(condition)
        if 0 < missing < len(items):
            remarks.append(f"{missing} of {len(items)} items have no translation into {condition.language}.")
    if not kept:
        raise UnavailableError(
            "E47", "no item is translated into a language of these conditions.", field="--conditions",
            value=", ".join(condition.name for condition in conditions), fix="ask in English, or translate.",
        )  # fmt: skip
    return kept, list(dict.fromkeys(remarks))


def choose_rows(survey: Survey, plan: Plan) -> SurveyRows:
    """Items sampled over topics, with the answers of each of the task's places or groups; the newest wave of each.

    Raises:
        UnavailableError: E93 where no group has enough people.
    """
    countries = survey.countries if plan.task.cultures is None else plan.task.cultures
    part = survey.select(countries=countries)
    items = plan.sample([survey.item(name) for name in part.by_item], lambda item: item.topic)
    fields = fields_of(plan)
    rows = []
    for item in items:
        found = sorted(part.by_item[item.id], key=lambda each: (each.date, each.wave))
        newest = {each.cell.country: each for each in found if not each.cell.groups}
        rows += group_rows(item, newest, found, fields) if fields else [
            SurveyRows.Row(item, newest[country]) for country in sorted(newest)
        ]  # fmt: skip
    return without_thin(rows, plan) if fields else SurveyRows(rows)


def ask(asker: Asker, rows: SurveyRows, condition: Condition, plan: Plan, norms: NormStore | None) -> list[Pooled]:
    """Answers along the rows."""
    presented = present_all(rows, condition, plan, norms)
    flat = [question for questions in presented.values() for question in questions]
    answers = iter(asker.choose(flat, f"{plan.task.name}, {condition.title}"))
    found = {key: pool([next(answers) for _ in questions]) for key, questions in presented.items()}
    return [found.get((row.item.id, told_of(row, condition)), NOT_ASKED) for row in rows]


def told_of(row: SurveyRows.Row, condition: Condition) -> str | None:
    """Whom a condition tells of: the row's people, only their country, or nobody."""
    if not condition.names_culture:
        return None
    return row.culture if condition.culture == "profile" else row.country


def present_all(
    rows: SurveyRows, condition: Condition, plan: Plan, norms: NormStore | None = None
) -> dict[tuple[str, str | None], list[Choice]]:
    """Presentations by item and whom is told of (`told_of`), so that what is the same for many is asked once.

    Items without a translation into the condition's language are left out.
    """
    items = {row.item.id: row.item for row in rows if row.item.speaks(condition.language)}
    different = {(row.item.id, told_of(row, condition)): row for row in rows if row.item.id in items}
    find = place_finder(condition, plan, norms)
    return {
        key: present(row.item, condition, find(row) if condition.names_culture else None, plan)
        for key, row in different.items()
    }


def present(item: SurveyItem, condition: Condition, place: Place | None, plan: Plan) -> list[Choice]:
    """All presentations of an item in the condition's language."""
    told = item.in_language(condition.language)
    bare = all(text.strip().lstrip("-").isdigit() for text in told.options)
    shown = presentations(
        len(told.options), plan.wanted.presentations, ordinal=item.scale == "ordinal", bare=bare, seed=plan.seed
    )
    name = f"{plan.task.name}/{item.id}/{condition.name}/{'' if place is None else place.name}"
    return [choice(name, told.text, told.options, condition, place, each) for each in shown]


def place_finder(condition: Condition, plan: Plan, norms: NormStore | None) -> Callable[[SurveyRows.Row], Place]:
    """What a condition may tell of a row's people: their profile or their place's, or norms that fit the question."""
    from calm_lm.culture.blend import Blend

    profiles = Profiles.read(plan.data_dir) if condition.culture == "profile" else None

    def find(row: SurveyRows.Row) -> Place:
        if profiles is not None and row.people.cell.groups:
            return Place(row.country, cell=row.people.cell)
        if profiles is not None:
            return Place(row.country, facts=profiles.facts(row.country))
        if condition.culture == "norms" and norms is not None:
            hits = norms.search(row.item.text, Blend(((row.country, 1.0),)), MOST_NORMS)
            return Place(row.country, norms=tuple(hit.record.sentence() for hit in hits))
        return Place(row.country)

    return find


def baselines(rows: SurveyRows) -> list[tuple[str, str, list[Pooled]]]:
    """What one would answer without a model: name, title, answers along the rows.

    For groups the strongest is everyone in their country. They are among these themselves, which favours it.
    """
    others = rows.means_of_others()
    everyone = [Pooled(None if row.everyone is None else row.everyone.array) for row in rows]
    whole = [("everyone", "everyone in the country", everyone)] if any(row.everyone for row in rows) else []
    noun = "groups" if whole else "places"
    uniform = [Pooled(np.full(len(row.item.options), 1 / len(row.item.options))) for row in rows]
    mode = [Pooled(None if mean is None else np.eye(len(mean))[int(mean.argmax())]) for mean in others]
    return [
        ("uniform", "uniform", uniform),
        ("majority", f"commonest answer of the other {noun}", mode),
        ("population-mean", f"mean of the other {noun}", [Pooled(mean) for mean in others]),
        *whole,
    ]


def people_again(rows: SurveyRows, plan: Plan) -> list[System]:
    """How close a second sample of the same people would come; nothing where numbers of respondents are unknown."""
    if any(row.people.n_effective is None for row in rows):
        return []
    scores = {name: np.full(len(rows), np.nan) for name in ("wasserstein", "jensen_shannon", "total_variation")}
    distances = (wasserstein_rows, jensen_shannon_rows, total_variation_rows)
    for found in rows.by_item.values():
        sizes = np.asarray([rows[row].people.n_effective for row in found], dtype=np.float64)
        for name, distance in zip(scores, distances, strict=True):
            if name != "wasserstein" or rows[found[0]].item.scale == "ordinal":
                floor = noise_floor_rows(rows.people(found), sizes, distance, seed=plan.seed)
                scores[name][found] = floor.mean
    return [System("people-again", "a second sample of the same people", "people", scores)]
