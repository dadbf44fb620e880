"""Scores of survey questions for lm-evaluation-harness and Inspect: distance of the model's answers to people's.

Written by calm-lm; needs numpy only. Each row is one presentation of an item for one place. Presentations are
averaged, then a distance to the people is computed, then the mean over the items of each place, then over places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Row(NamedTuple):
    """Shares of the options that one presentation got; None where no answer was valid."""

    question: str
    culture: str
    ordinal: bool
    shares: list[float] | None
    people: list[float]


def process_results(doc: dict[str, Any], results: Sequence[Any]) -> dict[str, Row]:
    """For lm-evaluation-harness: shares from the options' log-probabilities, handed on to the aggregation."""
    logs = np.array([result[0] for result in results], dtype=np.float64)
    shares = np.exp(logs - logs.max())
    row = Row(doc["question"], doc["culture"], bool(doc["ordinal"]), (shares / shares.sum()).tolist(), doc["people"])
    return {"jensen_shannon": row, "wasserstein": row}


def jensen_shannon(rows: Sequence[Row]) -> float:
    """Mean over places of the mean Jensen-Shannon distance (base 2, 0 to 1) to the people."""
    return _mean(rows, _jensen_shannon, ordinal_only=False)


def wasserstein(rows: Sequence[Row]) -> float:
    """The same of the 1-Wasserstein distance on the scale from 0 to 1; ordinal items only."""
    return _mean(rows, _wasserstein, ordinal_only=True)


def _mean(rows: Sequence[Row], distance: Callable[[Floats, Floats], float], *, ordinal_only: bool) -> float:
    pooled: dict[tuple[str, str], tuple[list[float], list[list[float]]]] = {}
    for row in map(Row._make, rows):
        if row.shares is not None and (row.ordinal or not ordinal_only):
            pooled.setdefault((row.question, row.culture), (row.people, []))[1].append(row.shares)
    places: dict[str, list[float]] = {}
    for (_, culture), (people, shares) in pooled.items():
        places.setdefault(culture, []).append(distance(np.mean(shares, axis=0), np.array(people)))
    return float(np.mean([np.mean(found) for found in places.values()])) if places else float("nan")


def _jensen_shannon(p: Floats, q: Floats) -> float:
    middle = (p + q) / 2
    terms = [one[one > 0] * np.log2(one[one > 0] / middle[one > 0]) for one in (p, q)]
    return float(np.sqrt(max(0.5 * sum(float(term.sum()) for term in terms), 0.0)))


def _wasserstein(p: Floats, q: Floats) -> float:
    return float(np.abs(np.cumsum(p - q))[:-1].sum() / (len(p) - 1))
