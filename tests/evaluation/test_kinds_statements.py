"""True or false: all-or-nothing and comparison within a question, on invented statements and planted answers."""

from __future__ import annotations

import json
import math

import pytest
from scripted import Scripted, silent

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer
from calm_lm.evaluation.kinds.statements import run
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task

HEADER = "data_idx,question_idx,prompt_question,prompt_option,answer,country"
BOTH = parse_conditions(["neutral", "neutral+country"])
COUNTRIES = ("Chile", "Hong Kong", "Peru")


@pytest.fixture
def folder(tmp_path):
    """Three questions of four statements, the third one true; statement n of question q stands in line 2 + 4q + n."""
    lines = [
        f"{at},{question},What is usual?,option {question}{at},{at == 2},{country}"
        for question, country in enumerate(COUNTRIES)
        for at in range(4)
    ]
    path = tmp_path / "culturalbench/CulturalBench-Hard.csv"
    path.parent.mkdir()
    path.write_text("\n".join([HEADER, *lines]) + "\n", "utf-8")
    return tmp_path


def told(answer, folder, items=None, conditions=BOTH) -> dict:
    plan = Plan(Wanted(load_task("culturalbench-hard"), items), conditions, folder, replicates=100)
    found = run(Asker(answer if hasattr(answer, "choose") else Scripted(answer), None, silent), plan).to_json()
    json.dumps(found, allow_nan=False)
    return found


def place_of(asked: Choice) -> tuple[int, int]:
    """Question and statement by the line in the file, which is in the id."""
    return divmod(int(asked.id.split("/")[1].partition(".")[2]) - 2, 4)


def says(true: float) -> ChoiceAnswer:
    return ChoiceAnswer((1 - true, true))


def means(found: dict, system: str = "neutral") -> dict[str, float]:
    return {name: each["mean"] for name, each in found["systems"][system]["metrics"].items()}


def test_knowing_everything_is_all_right(folder):
    found = told(lambda asked: says(0.9 if place_of(asked)[1] == 2 else 0.1), folder)
    assert means(found) == {"accuracy": 1, "preferred": 1, "all_right": 1}
    assert found["systems"]["neutral"]["figures"]["f1"]["value"] == 1


def test_one_wrong_statement_spoils_its_question_alone(folder):
    def answer(asked: Choice) -> ChoiceAnswer:
        question, statement = place_of(asked)
        return says(0.9 if statement == 2 or (question, statement) == (1, 0) else 0.1)

    found = told(answer, folder)
    assert means(found) == {
        "accuracy": pytest.approx(11 / 12),
        "preferred": pytest.approx((1 + 2.5 / 3 + 1) / 3),  # a tie with one of three false ones
        "all_right": pytest.approx(2 / 3),
    }
    by_culture = found["systems"]["neutral"]["metrics"]["all_right"]["by_culture"]
    assert {name: each["value"] for name, each in by_culture.items()} == {"CL": 1, "HK": 0, "PE": 1}
    figures = found["systems"]["neutral"]["figures"]
    assert figures["precision"]["value"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert figures["recall"]["value"] == 1


def test_leaning_one_way_is_seen_through_by_comparison(folder):
    """Everything called true, but the true one most: nothing is all right, and the comparison still finds it."""
    found = told(lambda asked: says(0.95 if place_of(asked)[1] == 2 else 0.8), folder)
    assert means(found) == {"accuracy": 0.25, "preferred": 1, "all_right": 0}


def test_chance_is_one_in_sixteen_and_all_false_is_never_all_right(folder):
    found = told(lambda asked: says(0.5), folder)
    assert means(found, "chance") == {"accuracy": 0.5, "preferred": 0.5, "all_right": 0.0625}
    assert means(found, "all-false") == {"accuracy": 0.75, "preferred": 0.5, "all_right": 0}


def test_a_refused_statement_is_not_right(folder):
    found = told(lambda asked: ChoiceAnswer((), refused=1.0), folder)
    assert means(found) == {"accuracy": 0, "preferred": None, "all_right": 0}


def test_statements_of_a_question_are_sampled_together_and_the_country_is_named(folder):
    subject = Scripted(lambda asked: says(0.4))
    found = told(subject, folder, items=2)
    assert (found["asked"]["items"], found["asked"]["statements"]) == (2, 8)
    systems = {asked.prompt.setting for asked in subject.asked}
    assert len(systems) == 3
    assert "" in systems


def test_data_that_are_not_true_or_false_are_refused(folder):
    seegull = folder / "seegull/stereotypes_global_v2.csv"
    seegull.parent.mkdir()
    votes = ",".join(f"{side}_{vote}" for side in ("region", "NA") for vote in ("stereo", "nonstereo", "unsure"))
    seegull.write_text(f"identity,attribute,{votes}\nThai,a,3,0,0,3,0,0\n")
    task = load_task("culturalbench-hard").model_copy(update={"data": "seegull"})
    with pytest.raises(CalmError, match="E64"):
        run(Asker(Scripted(), None, silent), Plan(Wanted(task), BOTH, folder))


@pytest.mark.lm
def test_a_real_model_judges_one_question(folder):
    from calm_lm.evaluation.asking.subject import LocalSubject
    from calm_lm.lm.hf import HuggingFaceLM

    subject = LocalSubject(HuggingFaceLM.load("embedded", local_files_only=True))
    found = means(told(subject, folder, items=1, conditions=BOTH[:1]))
    assert found["all_right"] in (0, 1)
    assert math.isclose(found["preferred"] * 3 % 0.5, 0, abs_tol=1e-9)  # halves of three comparisons
