"""The search for training rows: tasks hand their questions over, and a planted one is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripted import Scripted, silent, uniform

from calm_lm.data.example import Dataset, Example
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.kinds.registry import kind_of
from calm_lm.evaluation.leaks import find_leaks
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task

BUNDLED = ("everyday-generation", "neutral-text", "own-words", "toy-survey")
NEED_DATA = ("blend-short", "simulated-learner", "value-sheets")


def result_of(name: str, data_dir=None):
    task = load_task(name)
    subject = Scripted(
        uniform, write=lambda asked: ["Tea with milk."] * asked.samples, likelihood=lambda _: -9.0, languages=()
    )
    plan = Plan(Wanted(task, items=3, samples=2), parse_conditions(["neutral"]), data_dir, replicates=10)
    return kind_of(task.kind)(Asker(subject, None, silent), plan)


def training_on(text: str) -> Dataset:
    rows = (Example(text, "1", "1", 0, source="own"), Example("Nothing that anybody asks about.", "2", "2", 1))
    return Dataset(name="own", labels=("no", "yes"), positive=1, splits={"train": rows}, contrast="reader")


@pytest.mark.parametrize("name", BUNDLED)
def test_a_question_that_was_trained_on_is_found(name):
    result = result_of(name)
    asked, text = result.texts[0]
    found = find_leaks(training_on(text.upper()), {name: result})["tasks"][name]
    assert found == {"questions": len(result.texts), "exact": 1, "near": 0, "ids": [f"{name}/{asked}"]}
    clean = find_leaks(training_on("An answer to nothing."), {name: result})["tasks"][name]
    assert (clean["exact"], clean["near"]) == (0, 0)


@pytest.mark.parametrize("name", NEED_DATA)
def test_tasks_on_real_data_hand_their_questions_over(name, data_dir):
    result = result_of(name, data_dir)
    assert result.texts
    assert all(asked and text.strip() for asked, text in result.texts)


def test_ids_of_offensive_rows_leave_as_checksums_that_still_match():
    result = result_of("toy-survey")
    plain = result.rows()["questions"]
    masked = replace(result, task=result.task.model_copy(update={"offensive": True})).rows()["questions"]
    assert plain == result.table.questions
    assert not set(masked) & set(plain)
    assert [masked.index(each) for each in masked] == [plain.index(each) for each in plain]
