"""Fits what cited norms say for each label (`calm_lm.model.vote`) on validation rows. Ours.

Every row counts twice: with the records it cites, and, with less weight, as if the store did not know the situation
of the first one. Only the second kind shows what a near record is worth that speaks of something else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from scipy.special import expit, log_softmax
from torch import Tensor

from calm_lm.model.calm import CalmModel
from calm_lm.stats.arrays import Bools, Floats, Ints
from calm_lm.stats.softmax_regression import Design, fit_softmax
from calm_lm.training.grounds import DROPPED, Grounds
from calm_lm.training.material import Rows
from calm_lm.training.trainer import Lesson
from calm_lm.training.validation import answer_rows

WITHHELD = DROPPED / (1 - DROPPED)  # weight of a row without its first situation; a fifth of all weight is such rows'
FOLDS = 5
FEWEST = 2 * FOLDS  # texts with evidence; below, nothing is fitted
PLACES = (0.25, 0.5, 0.75, 0.9)  # quantiles of first scores from which records may come to be trusted
RIDGES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
ROWS_AT_ONCE = 1_024


class Heard(NamedTuple):
    """Rows of validation as the fit sees them.

    Attributes:
        said: [M, d_sentence + 1] what is said to each row.
        score: [M] of its first record; 0 where it cites none.
        logits: [M, L] its answer without a vote.
        shares: [M, L] what it should say.
        weight: [M]; 0 without a target.
        text: [M] its text, so that a text is never on both sides of a fold.
    """

    said: Floats
    score: Floats
    logits: Floats
    shares: Floats
    weight: Floats
    text: Ints

    @property
    def speaking(self) -> Bools:
        """Rows that count and cite something, [M]."""
        return (self.score > 0) & (self.weight > 0)

    def part(self, rows: Bools) -> Heard:
        """Some rows."""
        said, score, logits = self.said[rows], self.score[rows], self.logits[rows]
        return Heard(said, score, logits, self.shares[rows], self.weight[rows], self.text[rows])

    def followed_by(self, other: Heard) -> Heard:
        """These rows, then the other ones."""
        said, score, logits, shares, weight = (np.concatenate([self[i], other[i]]) for i in range(5))
        return Heard(said, score, logits, shares, weight, np.concatenate([self.text, other.text]))


class Setting(NamedTuple):
    """One variant: from what score on records are trusted, how gradually, and the ridge penalty."""

    trusted_from: float
    width: float
    ridge: float


def fit_vote(model: CalmModel, lesson: Lesson, logits: Tensor) -> Tensor:
    """Fit the vote in place; the logits of the validation rows [N, L] with votes of fits that did not see them.

    Calibration on the latter is honest: a row's own vote would look surer than that of a new text. The vote stays
    0 where it does not lower the cross-fitted cross-entropy, and where fewer than `FEWEST` texts have evidence.
    """
    vote, rows = model.network.vote, lesson.valid
    grounds, withheld = lesson.valid_grounds, lesson.withheld_grounds
    if vote is None or rows is None or grounds is None or withheld is None:
        return logits
    own = _heard(model, lesson, rows, grounds, logits)
    if len(np.unique(own.text[own.speaking])) < FEWEST:
        return logits
    without = answer_rows(model, rows, lesson.views, withheld).logits
    other = _heard(model, lesson, rows, withheld, without)
    heard = own.followed_by(other._replace(weight=WITHHELD * other.weight))
    setting, voted = choose(heard, settings_for(own.score[own.speaking]))
    if setting is None:
        return logits
    vote.coefficients.copy_(torch.from_numpy(fit_setting(heard, setting)))
    vote.trusted_from.fill_(setting.trusted_from)
    vote.width.fill_(setting.width)
    return torch.from_numpy(voted[: len(logits)]).to(logits.dtype)


def settings_for(scores: Floats) -> list[Setting]:
    """The variants tried, for scores of first records [M]: trust begins at one of their quantiles."""
    low, high = np.quantile(scores, (0.25, 0.75))
    width = max(float(high - low) / 2, 1e-6)
    return [Setting(float(np.quantile(scores, place)), width, ridge) for place, ridge in product(PLACES, RIDGES)]


def choose(heard: Heard, settings: Sequence[Setting]) -> tuple[Setting | None, Floats]:
    """The setting with the least cross-fitted cross-entropy and its logits [M, L].

    None with the logits as they were where the vote saves less than a standard error over texts: of many variants
    the best one always looks a little better than none.
    """
    voted = [_cross_fit(heard, setting) for setting in settings]
    without = _losses(heard, heard.logits)
    saved = [without - _losses(heard, each) for each in voted]
    best = int(np.argmax([each.sum() for each in saved]))
    if saved[best].sum() <= math.sqrt(len(without)) * saved[best].std(ddof=1):
        return None, heard.logits
    return settings[best], voted[best]


def fit_setting(heard: Heard, setting: Setting) -> Floats:
    """Coefficients [d_sentence + 1, L] of one variant."""
    features, shares = _features(heard, setting), heard.weight[:, None] * heard.shares
    alone = Design(sparse.eye_array(len(features), format="csr"), np.zeros((len(features), 0)))  # a text is one row
    return fit_softmax(features, alone, shares, setting.ridge, beside=heard.logits).weights


def _features(heard: Heard, setting: Setting) -> Floats:
    """What the coefficients of `NormVote` multiply, [M, d_sentence + 1]."""
    trust = expit((heard.score - setting.trusted_from) / setting.width) * (heard.score > 0)
    features: Floats = trust[:, None] * heard.said
    return features


def _cross_fit(heard: Heard, setting: Setting) -> Floats:
    """Logits [M, L] with the vote of the fold that held the row's text out."""
    texts, of = np.unique(heard.text, return_inverse=True)
    fold = (np.random.default_rng(0).permutation(len(texts)) % FOLDS)[of]
    voted = heard.logits.copy()
    for held in range(FOLDS):
        out = fold == held
        voted[out] += _features(heard.part(out), setting) @ fit_setting(heard.part(~out), setting)
    return voted


def _losses(heard: Heard, logits: Floats) -> Floats:
    """Weighted cross-entropy of each text's rows, summed; [texts]."""
    per_row = -(heard.shares * log_softmax(logits, axis=1)).sum(1) * heard.weight
    losses: Floats = np.bincount(np.unique(heard.text, return_inverse=True)[1], weights=per_row).astype(np.float64)
    return losses


def _heard(model: CalmModel, lesson: Lesson, rows: Rows, grounds: Grounds, logits: Tensor) -> Heard:
    """All rows with what `grounds` says to them."""
    vote = model.network.vote
    assert vote is not None
    said, score = torch.zeros(len(logits), len(vote.coefficients)), torch.zeros(len(logits))
    for at in torch.split(torch.arange(len(logits)), ROWS_AT_ONCE):
        with torch.inference_mode():
            evidence = grounds.evidence(at, model, lesson.views)
            if evidence is not None:
                said[at], score[at] = vote.hear(evidence).cpu(), evidence.score.cpu()
    heard, scores, answers, shares, known = (
        column.double().numpy() for column in (said, score, logits, rows.shares, rows.known)
    )
    return Heard(heard, scores, answers, shares, known, rows.text_of.numpy())
