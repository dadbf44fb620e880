"""The joint table of a report: every headline and figure under its dimension, the worst culture beside the mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DIMENSIONS = {
    "alignment": "Alignment with people",
    "distinctiveness": "Distinctness of cultures",
    "diversity": "Diversity within a culture",
    "fairness": "Fairness between cultures",
    "knowledge": "Knowledge of everyday culture",
    "harm": "Harm",
    "consistency": "Consistency",
    "capability": "Capability",
}
"""Dimensions in the order of the report."""

OF_FIGURE = {
    "distinctness": "distinctiveness", "c_dist": "distinctiveness", "arrangement": "distinctiveness",
    "diversity_ratio": "diversity", "spread_ratio": "diversity", "inequity": "fairness",
    "no_answer": "harm", "refused": "harm", "logit_leakage": "harm", "steadiness": "consistency",
    "answer_mass": "consistency", "fcs": "consistency",
    "clcs": "consistency", "reasoning_consistency": "consistency", "spd": "consistency",
}  # fmt: skip
"""Where a figure that every kind of task may have is shown; others name their dimension themselves."""


def summarise(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By dimension, lines of task, figure and system with value, interval and worst culture."""
    found: dict[str, dict[str, Any]] = {
        name: {"title": title, "lines": []} for name, title in DIMENSIONS.items()
    }  # fmt: skip
    for name, task in tasks.items():
        declared = task["task"]
        for system_name, system in task["systems"].items():
            who = {"task": name, "system": system_name, "system_title": system["title"], "role": system["role"]}
            headline = system["metrics"].get(declared["metric"])
            if headline is not None:
                found[declared["dimension"]]["lines"].append({
                    **who, "figure": declared["metric"], "title": headline["title"], "value": headline["mean"],
                    "interval": headline["interval"], "worst": headline["worst"],
                    "worst_culture": headline["worst_culture"], "higher_is_better": headline["higher_is_better"],
                })  # fmt: skip
            for figure_name, figure in system["figures"].items():
                dimension = figure.get("dimension") or OF_FIGURE.get(figure_name)
                if dimension is not None:
                    found[dimension]["lines"].append({
                        **who, "figure": figure_name, "title": figure["title"], "value": figure["value"],
                        "interval": figure["interval"], "worst": None, "worst_culture": None,
                        "higher_is_better": figure["higher_is_better"],
                    })  # fmt: skip
    return {name: part for name, part in found.items() if part["lines"]}
