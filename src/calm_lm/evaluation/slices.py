"""The same systems on a part of the rows that a data set names: easy rows left out, or one level of resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from calm_lm.data.example import Example, Slice
from calm_lm.evaluation.scores import Judge
from calm_lm.evaluation.truth import Truth
from calm_lm.stats.arrays import Bools, Floats


def rows_of(part: Slice, examples: Sequence[Example]) -> Bools:
    """Which rows a slice keeps, [N]."""
    return np.array([example.tag(part.tag) in part.values for example in examples], dtype=np.bool_)


def narrow(truth: Truth, keep: Bools) -> Truth:
    """The rows kept; groups and cultures that have none left are left out and the others numbered anew."""
    taken = truth.take(keep)
    present, cultures = np.unique(taken.cultures, return_inverse=True)
    _, groups = np.unique(taken.groups, return_inverse=True)
    names = tuple(truth.names[place] for place in present)
    return Truth(taken.labels, taken.shares, groups, cultures, names, taken.positive)


def slice_scores(
    slices: Sequence[Slice], examples: Sequence[Example], truth: Truth, systems: Mapping[str, Sequence[Floats]]
) -> dict[str, Any]:
    """Scores of every system on every slice that keeps some of the rows but not all.

    Args:
        slices: what the data set names.
        examples: the judged rows, N.
        truth: their truth.
        systems: shares [N, L] per seed; the first system is compared with the others.

    Returns:
        By slice: `rows`, `metrics` by system, `paired` differences first - other.
    """
    found: dict[str, Any] = {}
    first = next(iter(systems))
    for part in slices:
        keep = rows_of(part, examples)
        if not keep.any() or keep.all():
            continue
        judge = Judge(narrow(truth, keep))
        kept = {name: [shares[keep] for shares in system] for name, system in systems.items()}
        found[part.name] = {
            "rows": int(keep.sum()),
            "metrics": {name: judge.score(system) for name, system in kept.items()},
            "paired": {name: judge.compare(kept[first], other) for name, other in kept.items() if name != first},
        }
    return found
