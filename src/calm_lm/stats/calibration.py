"""Confidence that means what it says: temperature scaling, and from what confidence on to answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from calm_lm.stats.arrays import (
    Bools,
    Floats,
    as_distributions,
    as_floats,
    as_fractions,
    require,
    require_same,
)
from calm_lm.stats.probability import softmax

COLDEST, HOTTEST = 0.05, 20.0  # a fit never leaves this range, so separable validation data stay finite


@dataclass(frozen=True, slots=True)
class Temperature:
    """One number that all logits are divided by: above 1 confidence shrinks, below 1 it grows.

    Source: Guo et al. 2017, section 4.2. The most likely label never changes.
    """

    value: float

    def __post_init__(self) -> None:
        require(math.isfinite(self.value) and self.value > 0, "temperature", self.value, "a number above 0")

    def apply(self, logits: npt.ArrayLike) -> Floats:
        """Logits `[N, L]` divided by the temperature."""
        scaled: Floats = as_floats(logits, "logits", ndim=2) / self.value
        return scaled


def fit_temperature(logits: npt.ArrayLike, shares: npt.ArrayLike) -> Temperature:
    """The temperature from 0.05 to 20 with the least cross-entropy of `softmax(logits / T)` to `shares`.

    Args:
        logits: of validation rows `[N, L]`.
        shares: vote shares, or `one_hot` labels `[N, L]`.

    Returns:
        1 when every row's logits are equal, since no temperature changes them.

    The loss is convex in `1 / T`, so its slope changes sign once and bisection finds the place.
    """
    scores, truth = as_floats(logits, "logits", ndim=2), as_distributions(shares, "shares")
    require_same("shares", truth.shape, "logits", scores.shape)
    centred = scores - scores.max(axis=1, keepdims=True)
    if not centred.any():
        return Temperature(1.0)

    def slope(temperature: float) -> float:
        return float(((softmax(centred / temperature) - truth) * centred).sum(axis=1).mean())

    low, high = math.log(COLDEST), math.log(HOTTEST)
    if slope(COLDEST) <= 0:
        return Temperature(COLDEST)
    if slope(HOTTEST) >= 0:
        return Temperature(HOTTEST)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(math.exp(middle)) > 0 else (low, middle)
    return Temperature(math.exp((low + high) / 2))


class RiskCoverage(NamedTuple):
    """What answering only above a confidence costs; one point per distinct confidence, the highest first.

    Attributes:
        threshold: answers of at least this confidence are kept `[M]`.
        coverage: share of rows kept `[M]`, rising to 1.
        risk: share of the kept rows that are wrong `[M]`.
    """

    threshold: Floats
    coverage: Floats
    risk: Floats


class AbstentionThreshold(NamedTuple):
    """From what confidence on to answer.

    Attributes:
        threshold: the least confidence that is answered; None when no threshold reaches the target.
        coverage: share of validation rows answered.
        accuracy: share of those that are right; None when none is answered.
    """

    threshold: float | None
    coverage: float
    accuracy: float | None

    def keep(self, confidence: npt.ArrayLike) -> Bools:
        """Which rows `[N]` to answer; the others abstain."""
        confident = as_floats(confidence, "confidence")
        return np.zeros(len(confident), dtype=np.bool_) if self.threshold is None else confident >= self.threshold


def risk_coverage(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> RiskCoverage:
    """The risk-coverage curve; rows of equal confidence are kept or left together.

    Args:
        confidence: any finite number per row `[N]`, higher is surer.
        correct: 0 or 1, or the share of votes that agree with the answer `[N]`.

    Source: Geifman & El-Yaniv 2017, section 2.
    """
    levels, kept, right = _keep_from_top(confidence, correct)
    return RiskCoverage(levels, kept / kept[-1], 1 - right / kept)


def abstention_threshold(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, target_accuracy: float
) -> AbstentionThreshold:
    """The smallest threshold at which the validation rows kept are right as often as asked.

    Args:
        confidence: any finite number per row `[N]`, higher is surer.
        correct: 0 or 1, or the share of votes that agree with the answer `[N]`.
        target_accuracy: from 0 to 1. It is met on these rows; on new ones expect a little less.
    """
    require(0 <= target_accuracy <= 1, "target_accuracy", target_accuracy, "a number from 0 to 1")
    levels, kept, right = _keep_from_top(confidence, correct)
    reached = np.flatnonzero(right >= target_accuracy * kept - 1e-9)
    if not len(reached):
        return AbstentionThreshold(None, 0.0, None)
    last = reached[-1]
    return AbstentionThreshold(float(levels[last]), float(kept[last] / kept[-1]), float(right[last] / kept[last]))


def _keep_from_top(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Distinct confidences from the highest, and how many rows are kept and right at each `[M]`."""
    confident, right = as_floats(confidence, "confidence"), as_fractions(correct, "correct")
    require_same("correct", right.shape, "confidence", confident.shape)
    levels, place = np.unique(-confident, return_inverse=True)
    kept = np.cumsum(np.bincount(place)).astype(np.float64)
    return -levels, kept, np.cumsum(np.bincount(place, weights=right))
