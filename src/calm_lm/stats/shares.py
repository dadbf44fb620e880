"""Shares over the options of survey items, checked once at the door.

One row per item (or per item and condition), one column per option. A row may miss the sum of one by a rounding
error (1e-4) and is then divided by its sum. `nan` is an error, except where a function says that a whole cell may be
`nan` because nobody was asked.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Bools, Floats, as_distributions, as_floats, require_same


def option_shares(values: npt.ArrayLike, field: str) -> Floats:
    """`values` as shares over two or more options `[N, K]`, every row summing to one exactly up to rounding.

    Raises:
        CalmError: S20 for fewer than two options, and those of `as_distributions`.
    """
    rows = as_distributions(values, field)
    if rows.shape[1] < 2:
        raise CalmError(
            "S20",
            "an item has fewer than two options, so every model agrees with it.",
            field=field,
            value=rows.shape[1],
            fix="leave the item out.",
        )
    shares: Floats = rows / rows.sum(axis=1, keepdims=True)
    return shares


def option_pair(p: npt.ArrayLike, q: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Both as `option_shares` of one shape.

    Raises:
        CalmError: S09 for two shapes, and those of `option_shares`.
    """
    model, people = option_shares(p, "p"), option_shares(q, "q")
    require_same("q", people.shape, "p", model.shape)
    return model, people


def scale_positions(n_options: int, positions: npt.ArrayLike | None) -> Floats:
    """Where each option of an ordinal item stands from 0 (first) to 1 (last) `[K]`.

    Args:
        n_options: from 2.
        positions: the options' own values, strictly increasing, moved and scaled to 0..1; None spaces the options
            equally by rank, whatever their codes are.

    Raises:
        CalmError: S21 for positions that do not fit the options.
    """
    if positions is None:
        return np.linspace(0.0, 1.0, n_options)
    given = as_floats(positions, "positions")
    if len(given) != n_options or (np.diff(given) <= 0).any():
        raise CalmError(
            "S21",
            f"are not {n_options} strictly increasing numbers.",
            field="positions",
            value=given.tolist(),
            fix="give one position per option, in the order of the columns; reversed items are turned before.",
        )
    scaled: Floats = (given - given[0]) / (given[-1] - given[0])
    return scaled


def with_gaps(values: npt.ArrayLike, field: str, axes: str) -> Floats:
    """`values` as float64 with one axis per name in `axes`, `nan` let through; what is no gap is checked later.

    Raises:
        CalmError: S29 for another number of axes, rows of several lengths, no row, or what is no number.
    """
    try:
        given = np.asarray(values)
    except ValueError:  # rows of several lengths
        given = np.empty(0, dtype=object)
    if given.dtype.kind not in "biuf" or given.ndim != axes.count(",") + 1 or not given.size:
        raise CalmError(
            "S29",
            f"is not an array of numbers [{axes}].",
            field=field,
            value=f"{given.dtype} array of shape {given.shape}",
            fix="fill rows with fewer options up with zeros, and mark what was not asked by nan.",
        )
    return given.astype(np.float64)


def option_cells(values: npt.ArrayLike, field: str, axes: str) -> tuple[Floats, Bools]:
    """Shares `[A, B, K]` of which whole cells may be `nan`: uniform ones stand there, and False in the mask `[A, B]`.

    Raises:
        CalmError: S29 for another shape, and those of `option_shares`.
    """
    given = with_gaps(values, field, axes)
    present: Bools = np.isfinite(given).sum(axis=2) > 0
    filled = np.where(present[:, :, None], given, 1 / given.shape[2])
    return np.stack([option_shares(rows, f"{field}[{a}]") for a, rows in enumerate(filled)]), present
