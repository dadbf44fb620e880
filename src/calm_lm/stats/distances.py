"""How far a model's shares over the options of a survey item lie from people's, row by row.

`p` is the model and `q` the people, both `[N, K]`, checked by `shares.option_pair`. Columns of zeros for options
that nobody was offered leave Jensen-Shannon, total variation and the modal match as they are; the others need the
item's own options. A refusal is no option: see `refusals`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from calm_lm.stats.arrays import Floats, require
from calm_lm.stats.shares import option_pair, option_shares, scale_positions

RowDistance = Callable[[Floats, Floats], Floats]
"""From a model's and people's shares `[N, K]` to a number per row `[N]`."""

TIE = 1e-9  # shares this close are one mode: they differ by rounding only


def wasserstein_rows(p: npt.ArrayLike, q: npt.ArrayLike, positions: npt.ArrayLike | None = None) -> Floats:
    """1-Wasserstein (earth mover's) distance per row `[N]` on the ordinal scale from 0 to 1; lower is better.

    Sum over k < K of (x[k+1] - x[k]) * |P[k] - Q[k]|, with P and Q the cumulated shares and x the positions. From 0
    (equal) to 1 (all at opposite ends). For ordinal items only. Source: the metric of WorldValuesBench, 2024.
    """
    model, people = option_pair(p, q)
    gaps = np.diff(scale_positions(model.shape[1], positions))
    apart: Floats = np.abs(np.cumsum(model - people, axis=1)[:, :-1]) @ gaps
    limited: Floats = np.minimum(apart, 1.0)
    return limited


def jensen_shannon_rows(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Jensen-Shannon distance per row `[N]`; lower is better, symmetric, blind to the order of options.

    Square root of (KL(p || m) + KL(q || m)) / 2 in bits, m = (p + q) / 2. From 0 (equal) to 1 (no option in common).
    GlobalOpinionQA's similarity is one minus this (Durmus et al. 2023). Source: Endres & Schindelin 2003.
    """
    return shannon_distance(*option_pair(p, q))


def shannon_distance(p: Floats, q: Floats) -> Floats:
    """`jensen_shannon_rows` of shares already checked `[..., K]`, giving `[...]`.

    With d = (p - q) / (p + q), an option adds m * (log(1 - d^2) + 2 d artanh d) / 2: no two large terms cancel, so
    shares that almost agree keep a distance that is right.
    """
    total = p + q
    d = np.divide(p - q, total, out=np.zeros_like(total), where=total > 0)
    inner = np.where(np.abs(d) < 1, d, 0.0)
    bend = np.where(np.abs(d) < 1, np.log1p(-(inner**2)) + 2 * inner * np.arctanh(inner), 2 * np.log(2))
    bits = (total * bend).sum(axis=-1) / (4 * np.log(2))
    distance: Floats = np.sqrt(np.clip(bits, 0.0, 1.0))
    return distance


def kl_rows(p: npt.ArrayLike, q: npt.ArrayLike, *, smoothing: float) -> Floats:
    """Kullback-Leibler divergence KL(people || model) per row `[N]` in nats; lower is better, not symmetric.

    Sum of q' * log(q' / p') with p' = (p + s) / (1 + K s) and q' likewise. From 0 (equal) to
    log((1 + s) / s) / (1 + K s). The logarithm is taken of probabilities: a second softmax would squeeze them towards
    uniform and the divergence towards 0.

    Args:
        p: the model's shares `[N, K]`.
        q: the people's shares `[N, K]`.
        smoothing: s, above 0, added to every option of both; without it one option that only people use makes the
            row infinite. State it beside the result, which depends on it. That both are smoothed is our choice.

    Raises:
        CalmError: S01 for a smoothing that is not above 0.
    """
    require(bool(np.isfinite(smoothing) and smoothing > 0), "smoothing", smoothing, "a number above 0")
    model, people = ((rows + smoothing) / (1 + rows.shape[1] * smoothing) for rows in option_pair(p, q))
    nats: Floats = (people * np.log(people / model)).sum(axis=1)
    return np.maximum(nats, 0.0)


def total_variation_rows(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Total variation per row `[N]`: half the sum of |p - q|, the share of answers that would have to change.

    From 0 (equal) to 1 (no option in common); lower is better; symmetric, blind to the order of options.
    """
    model, people = option_pair(p, q)
    moved: Floats = np.minimum(np.abs(model - people).sum(axis=1) / 2, 1.0)
    return moved


def modal_match_rows(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Whether the model's most likely option is people's most frequent one, per row `[N]`: 0 to 1, higher is better.

    With ties it is the share of the model's modes that are modes of the people: what a model that breaks its ties by
    lot is expected to score, and independent of the order of options (our choice). A uniform model gets 1 / K where
    people have one mode; where people are undecided, each of their modes is right.
    """
    tops = [rows >= rows.max(axis=1, keepdims=True) - TIE for rows in option_pair(p, q)]
    matched: Floats = (tops[0] & tops[1]).sum(axis=1) / tops[0].sum(axis=1)
    return matched


def mean_position_rows(p: npt.ArrayLike, positions: npt.ArrayLike | None = None) -> Floats:
    """Mean answer per row `[N]` on the ordinal scale from 0 to 1, never rounded. For ordinal items only."""
    shares = option_shares(p, "p")
    return np.clip(shares @ scale_positions(shares.shape[1], positions), 0.0, 1.0)


def spread_rows(p: npt.ArrayLike, positions: npt.ArrayLike | None = None) -> Floats:
    """Standard deviation of answers per row `[N]` on the ordinal scale from 0 to 1: 0 (all alike) to 0.5 (halves)."""
    shares = option_shares(p, "p")
    scale = scale_positions(shares.shape[1], positions)
    off = scale - (shares @ scale)[:, None]
    spread: Floats = np.minimum(np.sqrt((shares * off**2).sum(axis=1)), 0.5)
    return spread
