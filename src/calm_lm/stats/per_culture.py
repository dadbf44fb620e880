"""One metric seen culture by culture: each, the mean, the worst, and all rows together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calm_lm.stats.arrays import Ints, as_ids
from calm_lm.stats.bootstrap import Statistic


@dataclass(frozen=True, slots=True)
class CultureScores:
    """A metric per culture.

    Attributes:
        by_culture: value by culture id, in order of the ids; `nan` where the metric is not defined on its rows.
        mean: unweighted mean over the cultures that have a value.
        worst: value of the culture served worst.
        worst_culture: its id (the first of several); None when no culture has a value.
        overall: the metric on all rows together.
        undefined: ids of the cultures without a value, which neither `mean` nor `worst` covers.
    """

    by_culture: dict[str, float]
    mean: float
    worst: float
    worst_culture: str | None
    overall: float
    undefined: tuple[str, ...]


def score_cultures(
    metric: Statistic, cultures: npt.ArrayLike, *, higher_is_better: bool, rows: Ints | None = None
) -> CultureScores:
    """Apply `metric` to the rows of each culture.

    Args:
        metric: from row indices to a number, `nan` where it is not defined.
        cultures: culture id of each row `[N]`.
        higher_is_better: True for accuracy, False for an error or a loss; decides which culture is the worst.
        rows: indices to look at `[M]`, repeats counted; all by default. With it the mean over cultures is a statistic
            to resample: `lambda rows: score_cultures(metric, cultures, higher_is_better=True, rows=rows).mean`.

    Raises:
        CalmError: S08 for a row without a culture.
    """
    ids = as_ids(cultures, "cultures")
    chosen = np.arange(len(ids)) if rows is None else rows
    names, place = np.unique(ids[chosen], return_inverse=True)
    scores = {str(name): float(metric(chosen[place == k])) for k, name in enumerate(names)}
    defined = {name: score for name, score in scores.items() if not np.isnan(score)}
    worst = (min if higher_is_better else max)(defined, key=defined.__getitem__, default=None)
    return CultureScores(
        by_culture=scores,
        mean=float(np.mean(list(defined.values()))) if defined else float("nan"),
        worst=float("nan") if worst is None else defined[worst],
        worst_culture=worst,
        overall=float(metric(chosen)),
        undefined=tuple(name for name in scores if name not in defined),
    )
