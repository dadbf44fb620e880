"""Sampling error of people: weights count, intervals cover, and the noise floor is what a perfect model scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.stats.distances import jensen_shannon_rows, mean_position_rows, total_variation_rows, wasserstein_rows
from calm_lm.stats.respondents import (
    bootstrap_weighted_shares,
    effective_n,
    noise_floor_rows,
    resample_shares,
    respondent_interval,
    weighted_shares,
)

weights_strategy = st.lists(st.floats(0, 10), min_size=1, max_size=20).filter(lambda w: max(w) > 1e-3)


def test_by_hand() -> None:
    assert effective_n([1, 1, 1, 1]) == 4
    assert effective_n([3, 1]) == pytest.approx(16 / 10)
    np.testing.assert_allclose(weighted_shares([0, 1, 1, 3], [2, 1, 0.5, 0.5], 5), [0.5, 0.375, 0, 0.125, 0])


@given(weights_strategy, st.floats(1e-3, 1e3))
def test_effective_n_is_between_one_and_all_and_free_of_the_unit(weights: list[float], factor: float) -> None:
    found = effective_n(weights)
    assert 1 - 1e-9 <= found <= np.count_nonzero(weights) + 1e-9
    assert effective_n(np.array(weights) * factor) == pytest.approx(found)
    assert effective_n([*weights, 0.0]) == pytest.approx(found)


def test_effective_n_predicts_the_error_of_a_weighted_share() -> None:
    rng = np.random.default_rng(0)
    weights = rng.exponential(size=400)
    means = [weighted_shares(rng.integers(0, 2, size=400), weights, 2)[0] for _ in range(2000)]
    assert np.std(means) == pytest.approx(np.sqrt(0.25 / effective_n(weights)), rel=0.06)
    assert np.std(means) > 1.2 * np.sqrt(0.25 / 400)


@pytest.mark.parametrize("codes", [[0, -1], [0, -2], [0, 2], [0, 99], [0, 1.5]])
def test_missing_codes_are_no_answers(codes: list[float]) -> None:
    with pytest.raises(CalmError, match=r"S05\] row 2, field 'codes'"):
        weighted_shares(codes, [1, 1], 2)
    with pytest.raises(CalmError, match=r"S05\] row 2, field 'codes'"):
        bootstrap_weighted_shares(codes, [1, 1], 2, seed=0)


def test_bad_weights_are_named() -> None:
    for bad in ([1, -1], [0, 0]):
        with pytest.raises(CalmError, match="S30"):
            weighted_shares([0, 1], bad, 2)
    with pytest.raises(CalmError, match="S09"):
        weighted_shares([0, 1], [1], 2)
    with pytest.raises(CalmError, match="S32"):
        bootstrap_weighted_shares([0], [1], 2, seed=0)


def test_bootstrap_carries_weights() -> None:
    rng = np.random.default_rng(1)
    codes, weights = rng.integers(0, 3, size=300), rng.exponential(size=300)
    draws = bootstrap_weighted_shares(codes, weights, 3, draws=3000, seed=2)
    shares = weighted_shares(codes, weights, 3)
    np.testing.assert_allclose(draws.sum(axis=1), 1)
    np.testing.assert_allclose(draws.mean(axis=0), shares, atol=0.004)
    # linearised variance of a ratio of sums
    for k in range(3):
        residual = weights * ((codes == k) - shares[k])
        assert draws[:, k].std() == pytest.approx(np.sqrt((residual**2).sum()) / weights.sum(), rel=0.06)
    again = bootstrap_weighted_shares(codes, 7 * weights, 3, draws=3000, seed=2)
    np.testing.assert_allclose(draws, again, atol=1e-12)
    assert not np.allclose(draws, bootstrap_weighted_shares(codes, weights, 3, draws=3000, seed=3))


def test_a_draw_without_weight_is_undefined_and_nothing_else_is() -> None:
    draws = bootstrap_weighted_shares([0, 1], [1, 0], 2, draws=400, seed=0)
    undefined = np.isnan(draws).any(axis=1)
    assert undefined.mean() == pytest.approx(0.25, abs=0.07)
    assert (draws[~undefined] == [1, 0]).all()


def test_published_shares_are_redrawn_as_a_multinomial() -> None:
    shares = np.array([0.6, 0.3, 0.1, 0.0])
    draws = resample_shares(shares, 249.7, draws=4000, seed=0)
    assert draws.shape == (4000, 4)
    np.testing.assert_allclose(draws * 250, (draws * 250).round(), atol=1e-9)  # whole people
    np.testing.assert_allclose(draws.mean(axis=0), shares, atol=0.003)
    expected = (np.diag(shares) - np.outer(shares, shares)) / 250
    np.testing.assert_allclose(np.cov(draws.T), expected, atol=6e-5)
    np.testing.assert_array_equal(draws, resample_shares(shares, 250, draws=4000, seed=0))
    assert (draws != resample_shares(shares, 250, draws=4000, seed=1)).any()


@pytest.mark.parametrize("unknown", [None, float("nan"), 0, -5, "many"])
def test_an_unknown_number_of_respondents_has_no_interval(unknown: object) -> None:
    with pytest.raises(CalmError, match=r"S31\] row 1, field 'n_effective'"):
        resample_shares([0.5, 0.5], unknown, seed=0)  # type: ignore[arg-type]
    with pytest.raises(CalmError, match="S31"):
        respondent_interval(mean_position_rows, [[0.5, 0.5]], unknown, seed=0)  # type: ignore[arg-type]
    with pytest.raises(CalmError, match="S31"):
        noise_floor_rows([[0.5, 0.5]], unknown, jensen_shannon_rows, seed=0)  # type: ignore[arg-type]


def test_one_unknown_row_is_named_and_shapes_must_fit() -> None:
    with pytest.raises(CalmError, match=r"S31\] row 2"):
        respondent_interval(mean_position_rows, [[0.5, 0.5]] * 2, [100, float("nan")], seed=0)
    with pytest.raises(CalmError, match="S09"):
        respondent_interval(mean_position_rows, [[0.5, 0.5]] * 2, [100, 100, 100], seed=0)


def test_intervals_cover_the_truth_and_narrow_with_more_people() -> None:
    rng = np.random.default_rng(4)
    truth = rng.dirichlet(np.ones(5), size=300)
    sizes = np.where(np.arange(300) < 150, 60, 600)
    shares = rng.multinomial(sizes, truth) / sizes[:, None]
    found = respondent_interval(mean_position_rows, shares, sizes, n=300, seed=0)
    covered = (found.low <= mean_position_rows(truth)) & (mean_position_rows(truth) <= found.high)
    assert 0.9 <= covered.mean() <= 0.985
    width = found.high - found.low
    assert np.median(width[:150]) == pytest.approx(np.sqrt(10) * np.median(width[150:]), rel=0.25)


def test_one_number_over_all_rows_has_one_interval() -> None:
    shares = np.tile([0.2, 0.8], (50, 1))
    found = respondent_interval(lambda q: mean_position_rows(q).mean(), shares, 100, n=500, seed=0)
    assert found.low.shape == (1,)
    error = np.sqrt(0.16 / (100 * 50))
    assert found.high[0] - found.low[0] == pytest.approx(2 * 1.96 * error, rel=0.12)


def test_noise_floor_of_two_options_by_formula() -> None:
    # the distance of two binomial shares is |difference|: its mean is sqrt(2 / pi) standard deviations
    n, m, p = 400, 100, 0.3
    floor = noise_floor_rows([[1 - p, p]], n, total_variation_rows, n_other=m, n=4000, seed=0)
    deviation = np.sqrt(p * (1 - p) * (1 / n + 1 / m))
    assert floor.mean[0] == pytest.approx(deviation * np.sqrt(2 / np.pi), rel=0.05)
    assert floor.high[0] == pytest.approx(1.96 * deviation, rel=0.07)
    exact = noise_floor_rows([[1 - p, p]], n, wasserstein_rows, n_other=np.inf, n=4000, seed=0)
    assert exact.mean[0] == pytest.approx(np.sqrt(p * (1 - p) / n) * np.sqrt(2 / np.pi), rel=0.05)


@pytest.mark.parametrize("distance", [wasserstein_rows, jensen_shannon_rows, total_variation_rows])
def test_more_people_lower_the_floor_and_people_all_alike_have_none(distance: object) -> None:
    rows = [[0.2, 0.3, 0.5], [0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]
    floor = noise_floor_rows(rows, [50, 5000, 50], distance, seed=0)  # type: ignore[arg-type]
    assert floor.mean[0] == pytest.approx(10 * floor.mean[1], rel=0.3)
    assert floor.mean[2] == floor.high[2] == 0
    assert (floor.high >= floor.mean).all()
