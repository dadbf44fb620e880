"""What refusals can hide: the lowest and highest distance over every way the refused answers could have gone.

A refusal is neither dropped nor an option of its own (people had no such option). The point score is that of the
answered part alone; beside it stand the share refused and the bounds. An answer nobody could parse counts as refused.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Floats, as_fractions, require_same
from calm_lm.stats.distances import RowDistance, jensen_shannon_rows, total_variation_rows, wasserstein_rows
from calm_lm.stats.shares import option_pair, scale_positions, with_gaps

DistanceName = Literal["wasserstein", "jensen_shannon", "total_variation"]


class RefusalBounds(NamedTuple):
    """Distance to people per row, and what the refused answers could make of it; all `[N]`, from 0 to 1.

    Attributes:
        score: distance of the answered part; `nan` where everything was refused.
        refused: share of answers refused.
        low: the distance if the refused answers had gone where they help most.
        high: the distance if they had gone where they hurt most.
    """

    score: Floats
    refused: Floats
    low: Floats
    high: Floats


def refusal_bounds(
    p: npt.ArrayLike,
    refused: npt.ArrayLike,
    q: npt.ArrayLike,
    distance: DistanceName,
    positions: npt.ArrayLike | None = None,
) -> RefusalBounds:
    """Exact bounds of a distance over all mixtures (1 - r) p + r m, with m any shares over the options.

    Each distance is a convex function of m or an increasing function of one, so the highest value has all refused
    answers on one option. The lowest: for Jensen-Shannon and total variation (and every f-divergence) the refused
    answers fill up the options with the least ratio of model to people until the ratios are level; for Wasserstein
    they follow a weighted L1 isotonic regression of the cumulated shares. Reporting score, share and bounds together
    is our choice.

    Args:
        p: shares of the answered part `[N, K]`; a row whose answers were all refused is not read and may be `nan`.
        refused: share refused `[N]`, 0 to 1.
        q: the people's shares `[N, K]`, of those who answered.
        distance: the name of a distance.
        positions: of the options, for "wasserstein"; see `scale_positions`.

    Raises:
        CalmError: S22 for another distance, S06 for a share outside 0 to 1, S09 and S29 for shapes that do not fit.
    """
    r, answered = as_fractions(refused, "refused"), with_gaps(p, "p", "N, K")
    require_same("refused", r.shape, "the rows of p", answered.shape[:1])
    answered[r == 1] = 1 / answered.shape[1]  # whatever stood there is no answer
    model, people = option_pair(answered, q)
    measure = _measure(distance, positions)
    kept = (1 - r)[:, None] * model
    high = np.max([measure(kept + r[:, None] * corner, people) for corner in np.eye(model.shape[1])], axis=0)
    if distance == "wasserstein":
        low = _least_wasserstein(kept, r, people, scale_positions(model.shape[1], positions))
    else:
        low = measure(_levelled(kept, r, people), people)
    score = np.where(r < 1, measure(model, people), np.nan)
    # m = p is one of the ways, so the score lies inside: rounding must not put it outside
    return RefusalBounds(score, r, np.fmin(low, score), np.fmax(high, score))


def _measure(distance: DistanceName, positions: npt.ArrayLike | None) -> RowDistance:
    if distance == "wasserstein":
        return lambda p, q: wasserstein_rows(p, q, positions)
    if distance == "jensen_shannon":
        return jensen_shannon_rows
    if distance == "total_variation":
        return total_variation_rows
    raise CalmError(
        "S22",
        "is not a distance that has bounds under refusals.",
        field="distance",
        value=distance,
        fix="use wasserstein, jensen_shannon or total_variation.",
    )


def _levelled(kept: Floats, r: Floats, people: Floats) -> Floats:
    """The mixture max(kept, t * people) that sums to one.

    Such a level t is the least, over sets of options, of (r + kept in the set) / (people in the set), and only the
    sets of options with the smallest ratios matter.
    """
    ratio = np.divide(kept, people, out=np.full_like(kept, np.inf), where=people > 0)
    order = np.argsort(ratio, axis=1)
    filled = r[:, None] + np.cumsum(np.take_along_axis(kept, order, axis=1), axis=1)
    room = np.cumsum(np.take_along_axis(people, order, axis=1), axis=1)
    level = np.divide(filled, room, out=np.full_like(room, np.inf), where=room > 0).min(axis=1)
    mixture = np.maximum(kept, level[:, None] * people)
    levelled: Floats = mixture / mixture.sum(axis=1, keepdims=True)
    return levelled


def _least_wasserstein(kept: Floats, r: Floats, people: Floats, scale: Floats) -> Floats:
    """The least sum of gap * |R - wanted| over R that rises from 0 to r, the refused answers cumulated.

    Some best R takes only the values 0, r and the wanted ones, so it is found by going through the options once with
    the least cost of ending at or below each of these values.
    """
    raw = np.cumsum(people - kept, axis=1)[:, :-1]
    wanted = np.clip(raw, 0.0, r[:, None])
    gaps = np.diff(scale)
    values = np.sort(np.column_stack([np.zeros_like(r), wanted, r]), axis=1)
    cost = np.zeros_like(values)
    for k, gap in enumerate(gaps):
        cost = np.minimum.accumulate(cost + gap * np.abs(values - wanted[:, k, None]), axis=1)
    least: Floats = cost[:, -1] + np.abs(raw - wanted) @ gaps  # and what no answer could have mended
    return least
