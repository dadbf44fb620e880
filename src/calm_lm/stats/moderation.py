"""What a moderator pays: innocent texts flagged, and answers that turn when only the group named is swapped."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from calm_lm.stats.arrays import as_floats, as_fractions, as_labels, require, require_same


class OperatingPoint(NamedTuple):
    """A threshold (rows scoring at least it are flagged) and what it does on the rows it was set on.

    Attributes:
        false_positive_rate: share of the rows of label 0 that are flagged; `nan` without such rows.
        recall: share of the rows of label 1 that are flagged; above the one asked for where scores are tied.
        threshold: the score.
    """

    false_positive_rate: float
    recall: float
    threshold: float


class SwapSensitivity(NamedTuple):
    """How answers move under a swap: mean absolute change of probability, and share of decisions that flip."""

    mean_change: float
    flipped: float


def false_positive_rate(y: npt.ArrayLike, flagged: npt.ArrayLike) -> float:
    """Share of the rows of label 0 that are flagged; `nan` when there is no such row.

    Args:
        y: labels 0 (harmless) or 1 `[N]`.
        flagged: 0 or 1 `[N]`.
    """
    truth, flags = as_labels(y, "y", 2), as_labels(flagged, "flagged", 2)
    require_same("flagged", flags.shape, "y", truth.shape)
    return float(flags[truth == 0].mean()) if (truth == 0).any() else float("nan")


def false_positive_rate_at_recall(y: npt.ArrayLike, score: npt.ArrayLike, recall: float) -> OperatingPoint:
    """The false-positive rate at the highest threshold that still reaches `recall`.

    The threshold is the smallest score among the rows of label 1 that must be flagged to reach it. Every row tied with
    the threshold is flagged, of either label.

    Args:
        y: labels 0 (harmless) or 1 `[N]`.
        score: any finite number per row `[N]`, higher for label 1.
        recall: above 0, at most 1.

    Returns:
        All `nan` when no row has label 1.
    """
    require(0 < recall <= 1, "recall", recall, "a number above 0, at most 1")
    truth, scores = as_labels(y, "y", 2), as_floats(score, "score")
    require_same("score", scores.shape, "y", truth.shape)
    positives = np.sort(scores[truth == 1])[::-1]
    if not len(positives):
        return OperatingPoint(float("nan"), float("nan"), float("nan"))
    needed = max(1, math.ceil(recall * len(positives) - 1e-9))  # 0.28 * 25 is a little over 7 in floating point
    threshold = float(positives[needed - 1])
    return OperatingPoint(
        false_positive_rate(truth, scores >= threshold), float(np.mean(positives >= threshold)), threshold
    )


def swap_sensitivity(p_original: npt.ArrayLike, p_swapped: npt.ArrayLike, *, threshold: float = 0.5) -> SwapSensitivity:
    """How far the answer depends on the group a text names.

    Args:
        p_original: probability of the flagged label per text `[N]`.
        p_swapped: the same texts with the group's name replaced `[N]`.
        threshold: a probability of at least this is a decision to flag.
    """
    require(0 <= threshold <= 1, "threshold", threshold, "a number from 0 to 1")
    before, after = as_fractions(p_original, "p_original"), as_fractions(p_swapped, "p_swapped")
    require_same("p_swapped", after.shape, "p_original", before.shape)
    flipped = (before >= threshold) != (after >= threshold)
    return SwapSensitivity(float(np.abs(before - after).mean()), float(flipped.mean()))
