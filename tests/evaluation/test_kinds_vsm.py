"""The Values Survey Module with planted answers; questionnaire and published scores are invented."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scripted import Scripted, silent

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer
from calm_lm.evaluation.kinds.vsm import run
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task
from calm_lm.survey.vsm import CONTENT_ITEMS

# PDI alone tells the countries apart; by hand: mean 30, centred 30, -20, -10
PUBLISHED = {"Japan": 60, "Peru": 10, "Chile": 20}
M07 = {"JP": 5, "PE": 1, "CL": 3}  # PDI = 35 (m07 - m02) + ..., everything else answered 3: 70, -70, 0


def answer(question: Choice) -> ChoiceAnswer:
    _, item, _, country = question.id.split("/")
    code = M07.get(country, 3) if item == "m07" else 3
    return ChoiceAnswer(tuple(np.eye(5)[code - 1].tolist()), mass=0.5)


def write(path: Path, *rows: list[object]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    header = ["item", "text", *(f"option{code}" for code in range(1, 6))]
    items = [[item, f"Invented {item}?", "aa", "bb", "cc", "dd", "ee"] for item in CONTENT_ITEMS]
    write(tmp_path / "vsm2013" / "questionnaire.csv", header, *items)
    scores = [[name, pdi, 50, 50, 50, 50, 50] for name, pdi in PUBLISHED.items()]
    scores += [["Kenya", 1, "#NULL!", 1, 1, 1, 1], ["Arab countries", 1, 1, 1, 1, 1, 1]]
    table = tmp_path / "eecc-wvs-hofstede" / "distances_hofstede_raw_with_demonymns.csv"
    write(table, ["country", "pdi", "idv", "mas", "uai", "ltowvs", "ivr"], *scores)
    return tmp_path


def plan_of(folder: Path | None, *conditions: str, cultures: tuple[str, ...] | None = None) -> Plan:
    task = load_task("vsm13").model_copy(update={"cultures": cultures})
    return Plan(Wanted(task), parse_conditions(conditions or ("neutral", "persona+country")), folder, replicates=200)


def told(subject: Scripted, plan: Plan) -> dict:
    found = run(Asker(subject, None, silent), plan).to_json()
    json.dumps(found, allow_nan=False)
    return found


def by_culture(found: dict, system: str) -> dict[str, float]:
    return {
        name: each["value"] for name, each in found["systems"][system]["metrics"]["vsm_distance"]["by_culture"].items()
    }


def test_centred_distances_are_those_computed_by_hand(folder):
    found = told(Scripted(answer), plan_of(folder))
    assert found["cultures"] == ["CL", "JP", "PE"]  # one without all six scores and one that is no country are left out
    expected = {"JP": 40 / math.sqrt(6), "PE": 50 / math.sqrt(6), "CL": 10 / math.sqrt(6)}
    assert by_culture(found, "persona+country") == pytest.approx(expected)
    scores = found["systems"]["persona+country"]["detail"]["vsm"]["scores"]
    assert {country: each["PDI"] for country, each in scores.items()} == pytest.approx({"JP": 70, "PE": -70, "CL": 0})
    figures = found["systems"]["persona+country"]["figures"]
    assert figures["order_pdi"]["value"] == pytest.approx(1)
    assert figures["order_pdi"]["countries"] == 3
    assert figures["order_idv"]["value"] is None  # constant on both sides: no order
    # pairwise distances 140, 70, 70 against 50, 40, 10
    assert figures["distinctness"]["value"] == pytest.approx((280 / 3) / (100 / 3))


def test_a_level_alone_changes_nothing(folder):
    def shifted(question: Choice) -> ChoiceAnswer:
        if question.id.split("/")[1] == "m20":  # adds 25 to PDI everywhere
            return ChoiceAnswer((0, 0, 0, 1, 0), mass=0.5)
        return answer(question)

    level, plain = (told(Scripted(each), plan_of(folder)) for each in (shifted, answer))
    assert by_culture(level, "persona+country") == pytest.approx(by_culture(plain, "persona+country"))
    assert level["systems"]["persona+country"]["detail"]["vsm"]["scores"]["CL"]["PDI"] == pytest.approx(25)


def test_a_condition_that_names_no_country_scores_like_the_baseline_that_makes_all_alike(folder):
    found = told(Scripted(answer), plan_of(folder))
    assert by_culture(found, "neutral") == pytest.approx(by_culture(found, "centroid"))
    expected = {"JP": 30 / math.sqrt(6), "PE": 20 / math.sqrt(6), "CL": 10 / math.sqrt(6)}
    assert by_culture(found, "centroid") == pytest.approx(expected)


def test_an_item_without_a_valid_answer_leaves_its_dimension_undefined_and_is_counted(folder):
    def declines(question: Choice) -> ChoiceAnswer:
        _, item, _, country = question.id.split("/")
        return ChoiceAnswer((), refused=1.0) if (item, country) == ("m02", "JP") else answer(question)

    found = told(Scripted(declines), plan_of(folder, "persona+country"))
    system = found["systems"]["persona+country"]
    assert system["detail"]["vsm"]["scores"]["JP"]["PDI"] is None
    assert system["detail"]["vsm"]["missing_items"] == {"CL": [], "JP": ["m02"], "PE": []}
    # PDI is centred over the other two: -35, 35 in the model, -5, 5 in people
    expected = {"JP": 0, "PE": 30 / math.sqrt(6), "CL": 30 / math.sqrt(6)}
    assert by_culture(found, "persona+country") == pytest.approx(expected)
    assert system["figures"]["refused"]["value"] == pytest.approx(1 / 24 / 3)
    assert system["figures"]["order_pdi"]["countries"] == 2


def test_a_model_that_always_declines_has_no_score(folder):
    found = told(Scripted(lambda question: ChoiceAnswer((), refused=1.0)), plan_of(folder))
    assert found["systems"]["persona+country"]["metrics"]["vsm_distance"]["mean"] is None
    assert found["systems"]["centroid"]["metrics"]["vsm_distance"]["mean"] > 0


def test_questions_are_the_users_own_and_go_to_the_search_for_leaks(folder):
    subject = Scripted(answer)
    result = run(Asker(subject, None, silent), plan_of(folder))
    assert result.texts[0] == ("m01", "Invented m01?")
    assert "Invented" not in json.dumps(result.to_json())
    # 24 items in 2 presentations, once for nobody and once for each of three countries
    assert len(subject.asked) == 24 * 2 * (1 + 3)


def test_without_the_questionnaire_the_user_is_told_whose_it_is(folder):
    (folder / "vsm2013" / "questionnaire.csv").unlink()
    with pytest.raises(CalmError, match=r"geerthofstede\.com") as caught:
        told(Scripted(answer), plan_of(folder))
    assert caught.value.code == "E23"


def test_a_country_without_six_scores_cannot_be_judged(folder):
    with pytest.raises(CalmError) as caught:
        told(Scripted(answer), plan_of(folder, cultures=("JP", "PE", "KE")))
    assert caught.value.code == "E24"


def test_the_countries_of_the_task_have_published_scores(folder, data_dir):
    (folder / "eecc-wvs-hofstede" / "distances_hofstede_raw_with_demonymns.csv").unlink()
    (folder / "eecc-wvs-hofstede").rmdir()
    (folder / "eecc-wvs-hofstede").symlink_to(data_dir / "eecc-wvs-hofstede")
    task = load_task("vsm13")
    found = told(Scripted(answer), plan_of(folder, "neutral", cultures=task.cultures))
    assert found["cultures"] == sorted(task.cultures)
