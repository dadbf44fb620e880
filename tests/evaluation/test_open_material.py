"""Authored texts: what is packaged is whole, and a file of one's own is refused by file and field."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted import Scripted, silent

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.kinds import anchoring, capability, gap, generation
from calm_lm.evaluation.kinds.material import load_material
from calm_lm.evaluation.kinds.registry import kind_of
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Task, Wanted, load_task

MODELS = {
    "neutral-text": capability.Paragraphs,
    "everyday-generation": generation.Topics,
    "own-words": anchoring.Situations,
    "words-and-answers": gap.Topics,
}
OPEN = [*MODELS, "blend-short", "care", "value-sheets", "simulated-learner"]


def with_material(name: str, material: object, **changes: object) -> Task:
    return load_task(name).model_copy(update={"settings": {"material": material}, **changes})


@pytest.mark.parametrize("name", OPEN)
def test_every_open_task_has_a_kind_that_runs_it(name: str):
    assert callable(kind_of(load_task(name).kind))


@pytest.mark.parametrize("name", MODELS)
def test_packaged_material_is_whole(name: str):
    assert load_material(load_task(name), MODELS[name])


@pytest.mark.parametrize("name", MODELS)
def test_a_file_of_ones_own_that_holds_something_else_is_named(name: str, tmp_path: Path):
    path = tmp_path / "mine.yaml"
    for text in ("", "- 1", "texts: []\ntopics: []\nsituations: []", "other: 1", "a: [", "\x00"):
        path.write_text(text)
        with pytest.raises(CalmError, match=r"E77.*mine\.yaml"):
            load_material(with_material(name, str(path)), MODELS[name])
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(CalmError, match="E77"):
        load_material(with_material(name, str(path)), MODELS[name])


@pytest.mark.parametrize("material", [None, 3, "no-such-file", "/nowhere/mine.yaml", "../suites"])
def test_a_missing_file_is_named(material: object):
    with pytest.raises(CalmError, match="E76"):
        load_material(with_material("neutral-text", material), capability.Paragraphs)


def test_an_id_that_stands_twice_and_an_unknown_field_are_refused(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text("topics: [{id: a, text: one}, {id: a, text: two}]")
    with pytest.raises(CalmError, match="the id a stands twice"):
        load_material(with_material("everyday-generation", str(path)), generation.Topics)
    path.write_text("topics: [{id: a, text: one, txet: two}]")
    with pytest.raises(CalmError, match=r"topics\.0\.txet"):
        load_material(with_material("everyday-generation", str(path)), generation.Topics)


@pytest.mark.parametrize("name", ["everyday-generation", "words-and-answers"])
def test_open_tasks_say_what_they_cannot_be_asked(name: str):
    asker = Asker(Scripted(), None, silent)
    run = kind_of(load_task(name).kind)
    with pytest.raises(CalmError, match="E78"):
        run(asker, Plan(Wanted(load_task(name)), parse_conditions(["neutral@ar", "neutral!reasoning"])))
    one = load_task(name).model_copy(update={"cultures": ("JP",)})
    with pytest.raises(CalmError, match="E79"):
        run(asker, Plan(Wanted(one), parse_conditions(["neutral"])))
