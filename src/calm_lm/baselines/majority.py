"""Label shares of the training rows, whatever the text says."""

from __future__ import annotations

import numpy as np

from calm_lm.baselines.predictor import Predictor
from calm_lm.baselines.protocol import BaselineInput
from calm_lm.stats.arrays import Floats
from calm_lm.stats.probability import EPSILON
from calm_lm.training.material import Rows


def fit_majority(given: BaselineInput, seed: int) -> Predictor:
    """The same shares for everybody."""
    overall = _overall(given.train)
    return _constant("majority", overall, np.tile(overall, (given.train.readers.size(1), 1)))


def fit_majority_reader(given: BaselineInput, seed: int) -> Predictor:
    """Each reader's own shares; a blend's are mixed, and rows without a reader get everybody's."""
    overall = _overall(given.train)
    readers, shares = given.train.readers.double().numpy(), given.train.shares.double().numpy()
    sums = readers.T @ shares
    total = sums.sum(1, keepdims=True)
    return _constant("majority-reader", overall, np.where(total > 0, sums / np.maximum(total, EPSILON), overall))


def _overall(train: Rows) -> Floats:
    sums = train.shares.double().sum(0).numpy()
    n_labels = len(sums)
    shares: Floats = sums / sums.sum() if sums.sum() > 0 else np.full(n_labels, 1 / n_labels)
    return shares


def _constant(name: str, overall: Floats, by_reader: Floats) -> Predictor:
    """Counted shares are what they are: no temperature."""

    def logits(rows: Rows) -> Floats:
        readers = rows.readers.double().numpy()
        present = readers.sum(1, keepdims=True)
        mixed = np.where(present > 0, readers @ by_reader / np.maximum(present, EPSILON), overall)
        logs: Floats = np.log(np.maximum(mixed, EPSILON))
        return logs

    trained = overall.size if name == "majority" else by_reader.size
    return Predictor(name, trained, 1, 1.0, logits)
