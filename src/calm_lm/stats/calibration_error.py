"""How far confidence lies from being right, without what chance adds where rows are few.

In a bin of a few rows the share that is right scatters, so a model that is calibrated exactly shows a gap in every bin,
and the usual error (ECE, `stats.probability`) is above 0: 0.08 with 100 rows, 0.16 with 30, where confidence is from
0.7 to 1. Of squared gaps, what chance adds is a variance that can be estimated and taken off, as Kumar, Liang & Ma
2019 do (section 5); of absolute ones it cannot. So this is the root of the mean squared gap, in the units of
confidence and not below the mean absolute gap. How near it comes, and how often its intervals hold the truth:
`experiments/interval_coverage.py`.

What is estimated is the error of the model seen through its bins. Within a bin gaps may cancel, so an error that
changes its sign from one confidence to the next is larger than any bins show (their section 3).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from calm_lm.stats.arrays import Floats, Ints, as_floats, as_fractions, require, require_same


def equal_mass_bins(confidence: npt.ArrayLike, bins: int) -> Ints:
    """The bin `[N]`, from 0, of each row: equal numbers of rows by rising confidence, equal confidences in one bin."""
    require(bins >= 1, "bins", bins, "a whole number from 1")
    confident = as_floats(confidence, "confidence")
    below = np.searchsorted(np.sort(confident), confident)  # rows strictly less confident
    found: Ints = below * bins // len(confident)
    return found


def squared_gaps(gap: Floats, bin_of: Ints, weights: Floats) -> Floats:
    """Mean over rows of the squared mean gap of their bin, for several weightings of the rows at once.

    Args:
        gap: confidence minus being right `[N]`.
        bin_of: the bin of each row `[N]`.
        weights: `[R, N]`.

    Returns:
        `[R]`, from 0 to 1; `nan` where all weights are 0.
    """
    member = np.eye(int(bin_of.max()) + 1)[bin_of]
    sums, sizes = (weights * gap) @ member, weights @ member
    with np.errstate(invalid="ignore"):
        found: Floats = np.divide(sums**2, sizes, out=np.zeros_like(sums), where=sizes > 0).sum(1) / weights.sum(1)
    return found


def chance_in_gaps(gap: Floats, bin_of: Ints, groups: Ints) -> float:
    """What chance adds to `squared_gaps`: mean over rows of the variance of their bin's mean gap.

    Rows of a group are drawn together, so the variance of a bin is that of its groups' sums, with G / (G - 1) for G
    groups. A bin of a single group, which shows no variance, is given that of the others' rows (our choice).

    Returns:
        `nan` where no bin has two groups.
    """
    n_bins = int(bin_of.max()) + 1
    sizes = np.bincount(bin_of, minlength=n_bins)
    means = np.bincount(bin_of, weights=gap, minlength=n_bins) / np.maximum(sizes, 1)
    cells, cell_of = np.unique(np.stack([bin_of, groups]), axis=1, return_inverse=True)
    sums = np.bincount(cell_of.ravel(), weights=gap - means[bin_of])
    n_groups = np.bincount(cells[0], minlength=n_bins)
    shown = n_groups > 1
    if not shown.any():
        return float("nan")
    squares = np.bincount(cells[0], weights=sums**2, minlength=n_bins) * n_groups / np.maximum(n_groups - 1, 1)
    squares[~shown] = sizes[~shown] * squares[shown].sum() / sizes[shown].sum()
    # variance of a bin's mean is squares / size^2, and size / N of the rows are in it
    return float((squares[sizes > 0] / sizes[sizes > 0]).sum() / len(gap))


def squared_calibration_error(
    confidence: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    groups: Ints | None = None,
    weights: Floats | None = None,
    bins: int = 15,
) -> Floats:
    """The mean squared calibration error without what chance adds; take its root after any averaging (`root`).

    It is right on average also below 0, where a model that is calibrated falls every second time. Intervals of its root
    are on the safe side near 0: with 30 to 400 rows they held truths of 0 to 0.1 in 97 to 100 % of samples.

    Args:
        confidence: probability of each row's answer `[N]`.
        right: 0 or 1, or the share of votes for the answer `[N]`.
        groups: of rows that are drawn together `[N]`; every row by itself where None.
        weights: redraws of the rows `[R, N]`, the first of ones: the data as they are.
        bins: of equal mass; fewer where a bin would have less than two rows.

    Returns:
        `[R]`, the estimate first. Redraws are moved so that their mean is the estimate, since each scatters once more
        than the data do. `nan` where chance cannot be told from error (a single group).
    """
    confident, hits = as_floats(confidence, "confidence"), as_fractions(right, "right")
    require_same("right", hits.shape, "confidence", confident.shape)
    n = len(confident)
    bin_of = equal_mass_bins(confident, max(1, min(bins, n // 2)))
    gap = confident - hits
    found = squared_gaps(gap, bin_of, np.ones((1, n)) if weights is None else weights)
    found[0] -= chance_in_gaps(gap, bin_of, np.arange(n) if groups is None else groups)
    known = np.isfinite(found[1:])
    if known.any():
        found[1:] += found[0] - found[1:][known].mean()
    return found


def root(squared: npt.ArrayLike) -> Floats:
    """The root of an estimate of a square; below 0 it is 0."""
    found: Floats = np.sqrt(np.maximum(np.asarray(squared, dtype=np.float64), 0.0))
    return found
