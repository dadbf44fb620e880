"""Points beside points: differences, ranks, how countries lie to each other, and what is left out. All invented."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import pdist

from calm_lm.errors import CalmError
from calm_lm.survey.indices import Points, index_table, point_distances

PEOPLE: Points = {
    "SE": {"a": 10.0, "b": 0.0},
    "NG": {"a": 20.0, "b": 8.0},
    "PE": {"a": 30.0, "b": 4.0},
    "JP": {"a": 40.0, "b": None},
    "FJ": {"a": 1.0, "b": 1.0},
}
MODEL: Points = {
    "SE": {"a": 13.0, "b": 4.0, "c": 1.0},
    "NG": {"a": 26.0, "b": 8.0},
    "PE": {"a": 23.0, "b": 10.0},
    "JP": {"a": 52.0, "b": 3.0},
    "TD": {"a": 9.0, "b": 9.0},
}


def test_differences_and_what_was_compared() -> None:
    table = index_table(MODEL, PEOPLE)
    assert table.differences == {
        "JP": {"a": 12.0, "b": None},
        "NG": {"a": 6.0, "b": 0.0},
        "PE": {"a": -7.0, "b": 6.0},
        "SE": {"a": 3.0, "b": 4.0},
    }
    shared = table.shared
    assert (shared.only_model, shared.only_people, shared.left_out) == (("TD",), ("FJ",), ("c",))
    assert (table.dimensions["a"].n, table.dimensions["b"].n) == (4, 3)
    assert table.dimensions["a"].mean_difference == pytest.approx(3.5)


def test_ranks_by_hand() -> None:
    agreement = index_table(MODEL, PEOPLE).dimensions
    # ranks in order JP, NG, PE, SE: people 4 2 3 1, model 4 3 2 1: one of six pairs is turned, sum of d^2 is 2
    assert agreement["a"].kendall == pytest.approx(4 / 6)
    assert agreement["a"].spearman == pytest.approx(1 - 6 * 2 / (4 * 15))
    # order NG, PE, SE: people 3 2 1, model 2 3 1
    assert agreement["b"].kendall == pytest.approx(1 / 3)


def test_the_arrangement_takes_whole_countries_and_is_that_of_the_distance_matrices() -> None:
    arrangement = index_table(MODEL, PEOPLE).arrangement
    assert (arrangement.countries, arrangement.pairs) == (("NG", "PE", "SE"), 3)
    ours = pdist(np.array([[26, 8], [23, 10], [13, 4]], dtype=float))
    theirs = pdist(np.array([[20, 8], [30, 4], [10, 0]], dtype=float))
    assert arrangement.kendall == pytest.approx(stats.kendalltau(ours, theirs).statistic)


def test_distances_with_and_without_the_level_by_hand() -> None:
    distances = point_distances(MODEL, PEOPLE).by_country
    assert distances["SE"][:2] == (pytest.approx(5.0), 2)
    assert distances["JP"] == (pytest.approx(12.0), 1, pytest.approx(12 - 3.5), 1)
    # means of the differences: a 3.5 over four, b 10/3 over three
    assert distances["NG"].centred == pytest.approx(np.hypot(2.5, 10 / 3))


def test_a_single_common_country_cannot_be_centred() -> None:
    distances = point_distances({"SE": {"a": 1.0}}, PEOPLE)
    assert distances.by_country == {"SE": (9.0, 1, None, 0)}
    assert distances.shared.only_people == ("FJ", "JP", "NG", "PE")


def test_no_rank_of_two_countries_nor_of_a_constant() -> None:
    two = index_table({"SE": {"a": 1.0}, "NG": {"a": 2.0}}, PEOPLE)
    assert two.dimensions["a"][0::2] == (2, None)
    assert two.arrangement.kendall is None
    flat = index_table({each: {"a": 0.1 + 0.2} for each in PEOPLE}, PEOPLE)
    assert (flat.dimensions["a"].spearman, flat.dimensions["a"].kendall, flat.arrangement.kendall) == (None, None, None)


VALUES = st.lists(st.tuples(*[st.integers(-50, 50)] * 4), min_size=4, max_size=8, unique=True)


@given(VALUES, st.integers(-100, 100), st.randoms(use_true_random=False))
def test_neither_order_nor_level_moves_what_lies_between_countries(
    rows: list[tuple[int, ...]], shift: int, random: Random
) -> None:
    ids = ["SE", "NG", "PE", "JP", "FJ", "TD", "CL", "EG"][: len(rows)]
    model = {each: {"a": float(row[0]), "b": float(row[1])} for each, row in zip(ids, rows, strict=True)}
    people = {each: {"a": float(row[2]), "b": float(row[3])} for each, row in zip(ids, rows, strict=True)}
    order = random.sample(ids, len(ids))
    before = index_table(model, people)
    assert index_table({each: model[each] for each in order}, people) == before
    moved = {each: {"a": model[each]["a"] + shift, "b": model[each]["b"]} for each in ids}
    after = index_table(moved, people)
    assert after.dimensions["a"].spearman == before.dimensions["a"].spearman
    for each in ids:
        assert after.differences[each]["a"] == pytest.approx(model[each]["a"] - people[each]["a"] + shift)
        near = point_distances(moved, people).by_country[each].centred
        assert near == pytest.approx(point_distances(model, people).by_country[each].centred, abs=1e-9)


@pytest.mark.parametrize(
    ("code", "field", "model"),
    [
        ("V65", "countries", {"TD": {"a": 1.0}}),
        ("V65", "countries", {}),
        ("V66", "dimensions", {"SE": {"z": 1.0}}),
        ("V66", "dimensions", {"JP": {"b": 1.0}}),
        ("V67", "model, SE, a", {"SE": {"a": float("nan")}}),
        ("V67", "model, TD, a", {"SE": {"a": 1.0}, "TD": {"a": float("inf")}}),
    ],
)
def test_mistakes(code: str, field: str, model: Points) -> None:
    with pytest.raises(CalmError) as caught:
        index_table(model, PEOPLE)
    assert (caught.value.code, caught.value.field) == (code, field)
