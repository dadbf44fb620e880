"""Value sheets on the synthetic survey: probes that must find planted countries and nothing in shuffled ones."""

from __future__ import annotations

import numpy as np
import pytest
from scripted import Scripted, silent, uniform

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer
from calm_lm.evaluation.kinds.survey import choose_rows
from calm_lm.evaluation.kinds.values import JUDGED, Probe, Sheets, draw_sheets, run, shared_items
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task
from calm_lm.survey.registry import load_survey


def plan_of(items: int = 15, cultures: tuple[str, ...] | None = None) -> Plan:
    task = load_task("value-sheets").model_copy(update={"data": "toy", "cultures": cultures})
    return Plan(Wanted(task, items), parse_conditions(["neutral", "neutral+country"]), replicates=100)


def rows_of(plan: Plan):
    return choose_rows(shared_items(load_survey("toy"), plan), plan)


def means(told: dict, system: str) -> dict[str, float]:
    return {name: score["mean"] for name, score in told["systems"][system]["metrics"].items()}


def test_a_model_that_answers_like_the_people_is_told_as_they_are_and_without_a_place_is_not():
    plan = plan_of()
    known = {(row.item.id, row.country): row.people.shares for row in rows_of(plan)}

    def choose(asked: Choice) -> ChoiceAnswer:
        _, item, _, country = asked.id.split("/")
        return ChoiceAnswer(known[item, country], mass=1.0) if country else uniform(asked)

    told = run(Asker(Scripted(choose), None, silent), plan).to_json()
    chance = 1 / len(told["cultures"])
    assert means(told, "chance")["linear"] == pytest.approx(chance)
    assert means(told, "people-again")["linear"] > 1.5 * chance
    assert means(told, "neutral+country")["linear"] == pytest.approx(means(told, "people-again")["linear"], abs=0.12)
    assert means(told, "neutral")["linear"] == pytest.approx(chance, abs=0.08)
    assert abs(means(told, "shuffled-labels")["linear"] - chance) < 0.12
    assert len(told["cultures"]) * JUDGED == told["rows"]


def test_probes_tell_sheets_that_differ_and_nothing_else():
    rng = np.random.default_rng(0)
    countries = np.repeat(np.arange(3), 30)
    answers = np.eye(3)[countries]
    probe = Probe(Sheets(answers, countries), 3)
    right = probe.right(Sheets(np.eye(3), np.arange(3)))
    assert right["linear"].tolist() == right["neighbours"].tolist() == [1, 1, 1]
    noise = Probe(Sheets(np.eye(4)[rng.integers(4, size=90)], countries), 3)
    found = noise.right(Sheets(np.eye(4)[rng.integers(4, size=300)], np.repeat(np.arange(3), 100)))
    assert found["linear"].mean() == pytest.approx(1 / 3, abs=0.12)


def test_sheets_have_one_answer_an_item_in_the_shares_of_the_country():
    plan = plan_of(4)
    rows = rows_of(plan)
    countries = sorted({row.country for row in rows})
    sheets = draw_sheets(rows, [row.people.array for row in rows], countries, 4000, np.random.default_rng(1))
    assert (sheets.answers.sum(1) == 4).all()
    start = 0
    for found in rows.by_item.values():
        k = len(rows[found[0]].item.options)
        for row in found:
            mine = sheets.answers[sheets.countries == countries.index(rows[row].country), start : start + k]
            np.testing.assert_allclose(mine.mean(0), rows[row].people.array, atol=0.04)
        start += k


def test_one_country_cannot_be_told_from_itself():
    country = load_survey("toy").countries[0]
    with pytest.raises(CalmError, match="E86"):
        run(Asker(Scripted(uniform), None, silent), plan_of(cultures=(country,)))
