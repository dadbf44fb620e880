"""Survey tasks for Inspect: `inspect eval calm_tasks.py --model MODEL`; the rows stand in `data/`.

Written by calm-lm; needs numpy. A reply counts only where it names an option; the rest is a reported share. With
`--epochs N` and a temperature, each presentation is answered N times.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspect_ai import Task, task  # noqa: F401  (the functions that are written below this file use it)
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import TaskState, generate

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import calm_scores  # noqa: E402
from calm_parse import read_reply  # noqa: E402


def _rows(scores: Sequence[SampleScore]) -> list[calm_scores.Row]:
    """One row for each presentation; replies of several epochs are shares."""
    found: dict[str, tuple[dict[str, Any], list[int]]] = {}
    for each in scores:
        facts = each.score.metadata or {}
        found.setdefault(facts["id"], (facts, []))[1].extend(facts["named"])
    rows = []
    for facts, named in found.values():
        shares = [named.count(i) / len(named) for i in range(len(facts["people"]))] if named else None
        rows.append(calm_scores.Row(facts["question"], facts["culture"], facts["ordinal"], shares, facts["people"]))
    return rows


# Inspect tells from the annotation that a metric takes samples with their ids.
@metric
def jensen_shannon() -> Metric:
    """Distance to people, lower is better."""

    def compute(scores: list[SampleScore]) -> float:
        return calm_scores.jensen_shannon(_rows(scores))

    return compute


@metric
def wasserstein() -> Metric:
    """Distance to people on the scale of ordinal items, lower is better."""

    def compute(scores: list[SampleScore]) -> float:
        return calm_scores.wasserstein(_rows(scores))

    return compute


@metric
def no_answer() -> Metric:
    """Share of replies that name no option."""

    def compute(scores: list[SampleScore]) -> float:
        return sum(each.score.answer is None for each in scores) / max(len(scores), 1)

    return compute


@scorer(metrics=[jensen_shannon(), wasserstein(), no_answer()])
def survey() -> Scorer:
    """Reads the option that a reply names; how close it is to people is the metrics' business."""

    async def score(state: TaskState, target: Target) -> Score:
        asked = state.metadata
        read = read_reply(state.output.completion, asked["labels"], asked["texts"], asked["language"])
        named = [read] if isinstance(read, int) else []
        answer = str(read) if named else None
        return Score(value=float(bool(named)), answer=answer, metadata=dict(state.metadata) | {"named": named})

    return score


def _task(name: str) -> Task:
    lines = (HERE / "data" / f"{name}.jsonl").read_text("utf-8").splitlines()
    samples = [Sample(input=row["prompt"], id=row["id"], metadata=row) for row in map(json.loads, lines)]
    return Task(dataset=samples, solver=generate(), scorer=survey(), config=GenerateConfig(max_tokens=24), name=name)
