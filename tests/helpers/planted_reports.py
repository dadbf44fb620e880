"""Reports whose every figure is planted: normal, bare, without a number, of 250 places, and hostile in every text."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from calm_lm.culture.ids import countries
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.summary import summarise
from calm_lm.evaluation.table import Metric, Table
from calm_lm.evaluation.tasks.spec import EvaluationCard, Task

METRICS = (Metric("distance", "Distance to people", higher_is_better=False),)
HOSTILE = '<script>alert("x")</script> & "q" <img src=x onerror=y> \x00\x1b[31m\u202egnp.exe'
CARD = EvaluationCard(assumes="That numbers mean something.", labels_by="Nobody.", language="English.", gaps="All.")
TOKENS = [
    {"title": "A model", "fingerprint": "ab", "read": 1_234_567, "written": None, "replies_not_stated": 3},
    {"title": "A model", "fingerprint": "cd", "read": 500, "written": 20, "replies_not_stated": 0},
]
BILL = {"questions": 60, "from_cache": 7, "seconds": 31.0, "tokens": TOKENS}
SETTINGS = {"replicates": 1000, "presentations": None, "language_models": ["ar=x", "fr=y"],
            "norms": {"name": "bundled", "records": 120, "sha256": "ef" * 32}}  # fmt: skip
BINS = [{"confidence": 0.65, "right": 0.5, "rows": 40}, {"confidence": 0.95, "right": 0.7, "rows": 10}]


def task_result(
    name: str = "toy", cultures: tuple[str, ...] = ("EG", "FR", "JP"), *, distances: dict[str, float] | None = None,
    kind: str = "survey", offensive: bool = False, detail: dict[str, Any] | None = None,
) -> TaskResult:  # fmt: skip
    """A task on 30 invented questions; systems have planted distances, a little worse in the last place."""
    rng = np.random.default_rng(3)
    rows = [(f"q{number}", culture) for number in range(30) for culture in cultures]
    lean = np.asarray([0.05 if culture == cultures[-1] else 0.0 for _, culture in rows])
    planted = distances or {"neutral": 0.5, "neutral+country": 0.4, "uniform": 0.2, "population-mean": 0.1}
    roles = {"neutral": "model", "neutral+country": "model", "people-again": "people"}
    systems = [
        System(each, each, roles.get(each, "baseline"), {"distance": far + lean + rng.normal(0, 0.01, len(rows))})  # type: ignore[arg-type]
        for each, far in planted.items()
    ]
    systems[0].figures |= {
        "no_answer": {"title": "No answer", "value": 0.05, "interval": [0.02, 0.08], "higher_is_better": False},
        "calibration_error": {
            "title": "Calibration error",
            "value": 0.087,
            "interval": [0.05, 0.12],
            "higher_is_better": False,
        },
        "ece": {"title": "ECE", "value": 0.134, "interval": None, "higher_is_better": False},
        "inequity": {"title": "Inequity", "value": 0.1, "interval": None, "higher_is_better": False},
    }
    systems[0].detail |= {"refusal_bounds": {"metric": "distance", "low": 0.45, "high": 0.55}, "calibration": BINS}
    task = Task(
        name=name, kind=kind, title=f"Title of {name}", data="invented", licence="Apache-2.0",
        citation="made up for a test", metric="distance", offensive=offensive, card=CARD,
    )  # fmt: skip
    table = Table([row[0] for row in rows], [row[1] for row in rows], replicates=200)
    return TaskResult(task, METRICS, table, tuple(systems), {"items": 30, "seed": 0, "notes": ["a note"]}, detail or {})


def report_of(*results: TaskResult, **more: Any) -> dict[str, Any]:
    tasks = {each.task.name: each.to_json() for each in results}
    return {
        "schema": "calm-report/1", "made_by": "calm-lm 0", "made_on": "2026-01-02",
        "suite": {"name": "core", "title": "A suite."},
        "subject": {"title": "A model", "name": "org/model", "revision": "r1", "fingerprint": "ab" * 32,
                    "languages": ["en"], "licence": "MIT", "answers": "exact probabilities", "settings": {"n": 1}},
        "conditions": [{"name": "neutral", "title": "neutral"}], "unsupported_languages": ["ar"],
        "dimensions": summarise(tasks), "tasks": tasks, "left_out": {"kobbq": "no data at hand"},
        "cost": {"tasks": dict.fromkeys(tasks, BILL), "seconds": 40},
        "manifest": {"seed": 0, "python": "3", "machine": "m", "settings": SETTINGS},
    } | more  # fmt: skip


def cultural_map(cultures: tuple[str, ...], name: str = "neutral+country") -> dict[str, Any]:
    rng = np.random.default_rng(1)
    points = {each: rng.normal(size=2).tolist() for each in cultures}
    model = {each: rng.normal(0.5, 0.3, 2).tolist() for each in cultures}
    drawn = {name: model, "neutral": {"everyone": [0.1, 0.2]}}
    return {"map": {"axes": ["survival", "tradition"], "people": points, "model": drawn}}


MANY = tuple(countries())
LONG_NAMES = ("x-emgsd-profession", "x-northern-nigeria", "FR")
AGAINST = {
    "first": {"title": "A model", "fingerprint": "ab", "made_on": "d"}, "second": {"title": "Another", "made_on": "d"},
    "tasks": {"toy": {"title": "Toy", "metric": "distance", "rows_matched": 9, "only_in_first": 1, "only_in_second": 2,
              "conditions": {"neutral": {"title": "neutral", "first": 0.3, "second": 0.4, "difference": -0.1,
                                         "interval": [-0.2, -0.05], "p_holm": 0.01, "effect_dz": -1.2, "rows": 9,
                                         "higher_is_better": False}}}},
    "not_compared": {"lone": "only the first report has this task"},
}  # fmt: skip
STOP = {
    "overall": "fail", "file": "rules.yaml", "sha256": "cd" * 32, "modified": "2026-01-01", "read": "2026-01-02",
    "verdicts": [{"rule": {"task": "toy", "system": "neutral", "metric": "distance", "at_most": 0.1, "note": "why"},
                  "outcome": "fail", "value": 0.5, "interval": [0.4, 0.6], "reason": "no part passes"}],
}  # fmt: skip


def hostile() -> dict[str, Any]:
    """Every text of a normal report replaced, and names of fields added that are no names."""

    def turn(value: Any) -> Any:
        if isinstance(value, str):
            return value if value in ("model", "baseline", "distance") else HOSTILE
        if isinstance(value, dict):
            return {name: turn(each) for name, each in value.items()}
        return [turn(each) for each in value] if isinstance(value, list) else value

    found = report_of(task_result(detail=cultural_map(("EG", "FR", "JP"))), against=AGAINST, stop_rule=STOP)
    turned: dict[str, Any] = turn(found)
    task = turned["tasks"]["toy"]
    task["systems"]["W" * 5000] = copy.deepcopy(task["systems"]["uniform"]) | {"title": "W" * 5000}
    task["systems"][HOSTILE] = copy.deepcopy(task["systems"]["neutral"]) | {"detail": {HOSTILE: {HOSTILE: HOSTILE}}}
    turned["left_out"] = {HOSTILE: HOSTILE, HOSTILE + "\x01": "\ud800 half a character"}
    turned["tasks"][HOSTILE] = task
    return turned


def nothing() -> dict[str, Any]:
    """Every number null."""

    def turn(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turn(each) for name, each in value.items()}
        if isinstance(value, list):
            return [turn(each) for each in value]
        return None if isinstance(value, float | int) and not isinstance(value, bool) else value

    turned: dict[str, Any] = turn(report_of(task_result(detail=cultural_map(("EG", "FR", "JP"))), against=AGAINST))
    return turned


REPORTS = {
    "normal": lambda: report_of(
        task_result(detail=cultural_map(("EG", "FR", "JP"))),
        task_result("second", kind="labels", offensive=True, cultures=LONG_NAMES),
        against=AGAINST, stop_rule=STOP,
    ),
    "minimal": lambda: {"tasks": {"bare": {}}},
    "nothing": nothing,
    "many": lambda: report_of(task_result(cultures=MANY, detail=cultural_map(MANY))),
    "hostile": hostile,
}  # fmt: skip
