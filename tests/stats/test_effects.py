"""Effect sizes, by hand and by what they must equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_effectsize

from calm_lm.errors import CalmError
from calm_lm.stats.effects import cliffs_delta, cohens_dz, cohens_h

numbers = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


def test_by_hand() -> None:
    assert cohens_dz([1, 2, 3]) == 2
    assert cliffs_delta([1, 2, 3], [2, 2]) == pytest.approx(0)
    assert cliffs_delta([3, 2], [1, 2]) == 0.75
    np.testing.assert_allclose(cohens_h([0.75, 1, 0.5], [0.25, 0, 0.5]), [np.pi / 3, np.pi, 0])


def test_dz_is_the_paired_t_over_root_n() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 30))
    assert cohens_dz(a - b) == pytest.approx(stats.ttest_rel(a, b).statistic / np.sqrt(30))
    assert cohens_dz(b - a) == -cohens_dz(a - b)
    assert cohens_dz(1000 * (a - b)) == pytest.approx(cohens_dz(a - b))


def test_dz_without_spread_is_not_defined() -> None:
    assert np.isnan(cohens_dz([3.0]))
    assert np.isnan(cohens_dz([0.1] * 7))


@given(numbers, numbers)
def test_delta_equals_all_pairs_and_mann_whitney(a: list[int], b: list[int]) -> None:
    found = cliffs_delta(a, b)
    assert found == pytest.approx(np.sign(np.subtract.outer(a, b)).mean(), abs=1e-12)
    assert found == pytest.approx(2 * stats.mannwhitneyu(a, b).statistic / (len(a) * len(b)) - 1, abs=1e-12)
    assert cliffs_delta(b, a) == -found
    assert cliffs_delta(np.exp(a), np.exp(b)) == found  # only the order counts


@given(st.floats(0, 1), st.floats(0, 1))
def test_h_equals_statsmodels(p: float, q: float) -> None:
    assert cohens_h([p], [q])[0] == pytest.approx(proportion_effectsize(p, q), abs=1e-9)
    assert abs(cohens_h([p], [q])[0]) <= np.pi + 1e-12


def test_bad_input_is_named() -> None:
    with pytest.raises(CalmError, match="S06"):
        cohens_h([1.5], [0.5])
    with pytest.raises(CalmError, match="S09"):
        cohens_h([0.5], [0.5, 0.5])
    with pytest.raises(CalmError, match="S04"):
        cohens_dz([float("nan"), 1.0])
    with pytest.raises(CalmError, match="S03"):
        cliffs_delta([], [1.0])
