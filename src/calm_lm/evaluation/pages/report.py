"""The report of a suite as one page that needs nothing from outside and runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calm_lm.evaluation.pages.kit import Html, page, section, verdict
from calm_lm.evaluation.pages.report_frame import (
    CARE,
    against_section,
    measured_section,
    reading_section,
    stop_section,
)
from calm_lm.evaluation.pages.report_joint import joint_section
from calm_lm.evaluation.pages.report_lead import lead
from calm_lm.evaluation.pages.report_task import task_section
from calm_lm.evaluation.pages.report_text import clean
from calm_lm.evaluation.pages.report_views import task_view
from calm_lm.evaluation.suite_report import nothing_measured

OFFENSIVE = "Some of the data sets are offensive. None of their texts is shown here, and the JSON holds none."


def render_report(report: Mapping[str, Any]) -> str:
    """The report of `run_suite` as an HTML document.

    Args:
        report: as in JSON; `stop_rule` (of `verdict.judge`) and `against` (of `against.compare_reports`) may be in it.
            Whatever is absent or null is left out or said to be not defined.
    """
    report = clean(report)
    tasks = [
        task_view(name, found, place) for place, (name, found) in enumerate((report.get("tasks") or {}).items(), 1)
    ]
    told = lead(tasks)
    bills = (report.get("cost") or {}).get("tasks") or {}
    parts: dict[str, tuple[str, Html]] = {}
    if report.get("stop_rule"):
        parts["stop-rule"] = ("Stop rule", stop_section(report["stop_rule"]))
    parts["measured"] = ("What was measured", measured_section(report, tasks))
    parts["verdict"] = ("Verdict", section("verdict", "What it comes to", verdict(told.sentence, told.details)))
    parts["joint"] = ("All dimensions", joint_section(report, tasks))
    parts |= {task.anchor: (task.title, task_section(task, bills.get(task.name) or {})) for task in tasks}
    if report.get("against"):
        parts["against"] = ("Another report", against_section(report["against"]))
    parts["reading"] = ("How to read this", reading_section())
    subject, suite = report.get("subject") or {}, report.get("suite") or {}
    who = str(subject.get("title") or "A model")
    return page(
        f"{who} measured against people",
        kicker=f"calm evaluate · {suite.get('name') or 'report'} · {report.get('made_on') or ''}".rstrip(" ·"),
        heading=f"{who}, measured against people",
        lede=told.sentence,
        notices=tuple(filter(None, (_empty(report), CARE, OFFENSIVE if any(task.offensive for task in tasks) else ""))),
        sections=parts,
    )


def _empty(report: Mapping[str, Any]) -> str:
    """That there is nothing in the report, and what to do."""
    error = nothing_measured(report)
    return "" if error is None else f"{error.problem[:1].upper()}{error.problem[1:]} To do: {error.fix}"
