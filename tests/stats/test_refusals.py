"""Bounds under refusals: exact against brute force over how the refused answers could have gone."""

from __future__ import annotations

from itertools import product
from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, linprog

from calm_lm.errors import CalmError
from calm_lm.stats.distances import RowDistance, jensen_shannon_rows, total_variation_rows, wasserstein_rows
from calm_lm.stats.refusals import DistanceName, refusal_bounds

NAMES: tuple[DistanceName, ...] = get_args(DistanceName)
ROWS: dict[str, RowDistance] = {
    "wasserstein": wasserstein_rows,
    "jensen_shannon": jensen_shannon_rows,
    "total_variation": total_variation_rows,
}


def simplex(k: int, steps: int) -> np.ndarray:
    """All shares over k options in steps of 1 / steps."""
    counts = [c for c in product(range(steps + 1), repeat=k - 1) if sum(c) <= steps]
    return np.array([[*c, steps - sum(c)] for c in counts]) / steps


@st.composite
def cases(draw: st.DrawFn, k: int | None = None) -> tuple[np.ndarray, float, np.ndarray]:
    k = k or draw(st.integers(2, 7))
    counts = st.lists(st.integers(0, 9), min_size=k, max_size=k).filter(any)
    p, q = np.array(draw(counts)), np.array(draw(counts))
    return p / p.sum(), draw(st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.9, 1.0])), q / q.sum()


def least_wasserstein(p: np.ndarray, r: float, q: np.ndarray, scale: np.ndarray) -> float:
    """By linear programming: shares m of the refused answers, and slack above each |cumulated difference|."""
    k = len(p)
    below = np.tril(np.ones((k, k)))[:-1]
    offset = below @ (q - (1 - r) * p)
    upper = np.block([[r * below, -np.eye(k - 1)], [-r * below, -np.eye(k - 1)]])
    cost = np.concatenate([np.zeros(k), np.diff(scale)])
    whole = np.concatenate([np.ones(k), np.zeros(k - 1)])[None]
    return float(linprog(cost, upper, np.concatenate([offset, -offset]), whole, [1]).fun)


def test_by_hand() -> None:
    # half of the answers "no" (where all people are), half refused: from nothing wrong to all of it at the far end
    for name, high in (("wasserstein", 0.5), ("total_variation", 0.5)):
        found = refusal_bounds([[1, 0, 0]], [0.5], [[1, 0, 0]], name)
        np.testing.assert_allclose(found, [[0], [0.5], [0], [high]])
    # answered (1, 0), people (.4, .6), 20 % refused: at best (.8, .2), at worst (1, 0)
    found = refusal_bounds([[1, 0]], [0.2], [[0.4, 0.6]], "total_variation")
    np.testing.assert_allclose(found, [[0.6], [0.2], [0.4], [0.6]])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(cases(k=3))
def test_no_share_of_a_fine_grid_is_outside_and_the_bounds_are_reached(
    name: DistanceName, case: tuple[np.ndarray, float, np.ndarray]
) -> None:
    p, r, q = case
    ways = (1 - r) * p + r * simplex(3, 40)
    values = ROWS[name](ways, np.tile(q, (len(ways), 1)))
    found = refusal_bounds([p], [r], [q], name)
    assert values.min() >= found.low[0] - 1e-9
    assert values.max() == pytest.approx(found.high[0], abs=1e-9)
    # a grid step moves a distance by little; Jensen-Shannon is steep where options are empty
    assert values.min() <= found.low[0] + (0.16 if name == "jensen_shannon" else 0.05) * r + 1e-9


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=80, deadline=None)
@given(cases(), st.integers(0, 2**32 - 1))
def test_no_random_way_is_outside_and_the_score_is_inside(
    name: DistanceName, case: tuple[np.ndarray, float, np.ndarray], seed: int
) -> None:
    p, r, q = case
    k = len(p)
    m = np.random.default_rng(seed).dirichlet(np.full(k, 0.3), size=300)
    values = ROWS[name]((1 - r) * p + r * m, np.tile(q, (300, 1)))
    found = refusal_bounds([p], [r], [q], name)
    assert found.low[0] - 1e-9 <= values.min()
    assert values.max() <= found.high[0] + 1e-9
    if r < 1:
        assert found.low[0] <= found.score[0] <= found.high[0]


