"""Logistic regression on TF-IDF, the sentence view, the backbone's states, or both, with or without the reader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from calm_lm.baselines.features import View, fit_scale, text_vectors
from calm_lm.baselines.predictor import Predictor, calibrated
from calm_lm.baselines.protocol import BaselineInput
from calm_lm.stats.arrays import Floats
from calm_lm.stats.softmax_regression import scores
from calm_lm.training.linear import Features, fit_linear, lay_out
from calm_lm.training.material import Rows

WORDS = re.compile(r"\w+|[^\w\s]")
READER_SCALES = (0.3, 1.0)  # of weights that differ by reader


def fit_tfidf(given: BaselineInput, seed: int) -> Predictor:
    """Words and pairs of words, the texts of the training rows as vocabulary."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, tokenizer=WORDS.findall, token_pattern=None)
    vectorizer.fit(given.train.texts)
    return _fit("tfidf", given, vectorizer.transform, readers=False, scales=(0.0,))


def fit_view(given: BaselineInput, seed: int, *, name: str, view: View, readers: bool, by_reader: bool) -> Predictor:
    """One view, features centred and scaled.

    Args:
        given: what it is fitted on.
        seed: not used, chance does not enter.
        name: the baseline's name.
        view: which vectors.
        readers: give each reader an offset.
        by_reader: give each reader weights of its own, added to the common ones.
    """
    scale = fit_scale(text_vectors(given, given.train.texts, view))

    def features(texts: Sequence[str]) -> Any:
        return scale(text_vectors(given, texts, view)).numpy()

    return _fit(name, given, features, readers=readers, scales=READER_SCALES if by_reader else (0.0,))


def _fit(name: str, given: BaselineInput, features: Features, *, readers: bool, scales: Sequence[float]) -> Predictor:
    scale, found, variants = fit_linear(features, given.train, given.valid, readers=readers, scales=scales)

    def logits(rows: Rows) -> Floats:
        return scores(features(rows.texts), lay_out(rows, scale, readers=readers), found)

    return calibrated(name, logits, given.valid, parameters=found.size, variants=variants)
