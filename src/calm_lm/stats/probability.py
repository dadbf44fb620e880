"""How good predicted distributions are: cross-entropy to vote shares, Brier score, calibration error.

Truth is a distribution per row (`shares` `[N, L]`): what part of a community's annotators gave each label. A
single true label is the special case `one_hot`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Floats, as_distributions, as_floats, as_labels, require, require_same
from calm_lm.stats.calibration_error import equal_mass_bins

EPSILON = 1e-7  # the least probability a logarithm sees; about one float32 rounding step below one


def softmax(logits: npt.ArrayLike) -> Floats:
    """Probabilities `[N, L]` of logits `[N, L]`."""
    rows = as_floats(logits, "logits", ndim=2)
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def one_hot(y: npt.ArrayLike, n_labels: int) -> Floats:
    """Labels `[N]` as distributions `[N, n_labels]`."""
    require(n_labels >= 1, "n_labels", n_labels, "a whole number from 1")
    return np.eye(n_labels)[as_labels(y, "y", n_labels)]


def vote_shares(votes: npt.ArrayLike, *, prior: float = 0.0) -> Floats:
    """Vote counts `[N, L]` as shares `[N, L]`.

    Args:
        votes: how many annotators gave each label (weights are allowed), none below 0.
        prior: pseudo-votes added to every label; 0 leaves the shares as they were cast. With a prior above 0 a row
            without votes becomes uniform.

    Raises:
        CalmError: S01 for a negative prior, S10 for a negative count, S11 for a row without votes and no prior.
    """
    require(np.isfinite(prior) and prior >= 0, "prior", prior, "a number from 0")
    counts = as_floats(votes, "votes", ndim=2)
    if (counts < 0).any():
        row = int(np.argmax((counts < 0).any(axis=1)))
        raise CalmError(
            "S10",
            "a vote count is below 0.",
            row=row + 1,
            field="votes",
            value=counts[row].tolist(),
            fix="give counts.",
        )
    smoothed = counts + prior
    totals = smoothed.sum(axis=1, keepdims=True)
    if (totals == 0).any():
        raise CalmError(
            "S11",
            "a row has no vote.",
            row=int(np.argmin(totals)) + 1,
            field="votes",
            fix="leave the row out, or give a prior above 0.",
        )
    shares: Floats = smoothed / totals
    return shares


def cross_entropy_rows(p: npt.ArrayLike, shares: npt.ArrayLike) -> Floats:
    """Per row `[N]`: minus the sum over labels of `shares * log p`, in nats.

    Probabilities below `EPSILON` are raised to it, without dividing by the new sum, so one row costs at most
    16.1 nats.

    Args:
        p: predicted distributions `[N, L]`.
        shares: vote shares `[N, L]`.
    """
    predicted, truth = _pair(p, shares)
    losses: Floats = -(truth * np.log(np.maximum(predicted, EPSILON))).sum(axis=1)
    return losses


def cross_entropy_to_shares(p: npt.ArrayLike, shares: npt.ArrayLike) -> float:
    """Mean of `cross_entropy_rows` over rows, in nats, of `p` `[N, L]`; least when it equals `shares` `[N, L]`."""
    return float(cross_entropy_rows(p, shares).mean())


def brier(p: npt.ArrayLike, shares: npt.ArrayLike) -> float:
    """Mean over rows of the squared distance between `p` and `shares` `[N, L]`, summed over labels: from 0 to 2.

    Source: Brier 1950. With two labels it is twice the score of the second label alone.
    """
    predicted, truth = _pair(p, shares)
    return float(((predicted - truth) ** 2).sum(axis=1).mean())


def expected_calibration_error(p: npt.ArrayLike, shares: npt.ArrayLike, *, bins: int = 15) -> float:
    """How far confidence lies from being right, from 0 to 1, for `p` and `shares` `[N, L]`.

    Confidence is the largest probability of a row; being right is the share of votes for that label. Bins hold equal
    numbers of rows (equal mass), ordered by confidence; rows of one confidence always share a bin, so the order of
    rows does not matter. The result is the mean over rows of their bin's |mean confidence - mean right|.

    Chance adds to it where rows are few: `stats.calibration_error` takes that out, this is the number to compare with
    the literature.

    Source: Naeini et al. 2015 for the error, Nixon et al. 2019 for bins of equal mass.
    """
    predicted, truth = _pair(p, shares)
    label = predicted.argmax(axis=1)
    rows = np.arange(len(label))
    confidence, right = predicted[rows, label], truth[rows, label]
    gaps = np.bincount(equal_mass_bins(confidence, bins), weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(rows))


def _pair(p: npt.ArrayLike, shares: npt.ArrayLike) -> tuple[Floats, Floats]:
    predicted, truth = as_distributions(p, "p"), as_distributions(shares, "shares")
    require_same("shares", truth.shape, "p", predicted.shape)
    return predicted, truth
