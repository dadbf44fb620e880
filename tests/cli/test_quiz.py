"""`calm quiz`: from items to forms, and from two tables of answers to a gain."""

from __future__ import annotations

import csv
import json

import pytest

from calm_lm.evaluation.kinds.quiz_kit import LETTERS, QuizItem, build_kit, write_kit


@pytest.fixture
def kit(tmp_path):
    """A kit of invented items: four a form, two places."""
    items = [
        QuizItem(f"q{i}", ("EG", "SG")[i % 2], "food", f"Question {i}?", ("a", "b", "c", "d"), i % 4) for i in range(24)
    ]
    folder = tmp_path / "quiz"
    write_kit(build_kit(items, 4), folder, source="invented", licence="CC0-1.0")
    return folder


def table(kit, path, people, form, right):
    """Answers of people to one form, each with so many right."""
    key = json.loads((kit / "key.json").read_text())["forms"][form]
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["person", "form", "item", "answer"])
        for person in people:
            for number, item in enumerate(key, start=1):
                wrong = (item["answer"] + 1) % 4
                writer.writerow([person, form, number, LETTERS[item["answer"] if number <= right else wrong]])
    return path


def test_a_gain_is_counted_person_by_person(calm, kit, tmp_path, capsys):
    before = table(kit, tmp_path / "before.csv", ["p1", "p2", "p3"], "1", 1)
    after = table(kit, tmp_path / "after.csv", ["p1", "p2", "p4"], "2", 3)
    assert calm("quiz", "score", kit, before, after, "--json", tmp_path / "gain.json") == 0
    found = json.loads((tmp_path / "gain.json").read_text())
    assert (found["people"], found["before"], found["after"], found["gain"]) == (2, 0.25, 0.75, 0.5)
    assert found["took_only_one_form"] == 2
    assert "+0.500" in capsys.readouterr().out


def test_the_same_form_twice_is_no_gain(calm, kit, tmp_path, capsys):
    before = table(kit, tmp_path / "before.csv", ["p1", "p2"], "1", 1)
    after = table(kit, tmp_path / "after.csv", ["p1", "p2"], "1", 3)
    assert calm("quiz", "score", kit, before, after) == 2
    assert "[R16]" in capsys.readouterr().err


def test_power_grows_with_people(calm, capsys):
    assert calm("quiz", "power") == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "0.05 " in line or "0.10 " in line]
    assert rows


def test_a_quiz_from_real_answers(calm, data_dir, tmp_path, capsys):
    folder = tmp_path / "quiz"
    assert calm("quiz", "make", folder, "--items", "6", "--data-dir", data_dir) == 0
    assert {"instructions.md", "form-1.md", "form-2.md", "teaching.md", "key.json"} <= {
        p.name for p in folder.iterdir()
    }
    assert calm("quiz", "make", folder, "--data-dir", data_dir) == 2
    assert "[R14]" in capsys.readouterr().err
    assert calm("quiz", "make", tmp_path / "other", "--places", "XX", "--data-dir", data_dir) == 2
    assert "[R15]" in capsys.readouterr().err
