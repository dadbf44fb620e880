"""A report in the terminal: the verdict, the stop rule and one table of all headlines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from calm_lm.cli.display import interval, number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

ARROWS = {True: "↑", False: "↓", None: "↔"}


def show_report(screen: Console, report: Mapping[str, Any]) -> None:
    """Everything that the page says first, and what it cost."""
    from calm_lm.evaluation.pages.report_frame import by_reason, speakers
    from calm_lm.evaluation.pages.report_lead import lead
    from calm_lm.evaluation.pages.report_text import clean
    from calm_lm.evaluation.pages.report_views import task_view

    report = clean(report)
    screen.print(summary_table(report))
    told = lead([task_view(name, found, place) for place, (name, found) in enumerate(report["tasks"].items())])
    for line in (told.sentence, *(f"- {each}" for each in told.details)):
        screen.print(line, markup=False, soft_wrap=True)
    for reason, names in by_reason(report["left_out"]).items():
        screen.print(f"Left out: {', '.join(names)}: {reason}", markup=False, soft_wrap=True)
    for name, reason in report.get("failed", {}).items():
        screen.print(f"Failed: {name}: {reason}", markup=False, soft_wrap=True)
    for who, languages in speakers(report.get("language_models") or {}).items():
        screen.print(f"Answered by {who} and not by the model under test: {', '.join(languages)}", markup=False)
    if report["unsupported_languages"]:
        beyond = ", ".join(report["unsupported_languages"])
        screen.print(f"Asked in languages that who answered does not claim: {beyond}", markup=False)
    if report["tasks"]:
        screen.print(cost_table(report))
    if "against" in report:
        screen.print(against_table(report["against"]))
    if "stop_rule" in report:
        screen.print(stop_table(report["stop_rule"]))


def summary_table(report: Mapping[str, Any]) -> Table:
    """One row per task and system: the headline's mean, its interval and the worst place."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(f"{report['subject']['title']} measured against people"), title_justify="left")
    table.add_column("task")
    table.add_column("system")
    table.add_column("mean", justify="right")
    table.add_column("95 %", justify="right", style="dim")
    table.add_column("worst", justify="right")
    for task in report["tasks"].values():
        declared = task["task"]
        known = [
            (system, found)
            for system in task["systems"].values()
            if (found := system["metrics"].get(declared["metric"])) is not None
        ]
        for place, (system, found) in enumerate(known):
            head = f"{declared['title']}: {found['title']} {ARROWS[found['higher_is_better']]}"
            worst = found["worst_culture"]
            table.add_row(
                escape(head) if place == 0 else "", escape(system["title"]), number(found["mean"]),
                interval(found["interval"]),
                escape(f"{number(found['worst'])} {worst}") if worst not in (None, "everyone") else "",
                style=None if system["role"] == "model" else "dim", end_section=place == len(known) - 1,
            )  # fmt: skip
    return table


def cost_table(report: Mapping[str, Any]) -> Table:
    """Questions, time and tokens, as on the page."""
    from rich.markup import escape
    from rich.table import Table

    from calm_lm.evaluation.pages.report_cost import COLUMNS, cost_rows

    table = Table(title="Cost and time", title_justify="left")
    table.add_column("")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    titles = {name: str(found["task"]["title"]) for name, found in report["tasks"].items()}
    for row in cost_rows(report, titles):
        table.add_row(escape(row.name), *row.cells, style=None if row.whole else "dim")
    return table


def against_table(against: Mapping[str, Any]) -> Table:
    """This report minus another, by task and condition."""
    from rich.markup import escape
    from rich.table import Table

    title = f"{against['first']['title']} minus {against['second']['title']}, on the rows that both have"
    table = Table(title=escape(title), title_justify="left")
    for column in ("task", "condition"):
        table.add_column(column)
    for column in ("rows", "difference", "95 %", "p (Holm)"):
        table.add_column(column, justify="right")
    for task in against["tasks"].values():
        for gap in task["conditions"].values():
            table.add_row(
                escape(task["title"]), escape(gap["title"]), str(gap["rows"]), number(gap["difference"]),
                interval(gap["interval"]), number(gap["p_holm"]),
            )  # fmt: skip
    return table


def stop_table(stop_rule: Mapping[str, Any]) -> Table:
    """Each rule that was stated before the run, and the verdict."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(f"Stop rule ({stop_rule['file']}): {stop_rule['overall']}"), title_justify="left")
    for column in ("rule", "verdict", "measured", "95 %", "why"):
        table.add_column(column, justify="right" if column in ("measured", "95 %") else "left")
    for each in stop_rule["verdicts"]:
        rule = each["rule"]
        stated = [f"{name} {rule[name]}" for name in ("at_most", "at_least", "better_than") if name in rule]
        name = f"{rule['task']}, {rule['system']}: {rule.get('metric') or rule.get('figure')} {' '.join(stated)}"
        table.add_row(
            escape(name), each["outcome"], number(each["value"]), interval(each["interval"]), escape(each["reason"])
        )
    return table
