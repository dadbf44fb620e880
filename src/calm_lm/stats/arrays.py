"""What may enter a statistic: arrays checked once at the door, so the formulas behind it stay short.

Errors count rows from 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from calm_lm.errors import CalmError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SUM_TOLERANCE = 1e-4  # a float32 softmax sums to one within this


def require(condition: bool, field: str, value: object, wanted: str) -> None:
    """Refuse an option outside its range.

    Raises:
        CalmError: S01 unless `condition` holds.
    """
    if not condition:
        raise CalmError("S01", f"must be {wanted}.", field=field, value=value, fix=f"give {wanted}.")


def seeded_generator(n: int, seed: int, field: str = "n") -> np.random.Generator:
    """What draws `n` replicates: checked here, so that every resampling refuses the same numbers.

    Raises:
        CalmError: S01 for no replicate (named `field`), or a seed below 0.
    """
    require(n >= 1, field, n, "a whole number from 1")
    require(seed >= 0, "seed", seed, "a whole number from 0")
    return np.random.default_rng(seed)


def as_floats(values: npt.ArrayLike, field: str, *, ndim: int = 1) -> Floats:
    """`values` as a non-empty float64 array of `ndim` axes.

    Raises:
        CalmError: S02 for what is no array of numbers, S03 for the wrong number of axes or no row, S04 for
            `nan` or an infinity.
    """
    cause: Exception | None = None
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:  # rows of several lengths
        array, cause = np.empty(0, dtype=object), error
    if array.dtype.kind not in "biuf":
        raise CalmError(
            "S02",
            "is not an array of numbers.",
            field=field,
            value=values,
            fix="give numbers in rows of one length.",
        ) from cause
    if array.ndim != ndim or not array.size:
        raise CalmError(
            "S03",
            f"has the wrong shape: {'[N]' if ndim == 1 else '[N, L]'} with at least one row is needed.",
            field=field,
            value=array.shape,
            fix="give one row per answer; the value shown is the shape.",
        )
    floats = array.astype(np.float64)
    if not np.isfinite(floats).all():
        where = tuple(np.argwhere(~np.isfinite(floats))[0])
        raise CalmError(
            "S04",
            "is not a finite number.",
            row=int(where[0]) + 1,
            field=field,
            value=float(floats[where]),
            fix="look for a missing score or a diverged model.",
        )
    return floats


def as_labels(values: npt.ArrayLike, field: str, n_labels: int | None = None) -> Ints:
    """`values` as integer labels `[N]` in `0 .. n_labels - 1` (no upper bound when it is None).

    Raises:
        CalmError: S05 for a label that is no whole number in that range, and those of `as_floats`.
    """
    floats = as_floats(values, field)
    bad = (floats != np.floor(floats)) | (floats < 0)
    if n_labels is not None:
        bad |= floats >= n_labels
    if bad.any():
        row = int(np.argmax(bad))
        raise CalmError(
            "S05",
            "is not a label.",
            row=row + 1,
            field=field,
            value=float(floats[row]),
            fix="labels are whole numbers from 0" + ("." if n_labels is None else f" to {n_labels - 1}."),
        )
    return floats.astype(np.int64)


def as_fractions(values: npt.ArrayLike, field: str, *, ndim: int = 1) -> Floats:
    """`values` as numbers from 0 to 1 (a rounding error of 1e-6 is allowed).

    Raises:
        CalmError: S06 for a number outside, and those of `as_floats`.
    """
    floats = as_floats(values, field, ndim=ndim)
    outside = (floats < -1e-6) | (floats > 1 + 1e-6)
    if outside.any():
        where = tuple(np.argwhere(outside)[0])
        raise CalmError(
            "S06",
            "lies outside 0 to 1.",
            row=int(where[0]) + 1,
            field=field,
            value=float(floats[where]),
            fix="give probabilities or shares; logits go through softmax first.",
        )
    return np.clip(floats, 0.0, 1.0)


def as_distributions(values: npt.ArrayLike, field: str) -> Floats:
    """`values` as distributions over labels `[N, L]`: every row from 0 to 1 and summing to one within 1e-4.

    Raises:
        CalmError: S07 for a row with another sum, and those of `as_fractions`.
    """
    rows = as_fractions(values, field, ndim=2)
    sums = rows.sum(axis=1)
    wrong = np.abs(sums - 1) > SUM_TOLERANCE
    if wrong.any():
        row = int(np.argmax(wrong))
        raise CalmError(
            "S07",
            "does not sum to one.",
            row=row + 1,
            field=field,
            value=float(sums[row]),
            fix="divide each row by its sum, or use vote_shares on counts; the value shown is the sum.",
        )
    return rows


def as_ids(values: npt.ArrayLike, field: str) -> npt.NDArray[np.str_] | Ints:
    """`values` as ids `[N]` of posts, people or cultures: whole numbers, or texts that are not empty.

    Raises:
        CalmError: S08 for a missing id or one of another kind.
    """
    ids = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
    if ids.dtype.kind == "O":
        kinds = {type(one) for one in ids.flat}
        if all(issubclass(kind, str) for kind in kinds):
            ids = ids.astype(np.str_)
        elif all(issubclass(kind, (int, np.integer)) for kind in kinds):
            ids = ids.astype(np.int64)
    if ids.dtype.kind not in "iuU" or ids.ndim != 1 or not ids.size or (ids.dtype.kind == "U" and (ids == "").any()):
        missing = [one is None or one == "" or one != one for one in ids.flat]
        raise CalmError(
            "S08",
            "is not a list of ids.",
            row=missing.index(True) + 1 if any(missing) else None,
            field=field,
            value=f"{ids.dtype} array of shape {ids.shape}",
            fix="give one text or one whole number per row, of one kind, none missing.",
        )
    return ids


def require_same(field: str, shape: tuple[int, ...], other: str, other_shape: tuple[int, ...]) -> None:
    """Refuse two arrays that do not describe the same rows.

    Raises:
        CalmError: S09 when the shapes differ.
    """
    if shape != other_shape:
        raise CalmError(
            "S09",
            f"has another shape than {other} {other_shape}.",
            field=field,
            value=shape,
            fix="give both for the same rows and labels.",
        )
