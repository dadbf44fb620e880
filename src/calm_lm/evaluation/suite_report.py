"""The report of a suite as JSON, and whether there is anything in it."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calm_lm import __version__
from calm_lm.errors import NothingMeasuredError
from calm_lm.evaluation.leaks import find_leaks
from calm_lm.evaluation.pages.report_text import finite
from calm_lm.evaluation.result import TaskResult
from calm_lm.evaluation.summary import summarise

if TYPE_CHECKING:  # the first loads torch, which a page does not need
    from calm_lm.evaluation.asking.subject import Subject
    from calm_lm.evaluation.suite import SuiteOptions
    from calm_lm.evaluation.tasks.spec import Suite

SCHEMA = "calm-report/1"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of each task, by name.

    Attributes:
        results: of those that were run.
        left_out: why this model or the data at hand cannot do a task.
        failed: what is wrong with a task.
        bill: what those that were run have cost.
    """

    results: dict[str, TaskResult] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    bill: dict[str, Any] = field(default_factory=dict)


def report_of(subject: Subject, suite: Suite, options: SuiteOptions, done: Outcomes) -> dict[str, Any]:
    """Who was asked what, and what came of it, as JSON."""
    tasks = {name: result.to_json() for name, result in done.results.items()}
    return {
        "schema": SCHEMA,
        "made_by": f"calm-lm {__version__}",
        "made_on": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "suite": {"name": suite.name, "title": suite.title},
        "subject": about(subject),
        "conditions": [{"name": each.name, "title": each.title} for each in options.conditions],
        "language_models": {name: about(speaker) for name, speaker in sorted(options.language_models.items())},
        "dimensions": summarise(tasks),
        "tasks": tasks,
        "left_out": done.left_out,
        "failed": done.failed,
        "leaks": None if options.trained_on is None else find_leaks(options.trained_on, done.results),
        "manifest": {
            "seed": options.seed,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "settings": dict(options.settings),
        },
    }


def about(subject: Subject) -> dict[str, Any]:
    """Who answered."""
    identity = subject.identity
    return {
        "title": subject.title, "name": identity.name, "revision": identity.revision,
        "fingerprint": identity.fingerprint, "languages": list(identity.languages), "licence": identity.licence,
        "answers": "exact probabilities" if subject.exact else "samples", "settings": subject.settings,
    }  # fmt: skip


def nothing_measured(report: Mapping[str, Any], folder: Path | None = None) -> NothingMeasuredError | None:
    """Why a report holds nothing: every task was left out (E57), or an endpoint delivered no answer (E58).

    None where something was measured, and where a task failed, which is an error of its own.

    Args:
        report: as in JSON.
        folder: where it lies, for the error.
    """
    if report.get("failed"):
        return None
    left_out, bills = report.get("left_out") or {}, (report.get("cost") or {}).get("tasks") or {}
    if left_out and not report.get("tasks"):
        problem, _, fix = str(next(iter(left_out.values()))).rpartition(" Fix: ")
        return NothingMeasuredError(
            "E57", f"nothing was measured, as every task was left out; the first: {problem}", file=folder, fix=fix
        )
    asked, undelivered = (
        sum(finite(bill.get(name)) or 0 for bill in bills.values()) for name in ("questions", "undelivered")
    )
    if asked and undelivered == asked:
        return NothingMeasuredError(
            "E58", f"nothing was measured, as the endpoint delivered no answer ({asked:.0f} asked).", file=folder,
            fix="look at the server, give more --timeout or --retries, and add --resume: what failed is asked again.",
        )  # fmt: skip
    return None
