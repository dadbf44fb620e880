"""The survey kind, judged on the bundled synthetic survey by subjects whose answers are planted."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scripted import Scripted, silent, uniform

from calm_lm.errors import UnavailableError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer
from calm_lm.evaluation.kinds.survey import choose_rows, run
from calm_lm.evaluation.kinds.survey_figures import comparable
from calm_lm.evaluation.result import TaskResult
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task
from calm_lm.survey.registry import load_survey

COUNTRY = parse_conditions(["neutral", "neutral+country", "persona+country"])


def plan_of(*, items: int | None = 10, conditions=COUNTRY, presentations: int = 2) -> Plan:
    return Plan(Wanted(load_task("toy-survey"), items, presentations), conditions, replicates=200)


def people(plan: Plan) -> dict[tuple[str, str], tuple[float, ...]]:
    return {(row.item.id, row.country): row.people.shares for row in choose_rows(load_survey("toy"), plan)}


def answer_like(plan: Plan, change=lambda shares: shares):
    """A subject that answers for each place what its people answered; without a place, like nobody in particular."""
    known = people(plan)

    def choose(asked: Choice) -> ChoiceAnswer:
        _, item, _, country = asked.id.split("/")
        if not country:
            return uniform(asked)
        return ChoiceAnswer(tuple(change(np.array(known[item, country]))), mass=0.9)

    return Scripted(choose)


def result_of(subject: Scripted, plan: Plan) -> dict:
    result = run(Asker(subject, None, silent), plan)
    assert isinstance(result, TaskResult)
    told = result.to_json()
    json.dumps(told, allow_nan=False)  # what is not defined is null
    return told


def test_a_model_that_answers_like_the_people_is_at_no_distance_and_as_diverse():
    plan = plan_of()
    system = result_of(answer_like(plan), plan)["systems"]["persona+country"]
    for metric, best in {
        "wasserstein": 0,
        "jensen_shannon": 0,
        "total_variation": 0,
        "modal_match": 1,
        "nvas": 1,
    }.items():
        assert system["metrics"][metric]["mean"] == pytest.approx(best, abs=1e-9)
    for figure in ("diversity_ratio", "spread_ratio", "distinctness", "arrangement"):
        assert system["figures"][figure]["value"] == pytest.approx(1)
    assert system["figures"]["steadiness"]["value"] == pytest.approx(1)
    assert system["figures"]["inequity"]["value"] == pytest.approx(0, abs=1e-9)


def test_a_model_that_sees_no_difference_between_options_scores_as_the_uniform_baseline():
    plan = plan_of()
    told = result_of(Scripted(uniform), plan)["systems"]
    for condition in COUNTRY:
        for metric, score in told["uniform"]["metrics"].items():
            assert told[condition.name]["metrics"][metric]["mean"] == pytest.approx(score["mean"])
    assert told["persona+country"]["figures"]["distinctness"]["value"] == pytest.approx(0)
    assert told["neutral"]["figures"]["fcs"]["value"] == pytest.approx(1)
    assert told["persona+country"]["figures"]["spd"]["value"] == pytest.approx(0)


def test_shifts_in_two_directions_do_not_cancel():
    """Scales run either way, so a persona that goes to the first end of one item and the last of another has moved."""
    plan = plan_of()
    first = sorted({row.item.id for row in choose_rows(load_survey("toy"), plan)})[::2]

    def choose(asked: Choice) -> ChoiceAnswer:
        _, item, condition, _ = asked.id.split("/")
        if condition != "persona+country":
            return uniform(asked)
        return ChoiceAnswer(tuple(np.eye(len(asked.texts))[0 if item in first else -1]))

    figures = result_of(Scripted(choose), plan)["systems"]["persona+country"]["figures"]
    assert figures["spd"]["value"] == pytest.approx(0.5)


def test_a_model_with_one_voice_for_a_place_has_lost_its_diversity():
    plan = plan_of()
    alone = answer_like(plan, lambda shares: np.eye(len(shares))[shares.argmax()])
    figures = result_of(alone, plan)["systems"]["persona+country"]["figures"]
    assert figures["diversity_ratio"]["value"] == pytest.approx(0)
    assert figures["spread_ratio"]["value"] == pytest.approx(0)


def test_the_second_sample_of_the_people_lies_between_the_people_and_any_other_answer():
    plan = plan_of()
    systems = result_of(answer_like(plan), plan)["systems"]
    again = systems["people-again"]["metrics"]["wasserstein"]["mean"]
    assert 0 < again < systems["population-mean"]["metrics"]["wasserstein"]["mean"]
    assert systems["persona+country"]["figures"]["over_respondents"]["interval"][0] > 0


def test_refusals_are_a_reported_share_with_bounds_and_no_extra_option():
    plan = plan_of()
    known = people(plan)

    def choose(asked: Choice) -> ChoiceAnswer:
        _, item, _, country = asked.id.split("/")
        return ChoiceAnswer(known[item, country] if country else uniform(asked).shares, refused=0.25, samples=4)

    system = result_of(Scripted(choose), plan)["systems"]["persona+country"]
    assert system["metrics"]["wasserstein"]["mean"] == pytest.approx(0, abs=1e-9)  # of what was answered
    assert system["figures"]["refused"]["value"] == pytest.approx(0.25)
    bounds = system["detail"]["refusal_bounds"]
    assert bounds["low"] == pytest.approx(0, abs=1e-9)
    assert 0.05 < bounds["high"] <= 0.25


def test_a_model_that_always_declines_has_no_score_but_bounds():
    plan = plan_of(items=4)
    system = result_of(Scripted(lambda asked: ChoiceAnswer((), refused=1.0, samples=3)), plan)["systems"]["neutral"]
    assert system["metrics"]["wasserstein"]["mean"] is None
    assert system["figures"]["no_answer"]["value"] == 1
    assert 0 <= system["detail"]["refusal_bounds"]["low"] < system["detail"]["refusal_bounds"]["high"] <= 1


def test_an_order_effect_shows_as_unsteadiness_and_averages_out():
    plan = plan_of(conditions=COUNTRY[:1])
    first = Scripted(lambda asked: ChoiceAnswer(tuple(np.eye(len(asked.texts))[asked.order[0]]), mass=1.0))
    system = result_of(first, plan)["systems"]["neutral"]
    assert system["figures"]["steadiness"]["value"] < 0.1


def test_every_item_is_asked_once_without_a_place_and_once_a_place_with_one():
    plan = plan_of(items=5)
    subject = Scripted(uniform)
    told = result_of(subject, plan)
    places = len(told["cultures"])
    shown = {row.item.id: len(row.item.options) for row in choose_rows(load_survey("toy"), plan)}
    assert len(shown) == told["asked"]["items"] == 5
    asked_of = [asked.id.split("/")[2:] for asked in subject.asked]
    assert sum(condition == "neutral" for condition, _ in asked_of) <= 5 * 2
    assert sum(condition == "persona+country" for condition, _ in asked_of) <= 5 * 2 * places
    assert {country for condition, country in asked_of if condition == "neutral"} == {""}


def test_only_the_newest_wave_is_judged():
    survey = load_survey("toy")
    assert len({each.wave for each in survey.distributions}) > 1
    rows = choose_rows(survey, plan_of(items=None))
    newest = max(each.date for each in survey.distributions)
    assert {row.people.date for row in rows} == {newest}
    assert len({(row.item.id, row.country) for row in rows}) == len(rows)


def test_items_without_a_translation_are_left_out_of_that_language_and_told():
    plan = plan_of(items=None, conditions=parse_conditions(["neutral", "neutral@es", "neutral@tr"]))
    subject = Scripted(uniform)
    told = result_of(subject, plan)
    asked = {asked.id.split("/")[1] for asked in subject.asked if "@es" in asked.id}
    items = set(told["asked"]["item_ids"])
    assert 0 < len(asked) < len(items)
    assert told["asked"]["notes"] == [f"{len(items) - len(asked)} of {len(items)} items have no translation into es."]
    assert told["asked"]["conditions_left_out"] == {"neutral@tr": "no item is translated"}
    spanish = told["systems"]["neutral@es"]
    assert spanish["metrics"]["jensen_shannon"]["rows"] == sum(
        row.item.id in asked for row in choose_rows(load_survey("toy"), plan)
    )
    assert spanish["figures"]["no_answer"]["value"] == 0  # not asked is not refused
    assert told["systems"]["neutral"]["figures"]["clcs"]["value"] == pytest.approx(1)


def test_a_language_in_which_nothing_can_be_asked_is_unavailable():
    plan = plan_of(items=3, conditions=parse_conditions(["neutral@tr"]))
    with pytest.raises(UnavailableError, match="E47"):
        run(Asker(Scripted(uniform), None, silent), plan)


def test_each_culture_at_home_is_c_dist_one_and_one_sheet_for_all_is_less():
    plan = plan_of()
    own = result_of(answer_like(plan), plan)["systems"]
    home = own["persona+country"]["figures"]["c_dist"]
    assert (home["value"], home["mean_home"]) == (pytest.approx(1), pytest.approx(1, abs=1e-6))
    assert home["mean_away"] < 1
    assert own["neutral"]["figures"]["c_dist"]["value"] < 1


def test_paired_differences_are_corrected_for_their_number():
    plan = plan_of()
    paired = result_of(answer_like(plan), plan)["paired"]
    assert {(each["a"], each["b"]) for each in paired} >= {
        ("neutral", "persona+country"),
        ("persona+country", "uniform"),
    }
    assert all(each["p_holm"] >= each["p"] - 1e-12 for each in paired)
    best = next(each for each in paired if (each["a"], each["b"]) == ("persona+country", "uniform"))
    assert best["interval"][1] < 0
    assert math.isfinite(best["effect_dz"])


def test_only_cultures_that_share_items_are_compared():
    known = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]], dtype=bool)
    assert comparable(known) == [0, 1, 3]  # the last shares with nobody, the third not with the second
    assert comparable(np.ones((3, 2), dtype=bool)) == [0, 1, 2]
    assert len(comparable(np.eye(4, dtype=bool))) == 1
