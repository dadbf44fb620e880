"""Effect sizes: how large a difference is, where a p value only says how sure its sign is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from calm_lm.stats.arrays import Floats, as_floats, as_fractions, require_same


def cohens_dz(differences: npt.ArrayLike) -> float:
    """Mean of paired differences `[N]` over their standard deviation (divided by N - 1); no bounds.

    The sign is that of the differences (A minus B). `nan` for one pair or differences that are all equal. Pairs are
    taken for independent: average within posts or people first. Source: Cohen 1988, section 2.3.5; Lakens 2013.
    """
    d = as_floats(differences, "differences")
    if len(d) < 2 or (d == d[0]).all():
        return float("nan")
    return float(d.mean() / d.std(ddof=1))


def cliffs_delta(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Chance that a value of `a` `[N]` is above one of `b` `[M]`, minus the chance that it is below: -1 to 1.

    0 where neither tends to be larger; ties count for neither. Source: Cliff 1993.
    """
    values, others = as_floats(a, "a"), np.sort(as_floats(b, "b"))
    below = np.searchsorted(others, values, side="left").sum()
    above = (len(others) - np.searchsorted(others, values, side="right")).sum()
    return float(int(below) - int(above)) / (len(values) * len(others))


def cohens_h(p: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """Difference of shares `p` and `q` per row `[N]` in arcsine units: 2 asin(sqrt p) - 2 asin(sqrt q), -pi to pi.

    One unit is equally hard to see anywhere from 0 to 1; above 0 where `p` is larger. Source: Cohen 1988, chapter 6.
    """
    shares, others = as_fractions(p, "p"), as_fractions(q, "q")
    require_same("q", others.shape, "p", shares.shape)
    h: Floats = 2 * np.arcsin(np.sqrt(shares)) - 2 * np.arcsin(np.sqrt(others))
    return h
