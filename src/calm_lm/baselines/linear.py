"""Logistic regression on TF-IDF, the sentence view, the backbone's states, or both, with or without the reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from calm_lm.baselines.features import View, fit_scale, text_vectors
from calm_lm.baselines.predictor import Predictor, calibrated, choice_score
from calm_lm.baselines.protocol import BaselineInput
from calm_lm.baselines.softmax_regression import Coefficients, Design, design, fit_softmax, scores
from calm_lm.stats.arrays import Floats
from calm_lm.training.material import Rows

Features = Callable[[Sequence[str]], Any]  # texts to [U, F], dense or sparse
# Strongest first, so that each fit starts near the next; sklearn's C is 1 / (penalty * rows).
PENALTIES = tuple(10 ** (-step / 2) for step in range(15))
WITHOUT_VALID = 1e-2
WORDS = re.compile(r"\w+|[^\w\s]")
PATIENCE = 2  # weaker penalties are not tried after this many losses in a row
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
    """Choose penalty and scale by cross-entropy on the validation rows; without those there is no choice."""
    lay_out = partial(_lay_out, readers=readers)
    x = features(given.train.texts)
    if given.valid is None:
        shares = given.train.shares.double().numpy()
        best = _Tried(0.0, scales[0], fit_softmax(x, lay_out(given.train, scales[0]), shares, WITHOUT_VALID))
        variants = 1
    else:
        x_valid = features(given.valid.texts)
        tried = [fit for scale in scales for fit in _path(x, given.train, x_valid, given.valid, scale, lay_out)]
        best, variants = min(tried, key=lambda fit: fit.score), len(tried)

    def logits(rows: Rows) -> Floats:
        return scores(features(rows.texts), lay_out(rows, best.scale), best.found)

    return calibrated(name, logits, given.valid, parameters=best.found.size, variants=variants)


class _Tried(NamedTuple):
    """One fit and its cross-entropy on the validation rows."""

    score: float
    scale: float
    found: Coefficients


def _path(
    x: Any, train: Rows, x_valid: Any, valid: Rows, scale: float, lay_out: Callable[[Rows, float], Design]
) -> list[_Tried]:
    """Fits from the strongest penalty on, until weaker ones no longer help."""
    laid, laid_valid, shares = lay_out(train, scale), lay_out(valid, scale), train.shares.double().numpy()
    tried: list[_Tried] = []
    found: Coefficients | None = None
    for penalty in PENALTIES:
        found = fit_softmax(x, laid, shares, penalty, start=found)
        tried.append(_Tried(choice_score(scores(x_valid, laid_valid, found), valid), scale, found))
        past = [fit.score for fit in tried]
        if len(past) > PATIENCE and min(past[:-PATIENCE]) <= min(past[-PATIENCE:]):
            break
    return tried


def _lay_out(rows: Rows, by_reader: float, *, readers: bool) -> Design:
    weights = rows.readers.double().numpy() if readers else np.zeros((len(rows.examples), 0))
    return design(rows.text_of.numpy(), len(rows.texts), weights, by_reader)
