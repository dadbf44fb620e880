"""Nearest neighbours: what the same reader said of the training texts most like this one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from calm_lm.baselines.features import View, fit_scale, text_vectors
from calm_lm.baselines.predictor import Predictor, calibrated, choice_score
from calm_lm.baselines.protocol import BaselineInput
from calm_lm.stats.arrays import Floats
from calm_lm.stats.probability import EPSILON
from calm_lm.training.material import Rows

NEIGHBOURS = (1, 3, 5, 10, 20, 50)
PRIOR = 1.0  # the reader's own label shares count as one more neighbour, so that no label is impossible
TEXTS_AT_ONCE = 512


def fit_nearest(given: BaselineInput, seed: int) -> Predictor:
    """Vote shares of the k nearest training texts that this reader has read, by cosine; k chosen on validation.

    Texts lie in the sentence view, or in that of the standardised mean states where there is no encoder. A blend
    is the mixture of its readers; rows without a reader, and readers that read no training text, use all rows.
    """
    view: View = "states" if given.views.sentences is None else "sentence"
    scale = fit_scale(text_vectors(given, given.train.texts, view))

    def directions(texts: Sequence[str]) -> Tensor:
        vectors = text_vectors(given, texts, view)
        return F.normalize(scale(vectors) if view == "states" else vectors, dim=1)

    memory = _Memory(given.train, directions(given.train.texts))

    def with_k(k: int, rows: Rows) -> Floats:
        return memory.logits(rows, directions(rows.texts), k)

    best = NEIGHBOURS[2]
    if given.valid is not None:
        valid = given.valid
        best = min(NEIGHBOURS, key=lambda k: choice_score(with_k(k, valid), valid))
    variants = 1 if given.valid is None else len(NEIGHBOURS)
    return calibrated("nearest", lambda rows: with_k(best, rows), given.valid, parameters=0, variants=variants)


class _Memory:
    """Training rows by reader; the last shelf holds all of them."""

    def __init__(self, train: Rows, directions: Tensor) -> None:
        self.directions = directions
        known = train.known > 0
        shelves = [known & (train.readers[:, r] > 0.5) for r in range(train.readers.size(1))]
        self.shelves = [_Shelf.of(train, shelf if bool(shelf.any()) else known) for shelf in (*shelves, known)]

    def logits(self, rows: Rows, queries: Tensor, k: int) -> Floats:
        """Logarithms of the mixed shares, [N, L]."""
        weights = torch.cat([rows.readers, (rows.readers.sum(1, keepdim=True) == 0).float()], 1)
        mixed = torch.zeros(len(rows.examples), rows.shares.size(1))
        for shelf, weight in zip(self.shelves, weights.unbind(1), strict=True):
            at = weight.nonzero().squeeze(1)
            if len(at):
                texts, back = torch.unique(rows.text_of[at], return_inverse=True)
                mixed[at] += weight[at, None] * shelf.shares_near(queries[texts], self.directions, k)[back]
        logs: Floats = np.log(np.maximum(mixed.double().numpy(), EPSILON))
        return logs


class _Shelf:
    """What one reader said: numbers of the texts, the shares given to each, and the mean share of each label."""

    def __init__(self, texts: Tensor, shares: Tensor) -> None:
        self.texts, self.shares, self.prior = texts, shares, shares.mean(0)

    @classmethod
    def of(cls, train: Rows, members: Tensor) -> _Shelf:
        """Rows of the same text are averaged, so that a text is one neighbour."""
        texts, place = torch.unique(train.text_of[members], return_inverse=True)
        sums = torch.zeros(len(texts), train.shares.size(1)).index_add_(0, place, train.shares[members])
        return cls(texts, sums / sums.sum(1, keepdim=True).clamp_min(EPSILON))

    def shares_near(self, queries: Tensor, directions: Tensor, k: int) -> Tensor:
        """Mean shares of the k nearest, smoothed by the prior. queries [U, d] -> [U, L]."""
        kept = directions[self.texts]
        k = min(k, len(self.texts))
        near = [self.shares[(block @ kept.t()).topk(k).indices].sum(1) for block in torch.split(queries, TEXTS_AT_ONCE)]
        return (torch.cat(near) + PRIOR * self.prior) / (k + PRIOR)
