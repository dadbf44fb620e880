"""Figures that every task with given options has: what was no answer, how steady answers were, how unequal cultures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calm_lm.evaluation.asking.pool import Pooled
from calm_lm.evaluation.result import System
from calm_lm.evaluation.table import Table, figure, number


def add_answer_figures(system: System, answers: Sequence[Pooled], table: Table) -> None:
    """What was no answer, what answering weighed, how steady it was, and how unequal the headline is by culture."""
    columns: dict[str, tuple[str, bool | None, list[float | None]]] = {
        "no_answer": ("Share without a valid answer", False, [*(each.no_answer for each in answers)]),
        "refused": ("Share refused", None, [*(each.refused for each in answers)]),
        "answer_mass": ("Probability of naming any option", True, [each.mass for each in answers]),
        "steadiness": ("Steadiness over option orders and labels", True, [each.steadiness for each in answers]),
        "logit_leakage": ("Share of the likeliest option behind a refusal", None, [each.top for each in answers]),
    }
    for name, (title, better, values) in columns.items():
        column = np.asarray([np.nan if value is None else value for value in values], dtype=np.float64)
        if np.isfinite(column).any():
            system.figures[name] = figure(table.means(column), title=title, higher_is_better=better)


def add_inequity(system: System, metric: str, table: Table) -> None:
    """The standard deviation over cultures of a metric, less what chance adds, where there are at least two.

    `observed` is the plain standard deviation of the cultures' scores.
    """
    if len(table.names) > 1 and metric in system.rows:
        values = system.rows[metric]
        scores = table.by_culture(values)[0]
        scores = scores[np.isfinite(scores)]
        system.figures["inequity"] = figure(
            table.spread(values),
            title="Inequity: standard deviation over cultures of the headline, less what chance adds",
            higher_is_better=False,
        ) | {"observed": number(float(np.std(scores)) if len(scores) > 1 else float("nan"))}
