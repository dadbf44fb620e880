"""Logistic regression over rows: the linear baselines' fit, and the probe that CALM's answers start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from calm_lm.stats.softmax_regression import Coefficients, Design, Problem, design, fit_path, fit_softmax
from calm_lm.training.material import Rows

Features = Callable[[Sequence[str]], Any]  # texts to [U, F], dense or sparse
WITHOUT_VALID = 1e-2  # penalty where there are no validation rows to choose it on


class LinearFit(NamedTuple):
    """What was fitted.

    Attributes:
        scale: of the weights that differ by reader, 0 where none do.
        found: the coefficients.
        variants: how many fits were tried on the validation rows.
    """

    scale: float
    found: Coefficients
    variants: int


def fit_linear(
    features: Features,
    train: Rows,
    valid: Rows | None,
    *,
    readers: bool,
    scales: Sequence[float],
    without_valid: float = WITHOUT_VALID,
) -> LinearFit:
    """Choose penalty and scale by cross-entropy on the validation rows; without those there is no choice.

    Args:
        features: vectors of texts.
        train: rows to fit.
        valid: rows to choose on; None takes the first scale and a fixed penalty.
        readers: give each reader an offset (and, with a scale above 0, weights of its own).
        scales: what to try of weights that differ by reader.
        without_valid: the penalty where there is no choice.
    """

    def problem(x: Any, rows: Rows, scale: float) -> Problem:
        return Problem(x, lay_out(rows, scale, readers=readers), rows.shares.double().numpy())

    x = features(train.texts)
    if valid is None or not bool(valid.known.any()):
        one = problem(x, train, scales[0])
        return LinearFit(scales[0], fit_softmax(one.x, one.laid, one.shares, without_valid), 1)
    x_valid = features(valid.texts)
    tried = [
        (scale, fit)
        for scale in scales
        for fit in fit_path(problem(x, train, scale), problem(x_valid, valid, scale))
    ]  # fmt: skip
    scale, best = min(tried, key=lambda pair: pair[1].score)
    return LinearFit(scale, best.found, len(tried))


def lay_out(rows: Rows, by_reader: float, *, readers: bool) -> Design:
    """Who reads what; without `readers` everybody is alike."""
    weights = rows.readers.double().numpy() if readers else np.zeros((len(rows.examples), 0))
    return design(rows.text_of.numpy(), len(rows.texts), weights, by_reader)
