"""Whether what a model was trained on stands in the tasks that judge it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calm_lm.data.example import Dataset, Example
from calm_lm.data.leakage import find_leakage
from calm_lm.evaluation.result import TaskResult


def find_leaks(training: Dataset, results: Mapping[str, TaskResult]) -> dict[str, Any]:
    """Per task, how many of its questions stand in the training rows: the same text, or nearly the same.

    Near is a Jaccard similarity of 0.7 between sets of character 5-grams (`data.leakage`). Texts are never repeated.

    Args:
        training: the rows the model was trained on.
        results: finished tasks.
    """
    trained = training.splits.get("train", ())
    found: dict[str, Any] = {}
    for name, result in results.items():
        asked = as_examples(name, result.texts)
        overlaps = find_leakage({"trained on": trained, "asked": asked}) if asked and trained else ()
        rows = {kind: sorted({row for each in overlaps if each.kind == kind for row in each.rows})
                for kind in ("exact", "near")}  # fmt: skip
        found[name] = {"questions": len(asked), "exact": len(rows["exact"]), "near": len(rows["near"]),
                       "ids": [*rows["exact"], *rows["near"]][:20]}  # fmt: skip
    return {"training": training.name, "tasks": found}


def as_examples(task: str, texts: Sequence[tuple[str, str]]) -> tuple[Example, ...]:
    """Questions in the form that the search for leaks takes; ids stand for groups, so that no group is shared."""
    return tuple(Example(text, f"{task}/{name}", f"{task}/{name}", None, source=task) for name, text in texts)
