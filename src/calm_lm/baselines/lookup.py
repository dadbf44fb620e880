"""Looking norms up: logistic regression on what the first records of the reader's culture say, without CALM.

It tells what reflection is worth beyond the search it rests on.
"""

from __future__ import annotations

import numpy as np

from calm_lm.baselines.predictor import Predictor, calibrated
from calm_lm.baselines.protocol import BaselineInput
from calm_lm.lm.sentence import MeanPoolEncoder
from calm_lm.model.calm import EVIDENCE
from calm_lm.model.nearest_norms import NearestNorms
from calm_lm.model.norms import cite
from calm_lm.stats.arrays import Floats
from calm_lm.stats.softmax_regression import Problem, design, fit_path, fit_softmax, scores
from calm_lm.training.linear import WITHOUT_VALID
from calm_lm.training.material import Rows
from calm_lm.training.norm_sources import open_norms

SHARPNESS = 15.0  # record j counts exp(15 (cosine_j - cosine_1)) times the first


def fit_lookup(given: BaselineInput, seed: int) -> Predictor:
    """The norms' sentence embeddings weighted by nearness, plain and times the nearest one's cosine, and the cosine.

    Fitted on the training rows, whose own records may stand in the store; the penalty is chosen on validation.
    """
    store, encoder = open_norms(given.config.norms), given.pretrained.encoder
    assert store is not None
    assert encoder is not None
    says = _Says(NearestNorms(store.records, encoder), encoder)
    train = says.problem(given.train)
    if given.valid is None or not bool(given.valid.known.any()):
        found, variants = fit_softmax(train.x, train.laid, train.shares, WITHOUT_VALID), 1
    else:
        tried = fit_path(train, says.problem(given.valid))
        found, variants = min(tried, key=lambda fit: fit.score).found, len(tried)

    def logits(rows: Rows) -> Floats:
        asked = says.problem(rows)
        return scores(asked.x, asked.laid, found)

    return calibrated("lookup", logits, given.valid, parameters=found.size, variants=variants)


class _Says:
    """What the records of a row's reader say of its text, as numbers."""

    def __init__(self, source: NearestNorms, encoder: MeanPoolEncoder) -> None:
        self.source, self.encoder = source, encoder

    def problem(self, rows: Rows) -> Problem:
        """Each row as a text of its own, [N, 2 * d_sentence + 2]."""
        x, n = self._features(rows), len(rows.examples)
        return Problem(x, design(np.arange(n), n, np.zeros((n, 0)), 0.0), rows.shares.double().numpy())

    def _features(self, rows: Rows) -> Floats:
        self.source.know(rows.texts)
        texts = [rows.texts[i] for i in rows.text_of.tolist()]
        found = cite(self.source, texts, [example.reader for example in rows.examples], EVIDENCE)
        phrases = list(dict.fromkeys(hit.record.norm for hits in found for hit in hits))
        vectors = self.encoder.embed(phrases).cpu()
        spoken = dict(zip(phrases, vectors.double().numpy(), strict=True))
        features = np.zeros((len(texts), 2 * vectors.size(1) + 2))
        for row, hits in enumerate(found):
            if hits:
                nearest = hits[0].score
                weights = np.exp(SHARPNESS * np.asarray([hit.score - nearest for hit in hits]))
                said = sum(w * spoken[h.record.norm] for w, h in zip(weights / weights.sum(), hits, strict=True))
                features[row] = np.concatenate([said, nearest * said, [nearest, nearest**2]])
        return features
