"""From a baseline's logits to vote shares: the one temperature that every baseline gets, fitted as CALM's is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch.nn.functional as F

from calm_lm.stats.arrays import Bools, Floats
from calm_lm.stats.calibration import fit_temperature
from calm_lm.stats.probability import cross_entropy_rows, softmax
from calm_lm.training.material import Rows

Logits = Callable[[Rows], Floats]  # [N, L]


@dataclass(frozen=True, slots=True)
class Predictor:
    """A fitted baseline: `softmax(logits(rows) / temperature)`.

    Attributes:
        name: the baseline's name.
        parameters: how many numbers were trained, the temperature not counted.
        variants: how many settings were tried on the validation rows.
        temperature: 1 without validation rows.
        logits: scores of rows, [N, L].
    """

    name: str
    parameters: int
    variants: int
    temperature: float
    logits: Logits

    def __call__(self, rows: Rows) -> Floats:
        """Predicted vote shares [N, L]."""
        return softmax(self.logits(rows) / self.temperature)


def calibrated(name: str, logits: Logits, valid: Rows | None, *, parameters: int, variants: int = 1) -> Predictor:
    """A predictor whose temperature is fitted on the validation rows."""
    return Predictor(name, parameters, variants, temperature_on(logits, valid), logits)


def temperature_on(logits: Logits, valid: Rows | None) -> float:
    """The temperature for these rows; 1 where nothing is known to fit it to."""
    if valid is None:
        return 1.0
    truth = calibration_truth(valid)
    return fit_temperature(logits(valid)[truth.known], truth.shares).value if truth.known.any() else 1.0


class Truth(NamedTuple):
    """Rows that can be calibrated on [N] bool, and what each of those should say [M, L]."""

    known: Bools
    shares: Floats


def calibration_truth(rows: Rows) -> Truth:
    """What CALM's temperature is fitted to: vote shares of the rows with votes, labels where no row has any."""
    voted = (rows.votes.sum(1) > 0).numpy()
    if voted.any():
        shares = rows.votes.double().numpy()[voted]
        return Truth(voted, shares / shares.sum(1, keepdims=True))
    labelled = rows.labels >= 0
    one_hot = F.one_hot(rows.labels[labelled], rows.shares.size(1))
    return Truth(labelled.numpy(), one_hot.double().numpy())


def choice_score(logits: Floats, rows: Rows) -> float:
    """Mean cross-entropy in nats to the rows' targets, by which settings are chosen: what CALM keeps weights by."""
    known = (rows.known > 0).numpy()
    if not known.any():
        return float("inf")
    return float(np.mean(cross_entropy_rows(softmax(logits[known]), rows.shares.double().numpy()[known])))
