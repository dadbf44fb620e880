"""Figures that every task with given options has: what was no answer, how steady answers were, how unequal cultures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calm_lm.evaluation.asking.pool import Pooled
from calm_lm.evaluation.result import System
from calm_lm.evaluation.table import Table, figure


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
    """The standard deviation over cultures of a metric, where there are at least two."""
    if len(table.names) > 1 and metric in system.rows:
        by_culture = table.by_culture(system.rows[metric])
        known = np.isfinite(by_culture).sum(1) > 1
        spread = np.full(len(by_culture), np.nan)
        spread[known] = np.nanstd(by_culture[known], axis=1)
        system.figures["inequity"] = figure(
            spread, title="Inequity: standard deviation over cultures of the headline", higher_is_better=False
        )
