"""Several presentations of one question as one answer, with what their disagreement says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from calm_lm.evaluation.asking.question import ChoiceAnswer
from calm_lm.stats.arrays import Floats
from calm_lm.stats.distances import total_variation_rows


@dataclass(frozen=True, slots=True)
class Pooled:
    """The mean over presentations.

    Attributes:
        shares: over the options [K]; None where no presentation got a valid answer.
        no_answer: share refused, unparsed or not delivered, mean over presentations.
        refused: of it, the share refused.
        mass: mean probability of saying any option; None where it was sampled.
        steadiness: 1 - mean total variation between presentations, 1 where order and labels change nothing; None with
            fewer than two.
        top: mean share of the likeliest option where the model declined; None where it did not.
    """

    shares: Floats | None
    no_answer: float = 0.0
    refused: float = 0.0
    mass: float | None = None
    steadiness: float | None = None
    top: float | None = None


NOT_ASKED = Pooled(None, no_answer=float("nan"), refused=float("nan"))
"""Where a condition does not fit a question: no answer, and no refusal either."""


def pool(answers: Sequence[ChoiceAnswer]) -> Pooled:
    """Mean over presentations, each valid one weighing the same."""
    valid = [np.asarray(answer.shares) for answer in answers if answer.shares]
    pairs = list(combinations(valid, 2))
    apart = [float(total_variation_rows(a[None], b[None])[0]) for a, b in pairs]
    masses = [answer.mass for answer in answers if answer.mass is not None]
    tops = [answer.top for answer in answers if answer.top is not None]
    mean = np.mean(valid, axis=0) if valid else None
    return Pooled(
        shares=None if mean is None else mean / mean.sum(),
        no_answer=float(np.mean([answer.no_answer for answer in answers])),
        refused=float(np.mean([answer.refused for answer in answers])),
        mass=float(np.mean(masses)) if masses else None,
        steadiness=1 - float(np.mean(apart)) if apart else None,
        top=float(np.mean(tops)) if tops else None,
    )
