"""The context ladder: what each rung tells, what it brings, and leaning towards yes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scripted import Scripted, silent, uniform

from calm_lm.data.benchmarks.normad import LABELS
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer
from calm_lm.evaluation.kinds.ladder import run
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task

STORIES = [("japan", "yes"), ("japan", "no"), ("chile", "neutral"), ("chile", "yes"), ("peru", "no"), ("peru", "no")]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "normad/normad.csv"
    path.parent.mkdir()
    lines = [f"{at},{place},value {at},rule {at},story {at},{label}" for at, (place, label) in enumerate(STORIES)]
    path.write_text("\n".join(["ID,Country,Value,Rule-of-Thumb,Story,Gold Label", *lines]) + "\n")
    return tmp_path


def told(subject, folder, conditions=("neutral",)) -> dict:
    plan = Plan(Wanted(load_task("normad")), parse_conditions(conditions), folder, replicates=100)
    found = run(Asker(subject, None, silent), plan).to_json()
    json.dumps(found, allow_nan=False)
    return found


def sure_of(label: str) -> ChoiceAnswer:
    return ChoiceAnswer(tuple(np.eye(3)[LABELS.index(label)]))


def test_each_rung_tells_more_and_the_first_tells_nothing(folder):
    subject = Scripted(uniform)
    told(subject, folder)
    first = {asked.id.split("/")[3]: asked.prompt.user for asked in subject.asked if asked.id.startswith("normad/0/")}
    assert {rung: ("Japan" in text, "value 0" in text, "rule 0" in text) for rung, text in first.items()} == {
        "none": (False, False, False),
        "country": (True, False, False),
        "value": (True, True, False),
        "rule": (True, False, True),
    }
    assert all("story 0" in text for text in first.values())
    assert all("Neither" in text for text in first.values())


def test_who_needs_the_rule_gains_on_the_last_rung(folder):
    def answer(asked: Choice) -> ChoiceAnswer:
        story = int(asked.id.split("/")[1])
        return sure_of(STORIES[story][1] if "rule" in asked.id else "yes")

    systems = told(Scripted(answer), folder)["systems"]
    accuracy = {name: each["metrics"]["accuracy"]["mean"] for name, each in systems.items()}
    yes_everywhere = (1 / 2 + 1 / 2 + 0) / 3  # mean over Japan, Chile and Peru
    assert accuracy["neutral/none"] == pytest.approx(yes_everywhere)
    assert accuracy["neutral/rule"] == 1
    assert systems["neutral/rule"]["figures"]["gain"]["value"] == pytest.approx(1 - yes_everywhere)
    assert systems["neutral/country"]["figures"]["gain"]["value"] == 0
    assert "gain" not in systems["neutral/none"]["figures"]
    assert systems["neutral/none"]["figures"]["affirm_negate"]["value"] == 1
    assert systems["neutral/rule"]["figures"]["affirm_negate"]["value"] == 0


def test_chance_and_the_commonest_label_stand_beside(folder):
    systems = told(Scripted(uniform), folder)["systems"]
    assert systems["chance"]["metrics"]["accuracy"]["mean"] == pytest.approx(1 / 3)
    assert systems["neutral/none"]["metrics"]["accuracy"]["mean"] == pytest.approx(1 / 3)
    assert systems["majority"]["metrics"]["accuracy"]["by_culture"]["PE"]["value"] == 1  # "no" is commonest


def test_conditions_that_name_the_place_would_spoil_the_ladder(folder):
    found = told(Scripted(uniform), folder, ("neutral", "persona+country"))
    assert list(found["asked"]["conditions_left_out"]) == ["persona+country"]
    with pytest.raises(CalmError, match="E60"):
        told(Scripted(uniform), folder, ("persona+country",))
    task = load_task("normad").model_copy(update={"cultures": ("FR",)})
    with pytest.raises(CalmError, match="E65"):
        run(Asker(Scripted(uniform), None, silent), Plan(Wanted(task), parse_conditions(["neutral"]), folder))


@pytest.mark.lm
def test_a_real_model_climbs(folder):
    from calm_lm.evaluation.asking.subject import LocalSubject
    from calm_lm.lm.hf import HuggingFaceLM

    subject = LocalSubject(HuggingFaceLM.load("embedded", local_files_only=True))
    wanted = Wanted(load_task("normad"), items=1, presentations=1)
    plan = Plan(wanted, parse_conditions(["neutral"]), folder, replicates=20)
    found = run(Asker(subject, None, silent), plan).to_json()
    for rung in ("none", "country", "value", "rule"):
        assert 0 < found["systems"][f"neutral/{rung}"]["metrics"]["right_probability"]["mean"] < 1
