"""Two reports row by row: differences worked out by hand, rows without a partner, and what must not be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calm_lm.errors import CalmError
from calm_lm.evaluation.against import compare_reports

TASK = {"name": "toy", "title": "A toy", "metric": "distance", "kind": "survey", "licence": "none"}
QUESTIONS = ["q1", "q1", "q2", "q2", "q3", "q3"]
CULTURES = ["EG", "FR"] * 3
FIRST = [0.1, 0.3, 0.2, 0.4, 0.3, 0.5]
SECOND = [0.3, 0.3, 0.3, 0.5, 0.4, 0.9]


def task_json(values: dict[str, list[Any]], *, questions: list[str] = QUESTIONS, cultures: list[str] = CULTURES,
              declared: dict[str, Any] = TASK, seed: int = 0) -> dict[str, Any]:  # fmt: skip
    score = {"title": "Distance", "higher_is_better": False}
    return {
        "task": declared,
        "asked": {"seed": seed},
        "systems": {
            name: {
                "title": name.upper(), "role": "baseline" if name == "uniform" else "model",
                "metrics": {"distance": score},
            }
            for name in values
        },
        "row_scores": {"questions": questions, "cultures": cultures, "systems": values},
    }  # fmt: skip


def write(folder: Path, *tasks: dict[str, Any], schema: str = "calm-report/1") -> Path:
    (folder / "tasks").mkdir(parents=True)
    names = [each["task"]["name"] for each in tasks]
    for name, each in zip(names, tasks, strict=True):
        (folder / "tasks" / f"{name}.json").write_text(json.dumps(each))
    report = {
        "schema": schema, "subject": {"title": folder.name, "fingerprint": "f" * 64}, "made_on": "2026-01-01",
        "manifest": {"seed": 0}, "tasks": {name: {} for name in names},
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def test_differences_are_those_worked_out_by_hand(tmp_path: Path) -> None:
    """Over EG -0.2, -0.1, -0.1 and over FR 0, -0.1, -0.4: means -0.4/3 and -0.5/3, and their mean -0.15."""
    first = write(tmp_path / "first", task_json({"neutral": FIRST, "uniform": FIRST}))
    second = write(tmp_path / "second", task_json({"neutral": SECOND, "uniform": SECOND}))
    found = compare_reports(first, second)
    task = found["tasks"]["toy"]
    assert list(task["conditions"]) == ["neutral"]  # a baseline is the same for both models
    gap = task["conditions"]["neutral"]
    assert gap["difference"] == pytest.approx(-0.15)
    assert (gap["first"], gap["second"]) == (pytest.approx(0.3), pytest.approx(0.45))
    assert (gap["rows"], gap["title"], gap["higher_is_better"]) == (6, "NEUTRAL", False)
    # differences -0.2, 0, -0.1, -0.1, -0.1, -0.4: mean -0.15, squares around it 0.095, over 5 a variance of 0.019
    assert gap["effect_dz"] == pytest.approx(-0.15 / 0.019**0.5)
    assert (gap["interval"], gap["p"], gap["p_holm"]) == (None, 1.0, 1.0)  # three questions are too few
    assert (task["rows_matched"], task["only_in_first"], task["only_in_second"]) == (6, 0, 0)
    assert (found["first"]["title"], found["second"]["title"]) == ("first", "second")


def test_turning_the_two_turns_the_sign(tmp_path: Path) -> None:
    many = {"questions": [f"q{i}" for i in range(6)], "cultures": ["EG"] * 6}
    a = write(tmp_path / "a", task_json({"neutral": FIRST}, **many))
    b = write(tmp_path / "b", task_json({"neutral": SECOND}, **many))
    there, back = (compare_reports(*pair)["tasks"]["toy"]["conditions"]["neutral"] for pair in ((a, b), (b, a)))
    assert there["difference"] == -back["difference"]
    assert there["interval"] == pytest.approx([-end for end in reversed(back["interval"])])
    assert -0.4 <= there["interval"][0] < there["difference"] < there["interval"][1] <= 0  # the range of differences


def test_rows_are_matched_by_question_and_culture_in_any_order(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", task_json({"neutral": FIRST}))
    part = write(tmp_path / "part", task_json(
        {"neutral": [0.9, 0.5, 0.1]}, questions=["q3", "q9", "q1"], cultures=["FR", "FR", "EG"]
    ))  # fmt: skip
    task = compare_reports(whole, part)["tasks"]["toy"]
    assert (task["rows_matched"], task["only_in_first"], task["only_in_second"]) == (2, 4, 1)
    assert task["conditions"]["neutral"]["difference"] == pytest.approx((0.0 - 0.4) / 2)


def test_a_row_without_a_score_in_one_of_them_is_used_in_neither(tmp_path: Path) -> None:
    a = write(tmp_path / "a", task_json({"neutral": [None, *FIRST[1:]]}))
    b = write(tmp_path / "b", task_json({"neutral": [*SECOND[:5], None]}))
    gap = compare_reports(a, b)["tasks"]["toy"]["conditions"]["neutral"]
    assert gap["rows"] == 4
    assert gap["difference"] == pytest.approx((-0.1 - 0.05) / 2)  # EG -0.1, -0.1; FR 0, -0.1


def test_repeated_rows_are_matched_in_order_or_not_at_all(tmp_path: Path) -> None:
    same = {"questions": ["q1", "q1", "q2"], "cultures": ["EG"] * 3}
    a = write(tmp_path / "a", task_json({"neutral": [0.1, 0.5, 0.3]}, **same))
    b = write(tmp_path / "b", task_json({"neutral": [0.2, 0.6, 0.3]}, **same))
    c = write(tmp_path / "c", task_json({"neutral": [0.2, 0.3]}, questions=["q1", "q2"], cultures=["EG"] * 2))
    assert compare_reports(a, b)["tasks"]["toy"]["conditions"]["neutral"]["difference"] == pytest.approx(-0.2 / 3)
    task = compare_reports(a, c)["tasks"]["toy"]
    assert (task["rows_matched"], task["only_in_first"], task["only_in_second"]) == (1, 2, 1)


def test_p_is_corrected_over_all_tasks_and_what_only_one_has_is_named(tmp_path: Path) -> None:
    other = TASK | {"name": "other", "title": "Another"}
    lone = TASK | {"name": "lone"}
    both = {"neutral": FIRST, "persona": FIRST}
    a = write(tmp_path / "a", task_json(both), task_json(both, declared=other), task_json(both, declared=lone))
    b = write(
        tmp_path / "b",
        task_json({"neutral": SECOND}),
        task_json({"neutral": SECOND, "persona": FIRST}, declared=other),
    )
    found = compare_reports(a, b)
    gaps = [gap for task in found["tasks"].values() for gap in task["conditions"].values()]
    assert len(gaps) == 3
    assert gaps[2]["difference"] == 0
    assert gaps[2]["p_holm"] == 1.0
    assert gaps[0]["p_holm"] == pytest.approx(min(1, 3 * gaps[0]["p"]))
    assert found["not_compared"] == {
        "toy, persona": "only the first report has this condition",
        "lone": "only the first report has this task",
    }


def refused(first: Path, second: Path) -> CalmError:
    with pytest.raises(CalmError) as caught:
        compare_reports(first, second)
    return caught.value


def test_what_cannot_be_compared_is_refused_by_name(tmp_path: Path) -> None:
    base = write(tmp_path / "base", task_json({"neutral": FIRST}))
    assert refused(base, tmp_path / "nowhere").code == "E02"
    newer = write(tmp_path / "newer", task_json({"neutral": FIRST}), schema="calm-report/9")
    assert (refused(base, newer).code, refused(base, newer).field) == ("E03", "schema")
    declared = TASK | {"licence": "MIT", "kind": "labels"}
    changed = refused(base, write(tmp_path / "changed", task_json({"neutral": FIRST}, declared=declared)))
    assert (changed.code, changed.field) == ("E04", "kind, licence")
    moved = task_json({"neutral": FIRST}, questions=[f"x{each}" for each in QUESTIONS], seed=7)
    unlike = refused(base, write(tmp_path / "unlike", moved))
    assert unlike.code == "E05"
    assert "seeds 0 and 7, 6 and 6 rows" in unlike.problem
    assert refused(base, write(tmp_path / "persona", task_json({"persona": FIRST}))).code == "E07"


@pytest.mark.parametrize(
    "damage",
    [
        lambda found: found.pop("row_scores"),
        lambda found: found["row_scores"]["questions"].pop(),
        lambda found: found["row_scores"]["systems"]["neutral"].pop(),
        lambda found: found["row_scores"]["systems"].update(neutral=["high"] * 6),
        lambda found: found.update(row_scores=[]),
        lambda found: found.update(task={}),
        lambda found: found["systems"].pop("neutral"),
    ],
)
def test_damaged_rows_are_named(damage: Any, tmp_path: Path) -> None:
    base = write(tmp_path / "base", task_json({"neutral": FIRST}))
    broken = json.loads(json.dumps(task_json({"neutral": FIRST})))
    damage(broken)
    other = write(tmp_path / "other", task_json({"neutral": FIRST}))
    (other / "tasks" / "toy.json").write_text(json.dumps(broken))
    found = refused(base, other)
    assert (found.code, found.file) == ("E06", str(other / "tasks" / "toy.json"))
