"""Collapse between and within cultures is seen, and C-Dist never stands alone. Every number is invented."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from calm_lm.errors import CalmError
from calm_lm.stats.distances import spread_rows
from calm_lm.stats.distinctiveness import (
    c_dist,
    distinct_pairs,
    diversity_ratio,
    gini_simpson_rows,
    inequity,
)
from calm_lm.stats.markedness import simpson_diversity


def test_c_dist_by_hand() -> None:
    found = c_dist([[0.6, 0.3, 0.3], [0.8, 0.4, 0.2], [0.1, 0.2, 0.2]])
    assert found == pytest.approx(((1 + 0.5 + 1) / 3, 0.4, 0.2, (0.3 + 0.3 + 0.8 + 0.2 + 0.1 + 0.2) / 6))


def test_c_dist_hides_a_bad_model_and_the_scores_beside_it_do_not() -> None:
    bad, good = c_dist([[0.02, 0.01], [0.01, 0.02]]), c_dist([[0.9, 0.95], [0.95, 0.9]])
    assert bad.c_dist == 1 > good.c_dist
    assert bad.mean_home < 0.05 < 0.85 < good.mean_home
    assert "mean_home" in repr(bad)
    assert np.isnan(c_dist([[0.0, 0.0], [0.1, 0.2]]).c_dist)  # an adapter without any score is not left out


@given(st.integers(2, 5), st.integers(0, 99), st.floats(0.1, 100))
def test_c_dist_keeps_its_range_under_scaling_and_renaming(n: int, seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    matrix, order = rng.uniform(0.01, 1, size=(n, n)), rng.permutation(n)
    found = c_dist(matrix)
    assert 0 <= found.c_dist <= 1
    assert c_dist(factor * matrix).c_dist == pytest.approx(found.c_dist)
    assert c_dist(matrix[np.ix_(order, order)]) == pytest.approx(found)
    assert c_dist(np.maximum(matrix, 2 * np.eye(n))).c_dist == 1


@pytest.mark.parametrize("bad", [[[0.5]], [[0.5, 0.1]], [[0.5, -0.1], [0.2, 0.3]]])
def test_a_bad_matrix_is_named(bad: list[list[float]]) -> None:
    with pytest.raises(CalmError, match="S26"):
        c_dist(bad)
    with pytest.raises(CalmError, match="S04"):
        c_dist([[0.5, float("nan")], [0.1, 0.2]])


def test_inequity_by_hand_and_unmoved_by_the_mean() -> None:
    found = inequity({"sex": [0.4, 0.6], "age": [0.5, 0.5, 0.5]})
    assert found == pytest.approx((0.05, 0.1, 0.4))
    assert inequity({"sex": [0.0, 1.0]}).mean == 0.5
    assert inequity({"sex": [0.2, 0.4]}).mean == pytest.approx(inequity({"sex": [0.7, 0.9]}).mean)
    for bad in ({}, {"sex": [0.5]}):
        with pytest.raises(CalmError, match="S27"):
            inequity(bad)
    with pytest.raises(CalmError, match="'age'"):
        inequity({"sex": [0.5, 0.6], "age": [50, 60]})


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_simpson_equals_all_pairs(counts: list[int]) -> None:
    answers = np.repeat(np.arange(len(counts)), counts)
    differ = [a != b for a, b in combinations(answers, 2)]
    if differ:
        assert simpson_diversity(counts) == pytest.approx(np.mean(differ))
    else:
        assert np.isnan(simpson_diversity(counts))


def test_simpson_has_no_bias_where_the_plug_in_has() -> None:
    shares = np.array([0.5, 0.3, 0.2])
    samples = np.random.default_rng(0).multinomial(6, shares, size=4000)
    truth = gini_simpson_rows([shares])[0]
    assert truth == pytest.approx(0.62)
    assert np.mean([simpson_diversity(one) for one in samples]) == pytest.approx(truth, abs=0.01)
    assert gini_simpson_rows(samples / 6).mean() < truth - 0.08


def test_variance_collapse_is_a_ratio_below_one() -> None:
    people, model = [[0.2, 0.2, 0.2, 0.2, 0.2], [0, 0, 1, 0, 0]], [[0, 0.05, 0.9, 0.05, 0], [0.5, 0, 0, 0, 0.5]]
    found = diversity_ratio(spread_rows(model), spread_rows(people))
    assert found[0] == pytest.approx(np.sqrt(0.1 / 16) / np.sqrt(2 / 16))
    assert np.isnan(found[1])
    np.testing.assert_array_equal(diversity_ratio([0.0, 0.3], [0.2, 0.3]), [0, 1])
    with pytest.raises(CalmError, match="S33"):
        diversity_ratio([0.1], [-0.1])
    with pytest.raises(CalmError, match="S09"):
        diversity_ratio([0.1], [0.1, 0.2])


def worlds(cultures: int, items: int, seed: int) -> np.ndarray:
    """Shares of cultures that lie on a line, so that their distances have an order `[C, I, 4]`."""
    rng = np.random.default_rng(seed)
    base, turn = rng.normal(size=(2, items, 4))
    logits = base + np.linspace(-1, 1, cultures)[:, None, None] ** 3 * turn
    return np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)


def test_a_model_like_people_keeps_cultures_apart_and_one_bloc_does_not() -> None:
    people = worlds(7, 30, 0)
    same = distinct_pairs(people, people, n=199, seed=0)
    assert same[:6] == pytest.approx((1, same.people_mean, same.people_mean, 1, 1, 1 / 200))
    bloc = distinct_pairs(np.tile(people.mean(axis=0), (7, 1, 1)), people, n=99, seed=0)
    assert bloc.ratio == 0
    assert np.isnan([bloc.spearman, bloc.kendall, bloc.p]).all()
    half = distinct_pairs((people + people.mean(axis=0)) / 2, people, n=99, seed=0)
    assert 0.2 < half.ratio < 0.8
    assert half.spearman > 0.9
    swapped = distinct_pairs(people[[3, 5, 0, 6, 1, 4, 2]], people, n=199, seed=0)  # apart, but the wrong ones
    assert swapped.ratio == pytest.approx(1)
    assert swapped.p > 0.05


def test_distances_and_correlations_equal_scipy_and_p_equals_full_enumeration() -> None:
    rng = np.random.default_rng(3)
    people, noise = worlds(5, 8, 1), rng.dirichlet(np.ones(4), size=(5, 8))
    model = 0.6 * people + 0.4 * noise
    model[0, :3] = people[1, 5] = np.nan
    found = distinct_pairs(model, people, n=4000, seed=1)
    has = ~np.isnan(model[:, :, 0]) & ~np.isnan(people[:, :, 0])

    def square(shares: np.ndarray) -> np.ndarray:
        out = np.zeros((5, 5))
        for a, b in combinations(range(5), 2):
            items = np.flatnonzero(has[a] & has[b])
            out[a, b] = out[b, a] = np.mean([jensenshannon(shares[a, i], shares[b, i], 2) for i in items])
        return out

    upper, (of_model, of_people) = np.triu_indices(5, 1), (square(model), square(people))
    assert found.model_mean == pytest.approx(of_model[upper].mean())
    assert found.ratio == pytest.approx(of_model[upper].mean() / of_people[upper].mean())
    assert found.kendall == pytest.approx(stats.kendalltau(of_model[upper], of_people[upper]).statistic)
    all_rhos = [
        stats.spearmanr(of_model[np.ix_(order, order)][upper], of_people[upper]).statistic
        for order in map(list, permutations(range(5)))
    ]
    assert found.spearman == pytest.approx(all_rhos[0])
    assert found.p == pytest.approx(np.mean(np.array(all_rhos) >= all_rhos[0] - 1e-9), abs=0.03)
    assert found.pairs == 10


def test_p_of_unrelated_distances_is_about_uniform() -> None:
    rng = np.random.default_rng(5)
    ps = [distinct_pairs(*rng.dirichlet(np.ones(3), size=(2, 6, 4)), n=99, seed=i).p for i in range(120)]
    assert np.mean(np.array(ps) <= 0.1) == pytest.approx(0.1, abs=0.08)


def test_three_cultures_cannot_be_significant() -> None:
    people = worlds(3, 10, 0)
    found = distinct_pairs(people, people, n=1999, seed=0)
    assert found.spearman == pytest.approx(1)
    assert found.p == pytest.approx(1 / 6, abs=0.03)  # one order in six is the true one


def test_names_of_cultures_and_columns_of_zeros_do_not_matter() -> None:
    people, model = worlds(5, 6, 0), worlds(5, 6, 9)
    found = distinct_pairs(model, people, n=9, seed=0)
    order = [4, 2, 0, 1, 3]
    padded = (np.pad(one[order], ((0, 0), (0, 0), (0, 2))) for one in (model, people))
    assert distinct_pairs(*padded, n=9, seed=0)[:5] == pytest.approx(found[:5])


def test_cultures_that_cannot_be_compared_are_named() -> None:
    people = worlds(3, 2, 0)
    people[0, 0] = people[1, 1] = np.nan
    with pytest.raises(CalmError, match=r"S28.*\(1, 2\)"):
        distinct_pairs(people, people, n=9, seed=0)
    with pytest.raises(CalmError, match="S01"):
        distinct_pairs(people[2:], people[2:], n=9, seed=0)
    with pytest.raises(CalmError, match="S29"):
        distinct_pairs(people[0], people[0], n=9, seed=0)
    with pytest.raises(CalmError, match="S09"):
        distinct_pairs(worlds(3, 2, 0), worlds(3, 3, 0), n=9, seed=0)
