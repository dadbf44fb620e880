"""The stop rule: what a rule file may say, how its mistakes are told, and verdicts worked out by hand."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.evaluation.verdict import Rule, Rules, judge, overall, read_rules

GOOD = """\
# stated by nobody, about invented numbers
- task: toy
  system: neutral
  metric: distance
  at_most: 0.4
  note: what an earlier run reached
- {task: toy, system: neutral+country, metric: distance, better_than: uniform, confidence: point}
- {task: toy, system: neutral, figure: refused, at_least: 0}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(text, "utf-8")
    return path


def stated(*rules: Rule) -> Rules:
    return Rules(rules, "rules.yaml", "0" * 64, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")


def scored(mean: float | None, interval: list[float] | None, *, better: bool | None = False) -> dict[str, Any]:
    return {"mean": mean, "interval": interval, "higher_is_better": better}


def report(**more: Any) -> dict[str, Any]:
    """Invented numbers: neutral 0.5 (0.4 to 0.6), country 0.3 (0.2 to 0.35), uniform 0.3 (0.25 to 0.4)."""
    systems = {
        "neutral": (0.5, [0.4, 0.6]), "neutral+country": (0.3, [0.2, 0.35]), "uniform": (0.3, [0.25, 0.4]),
        "mute": (None, None), "bare": (0.1, None),
    }  # fmt: skip
    told = {
        name: {
            "metrics": {"distance": scored(*values), "other": scored(*values), "shape": scored(*values, better=None)},
            "figures": {"refused": {"value": 0.02, "interval": [0.0, 0.05], "higher_is_better": None}},
        }
        for name, values in systems.items()
    }
    paired = [
        {"a": "neutral", "b": "uniform", "metric": "distance", "difference": 0.2, "interval": [0.1, 0.3],
         "higher_is_better": False},
        {"a": "uniform", "b": "neutral+country", "metric": "distance", "difference": 0.05, "interval": [0.01, 0.1],
         "higher_is_better": False},
        {"a": "neutral", "b": "neutral+country", "metric": "distance", "difference": 0.2, "interval": [-0.1, 0.3],
         "higher_is_better": False},
    ]  # fmt: skip
    return {"tasks": {"toy": {"systems": told, "paired": paired}}, "left_out": {"kobbq": "no data"}, **more}


# -- reading -----------------------------------------------------------------------------------------------


def test_rules_are_read_with_what_proves_when_they_were_stated(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    found = read_rules(path)
    assert found.rules == (
        Rule("toy", "neutral", metric="distance", at_most=0.4, note="what an earlier run reached"),
        Rule("toy", "neutral+country", metric="distance", better_than="uniform", confidence="point"),
        Rule("toy", "neutral", figure="refused", at_least=0),
    )
    assert found.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert (found.file, found.modified) == ("rules.yaml", "2023-11-14T22:13:20Z")
    assert found.read > found.modified


READING = ("E10", "E11", "E12", "E13", "E14", "E15", "E16")
RULE = "{task: toy, system: neutral, metric: distance, at_most: 0.4"


@pytest.mark.parametrize(
    ("text", "code", "field", "row"),
    [
        ("", "E10", None, None),
        ("rules: 3", "E10", None, None),
        ("[]", "E10", None, None),
        ("- {task: [", "E10", None, None),
        (f"- {RULE}}}\n- {RULE}, at_mots: 0.1}}", "E11", "at_mots", 2),
        (f"- {RULE}, at_most: 0.1}}", "E12", "at_most", 1),
        ("- 3", "E13", "task", 1),
        ("- {system: neutral, metric: distance, at_most: 1}", "E13", "task", 1),
        ("-\n  task: toy\n  system: ''\n  metric: d\n  at_most: 1", "E13", "system", 3),
        ("- {task: toy, system: neutral, metric: 3, at_most: 1}", "E13", "metric", 1),
        (f"- {RULE}, note: []}}", "E13", "note", 1),
        ("- {task: toy, system: neutral, metric: distance}", "E14", "at_most", 1),
        (f"- {RULE}, at_least: 0.1}}", "E14", "at_most, at_least", 1),
        (f"- {RULE}, figure: refused}}", "E14", "metric, figure", 1),
        ("- {task: toy, system: neutral, at_most: 1}", "E14", "metric", 1),
        ("- {task: toy, system: neutral, metric: d, at_most: low}", "E15", "at_most", 1),
        ("- {task: toy, system: neutral, metric: d, at_least: .nan}", "E15", "at_least", 1),
        ("- {task: toy, system: neutral, metric: d, at_most: .inf}", "E15", "at_most", 1),
        ("- {task: toy, system: neutral, metric: d, at_most: yes}", "E15", "at_most", 1),
        (f"- {{task: toy, system: neutral, metric: d, at_most: 1{'0' * 400}}}", "E15", "at_most", 1),
        (f"- {RULE}, confidence: sure}}", "E16", "confidence", 1),
    ],
)
def test_every_mistake_is_named(text: str, code: str, field: str | None, row: int | None, tmp_path: Path) -> None:
    with pytest.raises(CalmError) as caught:
        read_rules(write(tmp_path, text))
    assert (caught.value.code, caught.value.field, caught.value.row) == (code, field, row)
    assert caught.value.file == str(tmp_path / "rules.yaml")


def test_a_misspelt_field_is_guessed_and_a_missing_file_named(tmp_path: Path) -> None:
    with pytest.raises(CalmError, match="did you mean at_most"):
        read_rules(write(tmp_path, f"- {RULE}, at_mots: 0.1}}"))
    with pytest.raises(CalmError, match=r"\[F01\].*none\.yaml"):
        read_rules(tmp_path / "none.yaml")


@given(st.text(max_size=80))
def test_no_text_brings_anything_but_rules_or_an_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    code = "none"
    try:
        rules = read_rules(path).rules
    except CalmError as error:
        code = error.code
        rules = ()
    assert bool(rules) == (code == "none")
    assert code == "none" or code in READING


# -- judging -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "outcome", "value"),
    [
        (Rule("toy", "neutral", metric="distance", at_most=0.6), "pass", 0.5),
        (Rule("toy", "neutral", metric="distance", at_most=0.55), "undecided", 0.5),
        (Rule("toy", "neutral", metric="distance", at_most=0.39), "fail", 0.5),
        (Rule("toy", "neutral", metric="distance", at_most=0.5, confidence="point"), "pass", 0.5),
        (Rule("toy", "neutral", metric="distance", at_least=0.4), "pass", 0.5),
        (Rule("toy", "neutral", metric="distance", at_least=0.45), "undecided", 0.5),
        (Rule("toy", "neutral", metric="distance", at_least=0.51, confidence="point"), "fail", 0.5),
        (Rule("toy", "neutral", figure="refused", at_most=0.05), "pass", 0.02),
        (Rule("toy", "bare", metric="distance", at_most=0.2), "undecided", 0.1),
        (Rule("toy", "bare", metric="distance", at_most=0.2, confidence="point"), "pass", 0.1),
        (Rule("toy", "neutral", metric="distance", better_than="uniform"), "fail", 0.2),
        (Rule("toy", "neutral+country", metric="distance", better_than="uniform"), "pass", -0.05),
        (Rule("toy", "neutral+country", metric="distance", better_than="neutral"), "undecided", -0.2),
        (Rule("toy", "neutral+country", metric="distance", better_than="neutral", confidence="point"), "pass", -0.2),
        # without a paired difference the intervals decide: 0.2 to 0.35 beside 0.4 to 0.6, then beside 0.25 to 0.4
        (Rule("toy", "neutral+country", metric="other", better_than="neutral"), "pass", -0.2),
        (Rule("toy", "neutral+country", metric="other", better_than="uniform"), "undecided", 0.0),
        (Rule("toy", "neutral+country", metric="other", better_than="uniform", confidence="point"), "fail", 0.0),
        (Rule("toy", "neutral", metric="shape", better_than="uniform"), "not measured", None),
        (Rule("toy", "mute", metric="distance", at_most=1), "not measured", None),
        (Rule("toy", "neutral", metric="distance", better_than="mute"), "not measured", None),
        (Rule("toy", "nobody", metric="distance", at_most=1), "not measured", None),
        (Rule("toy", "neutral", metric="nothing", at_most=1), "not measured", None),
        (Rule("kobbq", "neutral", metric="distance", at_most=1), "not measured", None),
        (Rule("toy", "neutral", metric="distance", better_than="against"), "not measured", None),
    ],
)
def test_verdicts_worked_out_by_hand(rule: Rule, outcome: str, value: float | None) -> None:
    found = judge(stated(rule), report())["verdicts"][0]
    assert found["outcome"] == outcome
    assert found["value"] == (None if value is None else pytest.approx(value))
    assert found["reason"]
    assert found["rule"]["task"] == rule.task


def test_why_a_task_was_left_out_stands_with_the_verdict() -> None:
    found = judge(stated(Rule("kobbq", "neutral", metric="distance", at_most=1)), report())
    assert found["verdicts"][0]["reason"] == "the task was left out: no data"
    assert found["overall"] == "undecided"


def test_the_other_report_can_be_what_must_be_beaten() -> None:
    gap = {"difference": -0.1, "interval": [-0.2, -0.05], "higher_is_better": False}
    against = {"tasks": {"toy": {"metric": "distance", "conditions": {"neutral": gap}}}}
    rules = stated(
        Rule("toy", "neutral", metric="distance", better_than="against"),
        Rule("toy", "neutral", metric="other", better_than="against"),
    )
    found = judge(rules, report(against=against))
    assert [each["outcome"] for each in found["verdicts"]] == ["pass", "not measured"]
    assert found["verdicts"][0]["interval"] == [-0.2, -0.05]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["pass", "pass"], "pass"), (["pass", "fail", "undecided"], "fail"), (["pass", "undecided"], "undecided"),
        (["pass", "not measured"], "undecided"), (["not measured", "fail"], "fail"), ([], "undecided"),
    ],
)  # fmt: skip
def test_the_overall_verdict(outcomes: list[Any], expected: str) -> None:
    assert overall(outcomes) == expected


shares = st.floats(0, 1)


@given(st.tuples(shares, shares, shares).map(sorted), shares)
def test_a_lower_value_never_fares_worse_and_both_bounds_mirror_each_other(ends: list[float], bound: float) -> None:
    low, value, high = ends

    def outcome(shift: float = 0.0, sign: float = 1.0, **threshold: Any) -> str:
        given_ = sorted([sign * low + shift, sign * high + shift])
        told = {"metrics": {"d": scored(sign * value + shift, given_)}, "figures": {}}
        found = judge(
            stated(Rule("t", "s", metric="d", **threshold)), {"tasks": {"t": {"systems": {"s": told}, "paired": []}}}
        )
        return str(found["verdicts"][0]["outcome"])

    rank = ["fail", "undecided", "pass"]
    mine = outcome(at_most=bound)
    assert rank.index(outcome(shift=-0.1, at_most=bound)) >= rank.index(mine)
    assert outcome(sign=-1.0, at_least=-bound) == mine
    assert mine == ("pass" if high <= bound else "fail" if low > bound else "undecided")
    point = outcome(at_most=bound, confidence="point")
    assert mine in (point, "undecided")