@settings(max_examples=80, deadline=None)
@given(cases(), st.booleans())
def test_the_least_wasserstein_equals_a_linear_programme(
    case: tuple[np.ndarray, float, np.ndarray], uneven: bool
) -> None:
    p, r, q = case
    scale = np.arange(len(p)) ** (2.0 if uneven else 1.0) / (len(p) - 1) ** (2.0 if uneven else 1.0)
    found = refusal_bounds([p], [r], [q], "wasserstein", scale).low[0]
    assert found == pytest.approx(least_wasserstein(p, r, q, scale), abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(cases())
def test_the_other_lowest_values_are_reached_by_a_level_found_by_bisection(
    case: tuple[np.ndarray, float, np.ndarray],
) -> None:
    p, r, q = case
    assume(r > 0)
    kept = (1 - r) * p
    level = brentq(lambda t: np.maximum(kept, t * q).sum() - 1, -1, 1 + 1e-12, xtol=1e-15)
    mixture = np.maximum(kept, level * q)
    mixture /= mixture.sum()
    for name in ("jensen_shannon", "total_variation"):
        low = refusal_bounds([p], [r], [q], name).low[0]
        assert low == pytest.approx(ROWS[name]([mixture], [q])[0], abs=1e-7)
    assert low == pytest.approx(np.maximum(kept - q, 0).sum(), abs=1e-12)  # what is too much already stays too much


@settings(max_examples=40, deadline=None)
@given(cases())
def test_no_descent_gets_below_the_least_jensen_shannon(case: tuple[np.ndarray, float, np.ndarray]) -> None:
    p, r, q = case
    grid = simplex(len(p), 2 if len(p) > 4 else 10)
    best = np.full(len(p), 1 / len(p))
    for step in 0.5 ** np.arange(40):  # go to the best point around, ever nearer
        tries = np.vstack([best, (1 - step) * best + step * grid])
        values = jensen_shannon_rows((1 - r) * p + r * tries, np.tile(q, (len(tries), 1)))
        best = tries[values.argmin()]
    low = refusal_bounds([p], [r], [q], "jensen_shannon").low[0]
    assert low <= values.min() + 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_without_refusals_the_bounds_are_the_score_and_more_refusals_only_widen(name: DistanceName) -> None:
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(5), 50), rng.dirichlet(np.ones(5), 50)
    before = refusal_bounds(p, np.zeros(50), q, name)
    np.testing.assert_allclose(before.low, before.score, atol=1e-9)
    np.testing.assert_allclose(before.high, before.score, atol=1e-9)
    for r in (0.1, 0.4, 0.8, 1.0):
        after = refusal_bounds(p, np.full(50, r), q, name)
        assert (after.low <= before.low + 1e-12).all()
        assert (after.high >= before.high - 1e-12).all()
        before = after


@pytest.mark.parametrize("name", NAMES)
def test_a_row_refused_whole_has_bounds_and_no_score(name: DistanceName) -> None:
    q = [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]
    found = refusal_bounds([[np.nan] * 3, [0.5, 0.5, 0.0]], [1.0, 0.0], q, name)
    assert np.isnan(found.score).tolist() == [True, False]
    assert found.low[0] == pytest.approx(0, abs=1e-9)
    corners = ROWS[name](np.eye(3), np.tile(q[0], (3, 1)))
    assert found.high[0] == pytest.approx(corners.max())


def test_a_refusal_is_neither_dropped_nor_an_option() -> None:
    q = np.array([[0.3, 0.7]])
    as_option = jensen_shannon_rows([[0.15, 0.35, 0.5]], [[0.3, 0.7, 0.0]])[0]  # the defect: a last bucket
    found = refusal_bounds(q, [0.5], q, "jensen_shannon")
    assert as_option > 0.4
    assert found.score == 0
    assert found.refused == 0.5
    assert found.high > 0.2


@pytest.mark.parametrize(
    ("p", "r", "q", "name", "code"),
    [
        ([[0.5, 0.5]], [0.1], [[0.5, 0.5]], "kl", "S22"),
        ([[0.5, 0.5]], [1.1], [[0.5, 0.5]], "wasserstein", "S06"),
        ([[0.5, 0.5]], [0.1, 0.2], [[0.5, 0.5]], "wasserstein", "S09"),
        ([[np.nan, 0.5]], [0.9], [[0.5, 0.5]], "wasserstein", "S04"),
        ([[0.5, 0.5], [1.0]], [0.9, 0.9], [[0.5, 0.5]] * 2, "wasserstein", "S29"),
        ([[1.0]], [0.9], [[1.0]], "wasserstein", "S20"),
    ],
)
def test_bad_input_is_named(p: object, r: object, q: object, name: str, code: str) -> None:
    with pytest.raises(CalmError, match=code):
        refusal_bounds(p, r, q, name)  # type: ignore[arg-type]
