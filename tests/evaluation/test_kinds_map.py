"""The cultural map with planted answers: points computed by hand, under parameters and peoples that are invented."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import Scripted, silent, uniform

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer
from calm_lm.evaluation.kinds.cultural_map import METRICS, run
from calm_lm.evaluation.kinds.map_items import AIMS, FIRST, map_means, map_questions, quality, second_aim
from calm_lm.evaluation.table import Table
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task
from calm_lm.survey.inglehart_welzel import ITEMS, post_materialism

# x = 2 (A008 - 2) + 3 (Y002 - 2) + 1, y = 10 (F063 - 5) - 50 Y003 + 2; other items move nothing
CENTRE = {"A008": 2.0, "F063": 5.0, "Y002": 2.0}
SCALE = {"A008": 0.5, "F063": 2.0}
WEIGHTS = {"A008": [0.1, 0.0], "F063": [0.0, 0.2], "Y002": [0.3, 0.0], "Y003": [0.0, -0.5]}
PARAMETERS = {
    "items": [item.lower() for item in ITEMS],
    "center": [CENTRE.get(item, 0.0) for item in ITEMS],
    "scale": [SCALE.get(item, 1.0) for item in ITEMS],
    "weights": [WEIGHTS.get(item, [0.0, 0.0]) for item in ITEMS],
    "se": 1, "sec": 2, "rc1": [10, 1], "rc2": [100, 2],
}  # fmt: skip
PEOPLES = {"Japan": [2.25, -25], "Peru": [5, 66], "Chile": [3, 2]}
WORDINGS = ["You are one.", "You are another.", "You are a third."]
TENTH = [0.0] * 9


def planted(country: str) -> dict[str, list[float]]:
    """Answers that place JP at (2.25, -28), PE at (5, 62); everyone else and nobody at even shares."""
    if country == "JP":  # A008 1.5; Y002 .75 x 3 + .25 x 2; F063 7; Y003 .9 + .6 - .2 - .3
        return {
            "A008": [0.5, 0.5, 0, 0], FIRST: [0, 1, 0, 0], second_aim(2): [0, 0.25, 0.75],
            "F063": [0, 0, 0, 0.5, 0, 0, 0, 0, 0, 0.5], quality("independence"): [0.9, 0.1],
            quality("determination"): [0.6, 0.4], quality("religious_faith"): [0.2, 0.8],
            quality("obedience"): [0.3, 0.7],
        }  # fmt: skip
    if country == "PE":  # A008 4; Y002 .5 x 1 + .5 x 3; F063 1; Y003 -2
        return {
            "A008": [0, 0, 0, 1], FIRST: [0.5, 0.5, 0, 0], second_aim(1): [0, 1, 0], second_aim(2): [0, 0, 1],
            "F063": [1, *TENTH], quality("independence"): [0, 1], quality("determination"): [0, 1],
            quality("religious_faith"): [1, 0], quality("obedience"): [1, 0],
        }  # fmt: skip
    return {}


def answer(question: Choice) -> ChoiceAnswer:
    _, item, _, country = question.id.split("/")
    shares = planted(country).get(item)
    return uniform(question) if shares is None else ChoiceAnswer(tuple(map(float, shares)), mass=0.9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def put(name: str, content: object) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text, encoding="utf-8")

    put("country_coords.json", PEOPLES)
    put("wvs_country_composites.json", [])
    put("iw_projection_final.json", PARAMETERS)
    put("Prompts_Questions.csv", "scale,prompt\n" + "".join(f'{item.lower()},"{item}?"\n' for item in ITEMS))
    put(
        "Prompts_Respondent_Descriptors.csv", "#variant,respondent_descriptor\n" + "".join(f"v,{w}\n" for w in WORDINGS)
    )
    return tmp_path


def plan_of(
    folder: Path,
    *conditions: str,
    cultures: tuple[str, ...] | None = ("JP", "PE"),
    items: int | None = None,
    presentations: int = 2,
) -> Plan:
    task = load_task("cultural-map").model_copy(update={"cultures": cultures})
    chosen = parse_conditions(conditions or ("neutral", "persona+country"))
    return Plan(Wanted(task, items, presentations), chosen, folder, replicates=200)


def told(subject: Scripted, plan: Plan) -> dict:
    found = run(Asker(subject, None, silent), plan).to_json()
    json.dumps(found, allow_nan=False)
    return found


def test_points_and_distances_are_those_computed_by_hand(folder):
    found = told(Scripted(answer), plan_of(folder))
    drawn = found["detail"]["map"]
    assert drawn["people"] == {"JP": [2.25, -25], "PE": [5, 66]}
    assert drawn["model"]["persona+country"]["JP"] == pytest.approx([2.25, -28])
    assert drawn["model"]["persona+country"]["PE"] == pytest.approx([5, 62])
    score = found["systems"]["persona+country"]["metrics"]["map_distance"]
    assert {name: each["value"] for name, each in score["by_culture"].items()} == pytest.approx({"JP": 3, "PE": 4})
    assert score["mean"] == pytest.approx(3.5)
    assert score["worst_culture"] == "PE"


def test_the_neutral_model_has_one_point_and_a_distance_to_every_people(folder):
    found = told(Scripted(answer), plan_of(folder))
    # even shares: A008 2.5; Y002: of 12 ordered pairs 2 are materialist and 2 postmaterialist, so 2; F063 5.5; Y003 0
    assert found["detail"]["map"]["model"]["neutral"] == {"everyone": pytest.approx([2, 7])}
    score = found["systems"]["neutral"]["metrics"]["map_distance"]
    assert score["by_culture"]["JP"]["value"] == pytest.approx(math.dist((2, 7), (2.25, -25)))
    figures = found["systems"]["neutral"]["figures"]
    assert figures["distinctness"]["value"] == pytest.approx(0, abs=1e-12)
    assert figures["arrangement"]["value"] is None


def test_the_baseline_is_the_centre_of_all_peoples_also_of_those_not_judged(folder):
    found = told(Scripted(answer), plan_of(folder))
    centre = np.mean(list(PEOPLES.values()), axis=0)
    by_culture = found["systems"]["centroid"]["metrics"]["map_distance"]["by_culture"]
    assert by_culture["PE"]["value"] == pytest.approx(math.dist(centre, (5, 66)))
    assert {(each["a"], each["b"]) for each in found["paired"]} == {
        ("neutral", "persona+country"), ("neutral", "centroid"), ("persona+country", "centroid"),
    }  # fmt: skip


def test_figures_say_how_far_apart_the_countries_are_and_whether_in_peoples_order(folder):
    found = told(Scripted(answer), plan_of(folder, cultures=("JP", "PE", "CL")))
    figures = found["systems"]["persona+country"]["figures"]
    model = {"JP": (2.25, -28), "PE": (5, 62), "CL": (2, 7)}
    people = {"JP": (2.25, -25), "PE": (5, 66), "CL": (3, 2)}

    def apart(points):
        return np.mean([math.dist(points[a], points[b]) for a, b in (("JP", "PE"), ("JP", "CL"), ("PE", "CL"))])

    assert figures["distinctness"]["value"] == pytest.approx(apart(model) / apart(people))
    assert figures["arrangement"] == figures["arrangement"] | {"value": pytest.approx(1), "countries": 3, "pairs": 3}
    assert figures["order_survival_to_self_expression"]["value"] == pytest.approx(0.5)  # CL and JP change places
    assert figures["order_traditional_to_secular"]["value"] == pytest.approx(1)


def test_wordings_are_the_system_turn_of_the_neutral_condition_alone(folder):
    subject = Scripted(answer)
    found = told(subject, plan_of(folder, presentations=3))
    by_condition = {name: [q for q in subject.asked if f"/{name}/" in q.id] for name in ("neutral", "persona+country")}
    assert found["asked"]["wordings"] == WORDINGS
    assert {each.prompt.setting for each in by_condition["neutral"]} == set(WORDINGS)
    assert len(by_condition["neutral"]) == 3 * len(map_questions())
    systems = {each.prompt.setting for each in by_condition["persona+country"]}
    assert len(systems) == 2
    assert not systems & set(WORDINGS)
    sampled = told(Scripted(answer), plan_of(folder, presentations=2))["asked"]["wordings"]
    assert len(sampled) == 2
    assert set(sampled) < set(WORDINGS)


def test_ten_is_an_option_of_its_own_and_a_scale_of_ten_is_answered_by_letters(folder):
    subject = Scripted(answer)
    told(subject, plan_of(folder, "neutral"))
    scales = [each for each in subject.asked if each.id.split("/")[1] in ("F063", "F118", "F120")]
    assert {each.texts for each in scales} == {tuple(map(str, range(1, 11)))}
    assert {"".join(sorted(each.answers)) for each in scales} == {"ABCDEFGHIJ"}
    orders = {each.order for each in scales}
    assert orders == {tuple(range(10)), tuple(range(9, -1, -1))}


def test_a_second_aim_is_never_the_first_one_again():
    questions = {each.id: each for each in map_questions()}
    for aim, text in AIMS.items():
        after = questions[second_aim(aim)]
        assert text in after.text
        assert [int(code) for code in after.codes] == [other for other in AIMS if other != aim]


def test_questions_carry_the_codes_of_the_survey_and_no_rule_how_to_answer():
    questions = {each.id: each for each in map_questions()}
    assert set(ITEMS) - set(questions) == {"Y002", "Y003"}
    assert questions["G006"].codes == ("1", "2", "3", "4")
    assert not any("respond" in each.text or "answer with" in each.text.lower() for each in questions.values())


shares = st.lists(st.floats(0.01, 1), min_size=4, max_size=4).map(lambda values: np.asarray(values) / sum(values))


@given(first=shares, weights=st.lists(shares, min_size=4, max_size=4))
def test_post_materialism_is_the_mean_over_all_ordered_pairs(first, weights):
    given_first = {aim: np.delete(weights[aim - 1], aim - 1) for aim in AIMS}
    after = {aim: each / each.sum() for aim, each in given_first.items()}
    answers = {each.id: np.full(len(each.options), 1 / len(each.options)) for each in map_questions()}
    answers |= {FIRST: first} | {second_aim(aim): after[aim] for aim in AIMS}
    mean = 0.0
    for one, two in permutations(AIMS, 2):
        place = [aim for aim in AIMS if aim != one].index(two)
        mean += first[one - 1] * after[one][place] * post_materialism(one, two)
    assert map_means(answers)["Y002"] == pytest.approx(mean)


def test_a_question_without_a_valid_answer_leaves_the_country_without_a_point(folder):
    def declines(question: Choice) -> ChoiceAnswer:
        if question.id.endswith("/PE") and "/G006/" in question.id:
            return ChoiceAnswer((), refused=1.0)
        return answer(question)

    found = told(Scripted(declines), plan_of(folder, "persona+country"))
    system = found["systems"]["persona+country"]
    assert system["metrics"]["map_distance"]["rows"] == 1
    assert system["metrics"]["map_distance"]["mean"] == pytest.approx(3)
    assert list(found["detail"]["map"]["model"]["persona+country"]) == ["JP"]
    assert system["figures"]["no_answer"]["value"] == pytest.approx(1 / len(map_questions()) / 2)


def test_a_model_that_always_declines_has_no_score(folder):
    found = told(Scripted(lambda question: ChoiceAnswer((), refused=1.0)), plan_of(folder))
    for name in ("neutral", "persona+country"):
        assert found["systems"][name]["metrics"]["map_distance"]["mean"] is None
        assert found["systems"][name]["figures"]["refused"]["value"] == 1
        assert "distinctness" not in found["systems"][name]["figures"]


def test_items_bound_the_countries_and_spread_them_over_the_map(folder):
    found = told(Scripted(answer), plan_of(folder, cultures=None, items=2))
    assert len(found["cultures"]) == 2
    # PE and CL lie on different sides of the centre on x and y, JP with CL left of it on x only
    assert found["asked"]["countries_at_hand"] == 3
    assert told(Scripted(answer), plan_of(folder, cultures=None, items=2))["cultures"] == found["cultures"]


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("E24", {"cultures": ("JP", "EG")}),
        ("E25", {"cultures": ("JP",)}),
        ("E25", {"items": 1}),
    ],
)
def test_what_cannot_be_judged_is_said(folder, code, changes):
    with pytest.raises(CalmError) as caught:
        told(Scripted(answer), plan_of(folder, **changes))
    assert caught.value.code == code


def test_other_languages_are_left_out_and_named(folder):
    found = told(Scripted(answer), plan_of(folder, "neutral", "persona+country@es"))
    assert list(found["systems"]) == ["neutral", "centroid"]
    assert found["asked"]["conditions_left_out"] == ["persona+country@es"]
    with pytest.raises(CalmError) as caught:
        told(Scripted(answer), plan_of(folder, "persona+country@es"))
    assert caught.value.code == "E26"


def test_without_the_folder_the_user_is_told_where_to_get_it(tmp_path, monkeypatch):
    with pytest.raises(CalmError, match="Tapestry") as caught:
        told(Scripted(answer), plan_of(tmp_path / "empty"))
    assert caught.value.code == "E23"
    monkeypatch.delenv("CALM_DATA", raising=False)
    with pytest.raises(CalmError) as caught:
        told(Scripted(answer), plan_of(None))
    assert caught.value.code == "E22"


def test_an_interval_over_places_is_that_of_a_mean():
    values = np.random.default_rng(3).normal(2, 1, 150)
    places = [f"x-place-{at:03}" for at in range(len(values))]
    table = Table(places, places, replicates=2000)
    low, high = table.score(METRICS[0], values)["interval"]
    error = values.std() / math.sqrt(len(values))
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.06)
    gap = table.compare(METRICS[0], values, np.zeros(150))
    assert gap["interval"] == pytest.approx([low, high])
    assert gap["difference"] == pytest.approx(values.mean())


def test_one_answer_for_all_countries_is_not_called_certain(folder):
    def unsure(question: Choice) -> ChoiceAnswer:
        return replace(uniform(question), mass=0.2 if question.id.split("/")[1] == "F063" else 0.9)

    mass = told(Scripted(unsure), plan_of(folder))["systems"]["neutral"]["figures"]["answer_mass"]
    low, high = mass["interval"]
    assert low < mass["value"] < high  # items differ, though countries cannot


def test_the_real_folder_has_a_point_for_every_country_of_the_task(data_dir):
    plan = Plan(Wanted(load_task("cultural-map"), None, 1), parse_conditions(["neutral"]), data_dir, replicates=50)
    found = told(Scripted(uniform), plan)
    assert len(found["cultures"]) == 12
    assert found["asked"]["countries_at_hand"] == 107
    # even shares are nobody's answers: the point is far from the centre, and worked out from the published parameters
    means = {"A008": 2.5, "A165": 1.5, "E018": 2, "E025": 2, "F063": 5.5, "F118": 5.5, "F120": 5.5, "G006": 2.5,
             "Y002": 2, "Y003": 0}  # fmt: skip
    published = json.loads((data_dir / "iw-cultural-map" / "iw_projection_final.json").read_text())
    z = [(means[item.upper()] - c) / s for item, c, s in zip(*(published[k] for k in ("items", "center", "scale")),
         strict=True)]  # fmt: skip
    s = np.asarray(z) @ np.asarray(published["weights"])
    point = [published["rc1"][0] * s[0] + published["rc1"][1], published["rc2"][0] * s[1] + published["rc2"][1]]
    assert found["detail"]["map"]["model"]["neutral"]["everyone"] == pytest.approx(point)


@pytest.mark.lm
def test_a_real_model_gets_a_point_within_reach_of_the_scales(folder):
    from calm_lm.evaluation.asking.subject import LocalSubject
    from calm_lm.lm.hf import HuggingFaceLM

    subject = LocalSubject(HuggingFaceLM.load("embedded", local_files_only=True))
    plan = plan_of(folder, "neutral", presentations=1)
    found = run(Asker(subject, None, silent), plan).to_json()
    x, y = found["detail"]["map"]["model"]["neutral"]["everyone"]
    assert -4 < x < 8  # A008 and Y002 at their ends, all open ends excluded: no answer has a share of 1
    assert -138 < y < 152
    assert found["systems"]["neutral"]["metrics"]["map_distance"]["rows"] == 2
    assert 0 < found["systems"]["neutral"]["figures"]["answer_mass"]["value"] <= 1
