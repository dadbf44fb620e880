"""Distances: by hand, by scipy, and what must hold for all shares. Every number is invented."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from calm_lm.errors import CalmError
from calm_lm.stats.distances import (
    jensen_shannon_rows,
    kl_rows,
    mean_position_rows,
    modal_match_rows,
    spread_rows,
    total_variation_rows,
    wasserstein_rows,
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """A model's and people's shares `[1, K]` with zeros and ties, from counts."""
    k = draw(st.integers(2, 7))
    counts = st.lists(st.integers(0, 20), min_size=k, max_size=k).filter(any)
    p, q = np.array(draw(counts)), np.array(draw(counts))
    return (p / p.sum())[None], (q / q.sum())[None]


def kl(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return kl_rows(p, q, smoothing=0.01)


METRICS: list[Callable[..., np.ndarray]] = [wasserstein_rows, jensen_shannon_rows, total_variation_rows]
NOMINAL: list[Callable[..., np.ndarray]] = [jensen_shannon_rows, total_variation_rows, kl, modal_match_rows]
P, Q = [[0.5, 0.5, 0.0]], [[0.0, 0.5, 0.5]]


def test_by_hand() -> None:
    assert wasserstein_rows(P, Q) == pytest.approx([0.5])  # half the people one whole scale, or all by half of it
    assert wasserstein_rows(P, Q, [1, 2, 5]) == pytest.approx([0.5])
    assert wasserstein_rows([[1, 0, 0]], [[0, 1, 0]], [1, 2, 5]) == pytest.approx([0.25])
    assert jensen_shannon_rows(P, Q) == pytest.approx([np.sqrt(0.5)])
    assert total_variation_rows(P, Q) == pytest.approx([0.5])
    assert mean_position_rows([[0.25, 0.25, 0.5]]) == pytest.approx([0.625])
    assert spread_rows([[0.5, 0, 0.5], [0, 1, 0]]) == pytest.approx([0.5, 0])
    # s = 0.5, K = 2: people (.75, .25), model (.25, .75)
    assert kl_rows([[0, 1]], [[1, 0]], smoothing=0.5) == pytest.approx([0.5 * np.log(3)])


@pytest.mark.parametrize("distance", METRICS)
def test_opposite_ends_are_one_apart(distance: Callable[..., np.ndarray]) -> None:
    assert distance([[1, 0, 0, 0]], [[0, 0, 0, 1]]) == pytest.approx([1])


@given(pairs(), st.floats(0.001, 10))
def test_they_equal_scipy(pair: tuple[np.ndarray, np.ndarray], smoothing: float) -> None:
    (p,), (q,) = pair
    scale = np.cumsum(np.arange(1, len(p) + 1.0))
    unit = (scale - scale[0]) / (scale[-1] - scale[0])
    assert wasserstein_rows(*pair, scale)[0] == pytest.approx(stats.wasserstein_distance(unit, unit, p, q), abs=1e-12)
    # scipy subtracts logarithms, so near-equal shares lose half the digits there
    assert jensen_shannon_rows(*pair)[0] == pytest.approx(jensenshannon(p, q, 2), abs=3e-8)
    theirs = stats.entropy(q + smoothing, p + smoothing)
    assert kl_rows(*pair, smoothing=smoothing)[0] == pytest.approx(theirs, abs=1e-12)
    assert mean_position_rows(pair[0], scale)[0] == pytest.approx(np.average(unit, weights=p))
    variance = np.average(unit**2, weights=p) - np.average(unit, weights=p) ** 2
    assert spread_rows(pair[0], scale)[0] ** 2 == pytest.approx(variance, abs=1e-12)


@given(pairs())
def test_ranges_symmetry_and_zero_only_for_equals(pair: tuple[np.ndarray, np.ndarray]) -> None:
    p, q = pair
    for distance in METRICS:
        value = distance(p, q)
        assert 0 <= value <= 1
        assert value == distance(q, p)
        assert (value == 0) == (p == q).all()
        assert distance(p, p) == 0
    k = p.shape[1]
    assert 0 <= kl(p, q) <= np.log(1.01 / 0.01) / (1 + k * 0.01) + 1e-12
    assert (kl(p, q) <= 1e-12) == (p == q).all()
    assert 0 <= modal_match_rows(p, q) <= 1
    assert modal_match_rows(p, p) == 1
    assert 0 <= spread_rows(p) <= 0.5
    assert 0 <= mean_position_rows(p) <= 1
    assert wasserstein_rows(p, q) >= abs(mean_position_rows(p) - mean_position_rows(q)) - 1e-12


@given(pairs(), st.randoms(use_true_random=False))
def test_nominal_ones_do_not_see_the_order_of_options(pair: tuple[np.ndarray, np.ndarray], random: object) -> None:
    order = list(range(pair[0].shape[1]))
    random.shuffle(order)  # type: ignore[attr-defined]
    for distance in NOMINAL:
        assert distance(pair[0][:, order], pair[1][:, order]) == pytest.approx(distance(*pair), abs=1e-12)
    turned = wasserstein_rows(pair[0][:, ::-1], pair[1][:, ::-1])
    assert turned == pytest.approx(wasserstein_rows(*pair), abs=1e-12)  # a reversed scale, reversed for both


@given(pairs())
def test_mixing_in_people_brings_the_model_closer(pair: tuple[np.ndarray, np.ndarray]) -> None:
    p, q = pair
    mixed = [(1 - t) * p + t * q for t in (0, 0.25, 0.5, 0.9, 1)]
    for distance in [*METRICS, kl]:
        along = np.array([distance(one, q)[0] for one in mixed])
        assert (np.diff(along) <= 1e-9).all()


@given(pairs(), st.integers(1, 3))
def test_columns_of_zeros_change_no_nominal_distance(pair: tuple[np.ndarray, np.ndarray], more: int) -> None:
    p, q = (np.pad(one, ((0, 0), (0, more))) for one in pair)
    for distance in (jensen_shannon_rows, total_variation_rows, modal_match_rows):
        assert distance(p, q) == pytest.approx(distance(*pair), abs=1e-12)


def test_small_differences_survive_in_jensen_shannon() -> None:
    e = 1e-9
    # for small e, the divergence of (1/2 + e, 1/2 - e) from (1/2, 1/2) is e^2 / 2 nats
    found = jensen_shannon_rows([[0.5 + e, 0.5 - e]], [[0.5, 0.5]])[0]
    assert found == pytest.approx(e / np.sqrt(2 * np.log(2)), rel=1e-6)


def test_kl_takes_no_softmax_of_shares() -> None:
    people = np.array([[0.1, 0.2, 0.3, 0.4]])
    certain = np.array([[0.001, 0.001, 0.001, 0.997]])
    twice = special.log_softmax(people, axis=1)  # what a published scorer did: 0.06 for a perfect model
    assert float((people * (np.log(people) - twice)).sum()) == pytest.approx(0.063, abs=5e-4)
    assert kl_rows(people, people, smoothing=1e-6) == 0
    squeezed = float((people * (np.log(people) - special.log_softmax(certain, axis=1))).sum())
    right = kl_rows(certain, people, smoothing=1e-9)[0]
    assert right == pytest.approx(float(stats.entropy(people[0], certain[0])), abs=1e-5)
    assert right > 6 * squeezed


@pytest.mark.parametrize("smoothing", [0, -1, np.nan, np.inf])
def test_kl_states_its_smoothing(smoothing: float) -> None:
    with pytest.raises(CalmError, match="S01"):
        kl_rows(P, Q, smoothing=smoothing)
    with pytest.raises(TypeError):
        kl_rows(P, Q)  # type: ignore[call-arg]


def test_tied_modes_do_not_reward_the_first_option() -> None:
    people = [[0.6, 0.2, 0.2], [0.2, 0.2, 0.6]]
    uniform = np.full((2, 3), 1 / 3)
    np.testing.assert_allclose(modal_match_rows(uniform, people), [1 / 3, 1 / 3])
    assert modal_match_rows([[0.4, 0.4, 0.2]], [[0.3, 0.6, 0.1]]) == 0.5
    assert modal_match_rows([[0.1, 0.9, 0.0]], [[0.4, 0.4, 0.2]]) == 1  # people are undecided
    assert modal_match_rows([[0.1 + 0.2, 0.3, 0.4]], [[0.3, 0.3, 0.4]]) == 1
    assert modal_match_rows([[0.1 + 0.2, 0.3, 0.2, 0.2]], [[0, 1, 0, 0]]) == 0.5  # equal but for rounding
