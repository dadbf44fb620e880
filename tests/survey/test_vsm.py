"""The six scores, by hand and as one matrix; missing answers make no score. All answers are invented."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.survey.cell import Cell
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.vsm import (
    CONTENT_ITEMS,
    DIMENSIONS,
    VsmScores,
    vsm_by_cell,
    vsm_distances,
    vsm_from_distributions,
    vsm_from_means,
)

# the manual's section 6, written a second time: dimension -> {number of the question: weight}
MATRIX = np.zeros((6, 24))
for row, weights in enumerate(
    (
        {7: 35, 2: -35, 20: 25, 23: -25},
        {4: 35, 1: -35, 9: 35, 6: -35},
        {5: 35, 3: -35, 8: 35, 10: -35},
        {18: 40, 15: -40, 21: 25, 24: -25},
        {13: 40, 14: -40, 19: 25, 22: -25},
        {12: 35, 11: -35, 17: 40, 16: -40},
    )
):
    for number, weight in weights.items():
        MATRIX[row, number - 1] = weight

MEANS = st.lists(st.floats(1, 5), min_size=24, max_size=24)


def scores_of(means: list[float] | np.ndarray, **constants: float) -> VsmScores:
    return vsm_from_means(dict(zip(CONTENT_ITEMS, map(float, means), strict=True)), constants=constants)


def answers(shares: np.ndarray, *, country: str = "NO", n: int | None = None) -> list[ResponseDistribution]:
    return [
        ResponseDistribution(item, Cell(country), tuple(row), n=n, n_effective=None if n is None else float(n))
        for item, row in zip(CONTENT_ITEMS, shares.tolist(), strict=True)
    ]


def test_every_item_serves_one_dimension() -> None:
    assert ((MATRIX != 0).sum(axis=0) == 1).all()
    assert ((MATRIX != 0).sum(axis=1) == 4).all()


def test_scores_by_hand() -> None:
    means = dict.fromkeys(CONTENT_ITEMS, 3.0) | {"m07": 3.5, "m23": 2.6, "m14": 2.75, "m16": 3.2, "m11": 2.0}
    found = vsm_from_means(means, constants={"LTO": 50})
    assert found.scores == pytest.approx({"PDI": 27.5, "IDV": 0, "MAS": 0, "UAI": 0, "LTO": 60, "IVR": 27})
    assert found.constants == {"PDI": 0, "IDV": 0, "MAS": 0, "UAI": 0, "LTO": 50, "IVR": 0}
    assert found.standard_errors == dict.fromkeys(DIMENSIONS)
    assert (found.n, found.warnings, found.missing_items) == (None, (), ())


@given(MEANS, st.floats(-100, 100))
def test_scores_are_the_matrix_and_a_constant(means: list[float], constant: float) -> None:
    expected = MATRIX @ np.array(means)
    expected[2] += constant
    assert list(scores_of(means, MAS=constant).scores.values()) == pytest.approx(expected.tolist(), abs=1e-9)


@given(st.lists(st.floats(1, 4), min_size=24, max_size=24), st.floats(0, 1))
def test_a_habit_of_answering_higher_cancels(means: list[float], more: float) -> None:
    shifted = scores_of([mean + more for mean in means]).scores
    assert list(shifted.values()) == pytest.approx(list(scores_of(means).scores.values()), abs=1e-9)


def test_distributions_give_the_scores_of_their_means_and_the_error_of_a_simulation() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(5), size=24)
    found = vsm_from_distributions(answers(shares, n=60))
    assert list(found.scores.values()) == pytest.approx((MATRIX @ (shares @ np.arange(1, 6))).tolist())
    counts = np.stack([rng.multinomial(60, row, size=20_000) for row in shares], axis=1)
    simulated = (counts / 60 @ np.arange(1, 6) @ MATRIX.T).std(axis=0)
    # the formula estimates what n - 1 sees: sqrt(60 / 59) above the spread under the true shares
    assert list(found.standard_errors.values()) == pytest.approx((simulated * np.sqrt(60 / 59)).tolist(), rel=0.03)


def test_the_error_by_hand() -> None:
    shares = np.tile([0.0, 0.0, 1.0, 0.0, 0.0], (24, 1))
    shares[6] = [0.5, 0.0, 0.0, 0.0, 0.5]  # m07: mean 3, variance 4
    found = vsm_from_distributions(answers(shares, n=101))
    assert found.standard_errors == pytest.approx(dict.fromkeys(DIMENSIONS, 0.0) | {"PDI": 35 * 0.2})


def test_a_missing_item_takes_its_dimension_and_no_other() -> None:
    given = [each for each in answers(np.full((24, 5), 0.2), n=30) if each.item != "m18"]
    given[0] = replace(given[0], missing_share=0.25)
    found = vsm_from_distributions(given)
    assert found.missing_items == ("m18",)
    assert found.missing_shares == {"m01": 0.25}
    assert (found.scores["UAI"], found.standard_errors["UAI"]) == (None, None)
    assert all(found.scores[name] == pytest.approx(0) for name in DIMENSIONS if name != "UAI")
    assert vsm_from_means({}).scores == dict.fromkeys(DIMENSIONS)


@pytest.mark.parametrize(("n", "words"), [(1, "single persons"), (19, "below 20"), (20, "ideal is 50"), (49, "ideal")])
def test_small_samples_are_named(n: int, words: str) -> None:
    found = vsm_from_distributions(answers(np.full((24, 5), 0.2), n=n))
    assert found.n == n
    assert len(found.warnings) == 1
    assert words in found.warnings[0]
    assert (found.standard_errors["PDI"] is None) == (n == 1)


def test_samples_of_fifty_and_models_have_no_warning() -> None:
    for n in (50, None):
        assert vsm_from_distributions(answers(np.full((24, 5), 0.2), n=n)).warnings == ()


def test_cells_are_scored_apart_and_questions_about_respondents_passed_over() -> None:
    about = ResponseDistribution("m25", Cell("NO"), (0.5, 0.5))
    low, high = np.tile([1.0, 0, 0, 0, 0], (24, 1)), np.tile([1.0, 0, 0, 0, 0], (24, 1))
    high[6] = [0, 0, 0, 0, 1]
    found = vsm_by_cell([*answers(high), about, *answers(low, country="GH")])
    assert list(found) == [Cell("GH"), Cell("NO")]
    assert [each.scores["PDI"] for each in found.values()] == [0.0, 140.0]


@given(st.floats(-100, 100))
def test_the_constant_moves_raw_distances_only(constant: float) -> None:
    rng = np.random.default_rng(3)
    means = {country: rng.uniform(1, 5, 24) for country in ("NO", "GH", "PE")}
    published = {country: {"PDI": 40.0, "IDV": 60.0, "UAI": None} for country in ("NO", "GH")}
    distances = [
        vsm_distances({country: scores_of(mean, PDI=c) for country, mean in means.items()}, published)
        for c in (0.0, constant)
    ]
    assert distances[0].shared.only_model == ("PE",)
    assert distances[0].by_country["NO"].dimensions == 2
    for country in ("NO", "GH"):
        before, after = (each.by_country[country] for each in distances)
        assert after.centred == pytest.approx(before.centred)
    gap = scores_of(means["NO"]).scores
    assert distances[1].by_country["NO"].raw == pytest.approx(np.hypot(gap["PDI"] + constant - 40, gap["IDV"] - 60))


UNIFORM = answers(np.full((24, 5), 0.2))
WRONG = {
    "an item too many": ("V60", "item", lambda: vsm_from_means({"m25": 1.0})),
    "another item": ("V60", "item", lambda: vsm_from_distributions([replace(UNIFORM[0], item="q1")])),
    "an answer scored 10": ("V61", "m01", lambda: vsm_from_means({"m01": 10.0})),
    "a refusal scored 0": ("V61", "m01", lambda: vsm_from_means({"m01": 0.0})),
    "nan": ("V61", "m24", lambda: vsm_from_means({"m24": float("nan")})),
    "four options": ("V62", "m01", lambda: vsm_from_distributions([replace(UNIFORM[0], shares=(0.25,) * 4)])),
    "twice": ("V63", "m01, NO", lambda: vsm_from_distributions([UNIFORM[0], UNIFORM[0]])),
    "two cells": ("V63", "m02, GH", lambda: vsm_from_distributions([UNIFORM[0], replace(UNIFORM[1], cell=Cell("GH"))])),
    "two waves": ("V63", "m02, NO", lambda: vsm_from_distributions([UNIFORM[0], replace(UNIFORM[1], wave="2")])),
    "no dimension": ("V64", "constants, pdi", lambda: vsm_from_means({}, constants={"pdi": 1.0})),
    "no constant": ("V64", "constants, PDI", lambda: vsm_from_means({}, constants={"PDI": float("inf")})),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes(name: str) -> None:
    code, field, call = WRONG[name]
    with pytest.raises(CalmError) as caught:
        call()
    assert (caught.value.code, caught.value.field) == (code, field)
