"""Anchoring: subjects that follow the user, the label, the place of an option, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted import Scripted, silent, uniform

from calm_lm.culture.ids import place_phrase
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer
from calm_lm.evaluation.kinds.anchoring import OPTIONS, Situations, rotations, run
from calm_lm.evaluation.kinds.material import load_material
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task

SITUATIONS = {each.id: each for each in load_material(load_task("own-words"), Situations).situations}


def told_by(choose, items: int | None = None, conditions=("neutral", "persona+country")) -> dict:
    plan = Plan(Wanted(load_task("own-words"), items), parse_conditions(conditions), replicates=100)
    return run(Asker(Scripted(choose), None, silent), plan).to_json()


def means(told: dict, system: str) -> dict[str, float]:
    return {name: score["mean"] for name, score in told["systems"][system]["metrics"].items()}


def only(option: int) -> ChoiceAnswer:
    return ChoiceAnswer(tuple(float(at == option) for at in range(OPTIONS)), mass=1.0)


def test_a_listener_scores_best_and_a_labeller_worst():
    def listen(asked: Choice) -> ChoiceAnswer:
        situation = SITUATIONS[asked.id.split("/")[1]]
        return only(situation.other if situation.changed in asked.prompt.user else situation.answer)

    def label(asked: Choice) -> ChoiceAnswer:
        situation = SITUATIONS[asked.id.split("/")[1]]
        named = f"I live {place_phrase(situation.label)}." in asked.prompt.user
        return only(situation.pull) if named else listen(asked)

    best, worst = means(told_by(listen), "neutral"), means(told_by(label), "neutral")
    assert best == {"under_label": 1, "follows_context": 1, "follows_label": 0, "label_shift": 0, "switches": 1,
                    "stability": 1}  # fmt: skip
    assert worst == best | {"under_label": 0, "follows_label": 1, "label_shift": 1}


def test_a_taste_for_a_place_in_the_list_is_worth_exactly_chance():
    for place in range(OPTIONS):
        told = told_by(lambda asked, place=place: only(asked.order[place]))
        found = means(told, "neutral")
        assert found["under_label"] == pytest.approx(1 / 3)
        assert found["follows_context"] == pytest.approx(1 / 3)
        assert found["switches"] == 0
        assert told["systems"]["neutral"]["figures"]["steadiness"]["value"] == pytest.approx(0)
    assert means(told_by(uniform), "neutral") == pytest.approx(means(told_by(uniform), "uniform"))


def test_the_question_alone_cannot_switch_and_stability_sees_noise():
    def jumpy(asked: Choice) -> ChoiceAnswer:
        situation = SITUATIONS[asked.id.split("/")[1]]
        return only(situation.pull if situation.noise in asked.prompt.user else situation.answer)

    told = told_by(jumpy)
    assert means(told, "neutral")["stability"] == 0
    assert means(told, "no-context")["switches"] == 0


def test_only_conditions_without_a_place_are_asked():
    told = told_by(uniform, items=4)
    assert told["asked"]["conditions_left_out"] == ["persona+country"]
    assert set(told["systems"]) == {"neutral", "no-context", "uniform"}
    assert "neutral" in told_by(uniform, items=2, conditions=("persona+country",))["systems"]


def test_refusals_leave_rows_open():
    told = told_by(lambda asked: ChoiceAnswer((), refused=1.0), items=3)
    assert means(told, "neutral")["under_label"] is None


def test_every_option_stands_in_every_place_equally_often():
    for count in (1, 2, 3, 4, 9):
        shown = rotations(count)
        for style in {each.style for each in shown}:
            orders = [each.order for each in shown if each.style == style]
            assert sorted(order[0] for order in orders) == sorted(order[1] for order in orders) == [0, 1, 2]


def test_situations_contradict_their_labels_by_construction(tmp_path: Path):
    assert len(SITUATIONS) == 24
    path = tmp_path / "mine.yaml"
    situation = {
        "id": "x", "topic": "food", "question": "Which?", "options": ["a", "b", "c"], "context": "I eat a.",
        "answer": 0, "changed": "I eat b.", "other": 1, "noise": "It rains.", "label": "FR", "pull": 1,
    }  # fmt: skip
    task = load_task("own-words").model_copy(update={"settings": {"material": str(path)}})
    import yaml

    for change, code in (
        ({"pull": 0}, "E77"), ({"other": 0}, "E77"), ({"answer": 3}, "E77"), ({"options": ["a", "b"]}, "E77"),
        ({"options": ["a", "A", "c"]}, "E77"), ({"label": "Frankreich"}, "C04"), ({}, None),
    ):  # fmt: skip
        path.write_text(yaml.safe_dump({"situations": [situation | change]}))
        if code is None:
            assert load_material(task, Situations)
        else:
            with pytest.raises(CalmError, match=code):
                load_material(task, Situations)
