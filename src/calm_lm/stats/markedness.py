"""How texts about places differ: symbols of a place, their diversity, and whose symbols stand in texts about nobody.

Counts are of texts: in how many of a place's texts a symbol occurs. After CULTURE-GEN (Li and others 2024, arXiv
2404.10199, section 3), which picks symbols by conditional probability against a neutral prompt and measures diversity
by Simpson's index; the smoothed log-odds and the entropy of the leak are our choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Floats, Ints, as_floats, require, require_same

NOBODY = -1  # owner of a symbol that is no place's own


def smoothed_log_odds(holding: npt.ArrayLike, texts: npt.ArrayLike, prior: float = 0.5) -> Floats:
    """Log-odds of a place's texts to hold a symbol minus those of all other places' texts together [P, V].

    `prior` texts with and `prior` without the symbol are added on both sides, so that no odds are infinite.

    Args:
        holding: in how many texts of each place each symbol occurs [P, V], P from 2.
        texts: how many texts each place has [P].
        prior: above 0.

    Raises:
        CalmError: S40 for a count that is none, S41 for fewer than two places or more texts with a symbol than texts.
    """
    held, sizes = _counts(holding, "holding", ndim=2), _counts(texts, "texts")
    require_same("texts", sizes.shape, "places", held.shape[:1])
    require(prior > 0, "prior", prior, "a number above 0")
    if len(held) < 2 or (held > sizes[:, None]).any():
        raise CalmError(
            "S41", "needs two places or more, and no more texts with a symbol than texts.", field="holding",
            value=held.shape, fix="count each text once for a symbol, however often it occurs there.",
        )  # fmt: skip
    others, rest = held.sum(0) - held, (sizes.sum() - sizes)[:, None]
    inside: Floats = np.log(held + prior) - np.log(sizes[:, None] - held + prior)
    outside: Floats = np.log(others + prior) - np.log(rest - others + prior)
    return inside - outside


def owners(log_odds: Floats, holding: npt.ArrayLike, least: float, texts: int = 2) -> Ints:
    """Which place each symbol belongs to [V], `NOBODY` where it stands out nowhere.

    It belongs to the place where its log-odds [P, V] are greatest, if they are at least `least` and it occurs in at
    least `texts` of that place's texts. The first of two equal places would win by its name alone: neither does.
    """
    held = _counts(holding, "holding", ndim=2)
    require_same("holding", held.shape, "log_odds", log_odds.shape)
    best = log_odds.argmax(0)
    top = log_odds.max(0)
    alone = (log_odds == top).sum(0) == 1
    enough = np.take_along_axis(held, best[None], 0)[0] >= texts
    found: Ints = np.where((top >= least) & enough & alone, best, NOBODY)
    return found


def simpson_diversity(counts: npt.ArrayLike) -> float:
    """Chance that two draws without putting back are of different kinds, 0 to 1; `nan` for fewer than two.

    Source: Simpson 1949, the unbiased form: 1 - sum n (n - 1) / N (N - 1).

    Args:
        counts: how often each kind occurs [V].
    """
    n = _counts(counts, "counts")
    total = n.sum()
    if total < 2:
        return float("nan")
    return float(1 - (n * (n - 1)).sum() / (total * (total - 1)))


def distinct_n(texts: Sequence[Sequence[str]], n: int) -> float:
    """Different runs of `n` words over all runs in `texts` [N] (words in order), 0 to 1; `nan` where there is none.

    It falls with the amount of text: compare equal amounts only. Source: Li and others 2016 (arXiv 1510.03055).
    """
    require(n >= 1, "n", n, "a whole number from 1")
    runs = [tuple(words[at : at + n]) for words in texts for at in range(len(words) - n + 1)]
    return len(set(runs)) / len(runs) if runs else float("nan")


def leak_shares(counts: npt.ArrayLike, owner: npt.ArrayLike, places: int) -> Floats:
    """Whose symbols stand in texts about nobody: share of each place in what is somebody's [P], sums to one.

    `nan` throughout where nothing in them is anybody's.

    Args:
        counts: in how many texts about nobody each symbol occurs [V].
        owner: as from `owners` [V].
        places: P.
    """
    n, whose = _counts(counts, "counts"), np.asarray(owner)
    require_same("owner", whose.shape, "counts", n.shape)
    held = np.bincount(whose[whose != NOBODY], weights=n[whose != NOBODY], minlength=places)
    shares: Floats = held / held.sum() if held.sum() > 0 else np.full(places, np.nan)
    return shares


def evenness(shares: npt.ArrayLike) -> float:
    """Entropy of shares [P] over its greatest possible value, 0 (all in one place) to 1 (spread evenly).

    `nan` where shares are, and for one place.
    """
    p = np.asarray(shares, dtype=np.float64)
    if len(p) < 2 or not np.isfinite(p).all():
        return float("nan")
    held = p[p > 0]
    return float(np.abs((held * np.log(held)).sum()) / np.log(len(p)))


def _counts(values: npt.ArrayLike, field: str, *, ndim: int = 1) -> Floats:
    counts = as_floats(values, field, ndim=ndim)
    bad = (counts < 0) | (counts != np.floor(counts))
    if bad.any():
        raise CalmError(
            "S40", "is no count.", field=field, value=float(counts[bad][0]), fix="give whole numbers from 0.",
        )  # fmt: skip
    return counts


def jackknife_interval(estimate: float, left_out: npt.ArrayLike) -> tuple[float, float]:
    """The 95 % interval of an estimate from its values with each group of texts left out in turn.

    A bootstrap repeats texts, and repeated texts share all their symbols, which biases every figure on this page;
    leaving out does not. Source: Efron & Tibshirani 1993, equation 11.5, with the normal quantile.

    Args:
        estimate: on all groups.
        left_out: without each group [G], G from 2.

    Raises:
        CalmError: S42 for fewer than two groups.
    """
    values = as_floats(left_out, "left_out")
    if len(values) < 2:
        raise CalmError("S42", "one group has no interval.", field="left_out", value=len(values),
                        fix="draw more texts.")  # fmt: skip
    se = float(np.sqrt((len(values) - 1) / len(values) * ((values - values.mean()) ** 2).sum()))
    return estimate - 1.959964 * se, estimate + 1.959964 * se
