"""Multiple choice and KoBBQ's bias scores, on invented questions answered by planted subjects."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from scripted import Scripted, silent, uniform

from calm_lm.data.benchmarks.rows import ChoiceQuestion
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.pool import Pooled
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer
from calm_lm.evaluation.kinds.choice import run
from calm_lm.evaluation.kinds.closed import picked
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task

BOTH = parse_conditions(["neutral", "persona+country"])
UNKNOWN = "알 수 없음"
TEMPLATES = 3
COLUMNS = "ID,target_country,target_region,prompt,region_choices_list,region_choice_countries_list,region_answer"
PLACES = ("UK", "Mexico", "China", "Assam")
LEVELS = {"UK": "high", "Mexico": "high", "China": "mid", "Assam": "low"}


@pytest.fixture
def folder(tmp_path):
    """Each of three questions asked of four places; option i is the answer of place i, the last is the longest."""
    lines = [COLUMNS]
    for question in range(3):
        options = "['" + "', '".join(f"{'x' * (at + 1)}{question}" for at in range(4)) + "']"
        owners = "['" + "', '".join(PLACES) + "']"
        for at, place in enumerate(PLACES):
            lines.append(f'Q-{question},{place},{LEVELS[place]},What in {place}?,"{options}","{owners}",{at}')
    path = tmp_path / "culturescope-blend-mcq/blend_resource/blend_resource_based.csv"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    kobbq = tmp_path / "kobbq/KoBBQ_test_samples.tsv"
    kobbq.parent.mkdir()
    header = "sample_id\tlabel_annotation\tcontext\tquestion\tchoices\tbiased_answer\tanswer\tprediction"
    rows = []
    for template in range(TEMPLATES):
        for version, context in itertools.product("ab", ("amb", "dis")):
            name = f"age-{template:03}{version}-001-{context}-bsd"
            answer = UNKNOWN if context == "amb" else "나" if version == "a" else "가"
            rows.append(f"{name}\tST\t맥락 {name}\t누구?\t['가', '나', '{UNKNOWN}']\t가\t{answer}\t")
    kobbq.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return tmp_path


def told(subject, folder, task="blend-choice", conditions=BOTH, items=None) -> dict:
    plan = Plan(Wanted(load_task(task), items), conditions, folder, replicates=100)
    found = run(Asker(subject, None, silent), plan).to_json()
    json.dumps(found, allow_nan=False)
    return found


def knows_mexico(asked: Choice) -> ChoiceAnswer:
    """Right about Mexico (rows 3, 7, 11), else surely the first option."""
    row = int(asked.id.split("/")[1])
    return ChoiceAnswer(tuple(np.eye(4)[1 if row % 4 == 3 else 0] * 0.8 + 0.05))


def test_accuracy_by_place_and_by_resource_level(folder):
    systems = told(Scripted(knows_mexico), folder)["systems"]
    accuracy = systems["neutral"]["metrics"]["accuracy"]
    assert {name: each["value"] for name, each in accuracy["by_culture"].items()} == {
        "GB": 1, "MX": 1, "CN": 0, "x-assam": 0,
    }  # fmt: skip
    assert accuracy["mean"] == 0.5
    assert accuracy["worst"] == 0
    assert systems["neutral"]["metrics"]["right_probability"]["mean"] == pytest.approx((0.85 * 2 + 0.05 * 2) / 4)
    figures = systems["neutral"]["figures"]
    assert [figures[f"accuracy_{level}"]["value"] for level in ("high", "mid", "low")] == [1, 0, 0]
    assert figures["inequity"]["value"] == pytest.approx(0.5)


def test_shortcuts_and_chance_stand_beside(folder):
    systems = told(Scripted(uniform), folder)["systems"]
    for name in ("chance", "neutral"):  # seeing no difference is chance, not the first option
        assert systems[name]["metrics"]["accuracy"]["mean"] == pytest.approx(0.25)
    assert systems["longest"]["metrics"]["accuracy"]["by_culture"]["x-assam"]["value"] == 1
    assert systems["longest"]["metrics"]["accuracy"]["mean"] == pytest.approx(0.25)
    assert systems["majority-letter"]["metrics"]["accuracy"]["mean"] == pytest.approx(0.25)


def test_only_the_named_places_are_asked_about(folder):
    subject = Scripted(uniform)
    task = load_task("blend-choice").model_copy(update={"cultures": ("MX",)})
    found = run(Asker(subject, None, silent), Plan(Wanted(task), BOTH, folder, replicates=50)).to_json()
    assert found["cultures"] == ["MX"]
    nowhere = Plan(Wanted(task.model_copy(update={"cultures": ("FR",)})), BOTH, folder)
    with pytest.raises(CalmError, match="E63"):
        run(Asker(subject, None, silent), nowhere)


def test_a_condition_in_another_language_is_left_out(folder):
    found = told(Scripted(uniform), folder, conditions=parse_conditions(["neutral", "neutral@ar"]))
    assert list(found["asked"]["conditions_left_out"]) == ["neutral@ar"]
    with pytest.raises(CalmError, match="E60"):
        told(Scripted(uniform), folder, conditions=parse_conditions(["neutral@ar"]))


def bias_of(folder, answer) -> dict[str, float]:
    found = told(Scripted(answer), folder, task="kobbq", conditions=parse_conditions(["neutral"]))
    figures = found["systems"]["neutral"]["figures"]
    names = ("accuracy_ambiguous", "accuracy_disambiguated", "diff_bias_ambiguous", "diff_bias_disambiguated")
    return {name: figures[name]["value"] for name in names}


def sure_of(option: int) -> ChoiceAnswer:
    return ChoiceAnswer(tuple(np.eye(3)[option]))


def test_always_answering_the_stereotype_is_all_bias(folder):
    assert bias_of(folder, lambda asked: sure_of(0)) == {
        "accuracy_ambiguous": 0, "accuracy_disambiguated": 0.5, "diff_bias_ambiguous": 1, "diff_bias_disambiguated": 1,
    }  # fmt: skip


def test_always_answering_against_it_is_bias_the_other_way(folder):
    found = bias_of(folder, lambda asked: sure_of(1))
    assert (found["diff_bias_ambiguous"], found["diff_bias_disambiguated"]) == (-1, -1)


def test_being_right_and_never_knowing_are_without_bias(folder):
    def right(asked: Choice) -> ChoiceAnswer:
        ambiguous, counter = "-amb-" in asked.id, "a-001-dis" in asked.id
        return sure_of(2 if ambiguous else 1 if counter else 0)

    assert bias_of(folder, right) == {
        "accuracy_ambiguous": 1, "accuracy_disambiguated": 1, "diff_bias_ambiguous": 0, "diff_bias_disambiguated": 0,
    }  # fmt: skip
    assert bias_of(folder, lambda asked: sure_of(2))["accuracy_disambiguated"] == 0


def test_whole_templates_are_sampled(folder):
    found = told(Scripted(uniform), folder, task="kobbq", items=2)
    assert found["asked"]["items"] == 2 * 4


def test_ties_and_refusals_in_picking():
    answers = [Pooled(np.array([0.4, 0.4, 0.2])), Pooled(None), Pooled(np.array([0.2, 0.3, 0.5]))]
    hits, chances = picked(answers, [1, 0, 0])
    assert hits.tolist() == [0.5, 0, 0]
    assert chances.tolist() == [0.4, 0, 0.2]


def test_a_question_knows_its_tags():
    row = ChoiceQuestion("1", "g", "t", ("a", "b"), 0, "KR", tags=(("context", "ambiguous"),))
    assert (row.tag("context"), row.tag("other")) == ("ambiguous", None)


@pytest.mark.lm
def test_a_real_model_answers_two_questions(folder):
    from calm_lm.evaluation.asking.subject import LocalSubject
    from calm_lm.lm.hf import HuggingFaceLM

    subject = LocalSubject(HuggingFaceLM.load("embedded", local_files_only=True))
    system = told(subject, folder, items=2, conditions=BOTH[1:])["systems"]["persona+country"]
    assert 0 < system["metrics"]["right_probability"]["mean"] < 1
    assert 0 <= system["figures"]["steadiness"]["value"] <= 1
