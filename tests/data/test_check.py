from __future__ import annotations

import json
from pathlib import Path

import pytest

from calm_lm.culture.blend import Blend
from calm_lm.data.check import check_dataset, check_file
from calm_lm.data.example import Dataset, Example
from calm_lm.data.own import Columns

COLUMNS = Columns("text", "label", culture="country", split="part")
TABLE = """text,label,country,part
Tea at four.,yes,GB,train
Tea at four.,no,GB,train
Tea at four.,no,SG,train
TEA at  four.,yes,GB,train
Lunch is eaten at noon sharp.,yes,SG,valid
Tea at four.,yes,SG,test
Lunch is eaten at noon sharp!,no,GB,test
Shoes off.,yes,"GB=0.5,SG=0.5",test
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(TABLE)
    return path


def test_what_is_counted(table):
    findings = check_file(table, COLUMNS)
    assert (findings.name, findings.malformed, findings.problems) == ("own", 0, ())
    assert findings.splits == {
        "train": {"no": 2, "yes": 2},
        "valid": {"no": 0, "yes": 1},
        "test": {"no": 1, "yes": 2},
    }
    assert findings.balance == {
        "reader": {
            "GB": {"no": 2, "yes": 2},
            "GB=0.5,SG=0.5": {"no": 0, "yes": 1},
            "SG": {"no": 1, "yes": 2},
        }
    }
    assert findings.repeats == 2  # the second and the fourth row say again what GB said of the tea
    assert findings.contradictions == 1
    assert {(o.kind, o.first, o.second): o.rows for o in findings.leakage} == {
        ("group", "train", "test"): ("7",),
        ("exact", "train", "test"): ("7",),
        ("near", "valid", "test"): ("8",),
    }
    assert findings.licences == ("undeclared",)
    assert len(findings.warnings) == 1
    assert any("fewer than 20" in note for note in findings.notes)


def test_every_malformed_row_is_named_and_the_others_counted(table):
    lines = TABLE.splitlines()
    lines[2] = "Tea at four.,no,Atlantis,train"
    lines[4] = "too,few"
    lines[6] = '"never closed,yes,SG,test'
    lines[8] = ",yes,GB,test"
    table.write_text("\n".join(lines) + "\n")
    findings = check_file(table, COLUMNS)
    assert [(problem.code, problem.row, problem.field) for problem in findings.problems] == [
        ("C04", 3, "country"),
        ("D58", 5, "label"),
        ("D57", 7, "text"),
        ("D64", 9, "text"),
    ]
    assert findings.malformed == 4
    assert sum(sum(counts.values()) for counts in findings.splits.values()) == 4


def test_more_problems_than_are_shown_are_all_counted(table):
    table.write_text(TABLE + "x,yes,GB,never\n" * 500)
    findings = check_file(table, COLUMNS, most=7)
    assert findings.malformed == 500
    assert [problem.row for problem in findings.problems] == list(range(10, 17))


def test_votes_that_do_not_fit_are_found_beside_other_problems(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("t,l,v\na,no,1|2|3\nb,,\nc,yes,1|1\nd,no,{}\n")
    findings = check_file(path, Columns("t", "l", votes="v"))
    assert [(problem.code, problem.row) for problem in findings.problems] == [("D69", 2), ("D66", 3), ("D68", 5)]


@pytest.mark.parametrize("content", [b"", b"text,label,country,part\n", b"text,label\na,b\n", b"\xff\xfe"])
def test_a_file_that_is_no_table_is_one_problem(table, content):
    table.write_bytes(content)
    findings = check_file(table, COLUMNS)
    assert findings.malformed == len(findings.problems) == 1
    assert findings.splits == {}


def test_findings_are_plain_json(table):
    table.write_text(TABLE + "x,yes,GB,never\n")
    plain = json.loads(json.dumps(check_file(table, COLUMNS).as_json(), allow_nan=False))
    assert plain["malformed"] == 1
    assert plain["problems"] == [
        {"code": "D70", "row": 10, "field": "part", "message": plain["problems"][0]["message"]}
    ]
    assert plain["leakage"][0]["kind"] == "group"


def test_a_registered_set_with_votes_and_no_labels():
    row = Example(text="a", id="1", group="a", label=None, votes=(1, 2), about=Blend.of("SG"))
    findings = check_dataset(Dataset("made", ("no", "yes"), 1, {"train": (row,)}, "about", licences=("CC-BY-NC-4.0",)))
    assert findings.splits == {"train": {"no": 0, "yes": 0, "no label": 1}}
    assert findings.balance == {"about": {"SG": {"no": 0, "yes": 0, "no label": 1}}}
    assert findings.warnings == ("CC-BY-NC-4.0: no commercial use",)
