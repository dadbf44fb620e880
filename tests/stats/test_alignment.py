"""Agreement with people and with oneself, by hand and by invariants. Every number is invented."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from calm_lm.errors import CalmError
from calm_lm.stats.alignment import (
    aggregated_social_value_alignment,
    consistency,
    distribution_consistency,
    neutral_processed_social_value_alignment,
    nvas,
    self_persona_deviation,
    social_value_alignment,
)

GAP = float("nan")


def test_closeness_by_hand() -> None:
    np.testing.assert_allclose(nvas([1, 4, 2.5, 10], [1, 1, 1, 4], 1, [4, 4, 4, 10]), [1, 0, 0.5, 1 / 3])


@given(
    st.lists(st.tuples(st.floats(1, 10), st.floats(1, 10)), min_size=1, max_size=9),
    st.floats(0.1, 9),
    st.floats(-50, 50),
)
def test_closeness_is_symmetric_in_range_and_free_of_the_codes(
    rows: list[tuple[float, float]], factor: float, shift: float
) -> None:
    model, human = np.array(rows).T
    found = nvas(model, human, 1, 10)
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_array_equal(found, nvas(human, model, 1, 10))
    assert (nvas(model, model, 1, 10) == 1).all()
    other = nvas(*(factor * values + shift for values in (model, human)), factor + shift, 10 * factor + shift)
    np.testing.assert_allclose(other, found, atol=1e-9)


def test_means_are_not_truncated() -> None:
    assert nvas([2.0], [2.9], 1, 4)[0] < 0.71  # int(2.9) would have made it 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (([2.0], [-1.0], 1, 4), "S24"),  # "don't know" averaged as an answer
        (([5.0], [2.0], 1, 4), "S24"),
        (([2.0], [2.0], 4, 1), "S23"),
        (([2.0], [2.0], 1, 1), "S23"),
        (([2.0, 2.0], [2.0], 1, 4), "S09"),
        (([2.0, 2.0], [2.0, 2.0], [1, 1, 1], 4), "S09"),
        (([GAP], [2.0], 1, 4), "S04"),
    ],
)
def test_an_answer_off_the_scale_is_named(arguments: tuple[object, ...], code: str) -> None:
    with pytest.raises(CalmError, match=code):
        nvas(*arguments)  # type: ignore[arg-type]


def test_consistency_by_hand() -> None:
    found = consistency([[0.0, 0.5, 1.0], [0.2, GAP, 0.6], [GAP, 0.3, GAP], [0.4, 0.4, 0.4]])
    np.testing.assert_allclose(found.closeness, [1 - 2 / 3, 0.6, GAP, 1])
    np.testing.assert_array_equal(found.pairs, [3, 1, 0, 3])


def test_consistency_of_distributions_equals_scipy_pair_by_pair() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(4), size=(6, 3))
    shares[1, 2] = shares[2, :2] = GAP
    found = distribution_consistency(shares)
    np.testing.assert_array_equal(found.pairs, [3, 1, 0, 3, 3, 3])
    row = shares[0]
    expected = 1 - np.mean([jensenshannon(row[a], row[b], 2) for a, b in ((0, 1), (0, 2), (1, 2))])
    assert found.closeness[0] == pytest.approx(expected)
    assert found.closeness[1] == pytest.approx(1 - jensenshannon(shares[1, 0], shares[1, 1], 2))
    assert np.isnan(found.closeness[2])
    turned = distribution_consistency(shares[:, ::-1, ::-1])  # names of conditions and options do not matter
    np.testing.assert_allclose(turned.closeness, found.closeness)


def test_equal_distributions_are_wholly_consistent_and_opposite_ones_not() -> None:
    same = np.tile([0.2, 0.3, 0.5], (1, 4, 1))
    assert distribution_consistency(same).closeness == 1
    assert distribution_consistency([[[1, 0], [0, 1]]]).closeness == 0


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: consistency([[0.5], [0.1]]), "S01"),
        (lambda: consistency([[0.5, 1.5]]), "S06"),
        (lambda: consistency([0.5, 0.5]), "S29"),
        (lambda: distribution_consistency([[0.5, 0.5]]), "S29"),
        (lambda: distribution_consistency([[[0.5, 0.5]]]), "S01"),
        (lambda: distribution_consistency([[[0.5, GAP], [0.5, 0.5]]]), "S04"),
    ],
)
def test_bad_conditions_are_named(call: object, code: str) -> None:
    with pytest.raises(CalmError, match=code):
        call()  # type: ignore[operator]


def test_a_persona_shifts_the_mean_the_shape_or_nothing() -> None:
    neutral = [[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0]]
    persona = [[0, 1, 0], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    shift = self_persona_deviation(neutral, persona, ordinal=True)
    np.testing.assert_allclose(shift.signed, [0.5, 0, 0])
    np.testing.assert_allclose(shift.distance, [1, 1, 0])
    back = self_persona_deviation(persona, neutral, ordinal=True)
    np.testing.assert_allclose(back.signed, [-0.5, 0, 0])
    np.testing.assert_allclose(back.absolute, shift.absolute)
    np.testing.assert_allclose(back.distance, shift.distance)
    uneven = self_persona_deviation(neutral, persona, ordinal=True, positions=[0, 1, 10])
    np.testing.assert_allclose(uneven.signed, [0.1, 0.4, 0])
    nominal = self_persona_deviation(neutral, persona, ordinal=False)
    assert np.isnan([nominal.signed, nominal.absolute]).all()
    np.testing.assert_array_equal(nominal.distance, shift.distance)


def test_social_value_alignment_by_hand() -> None:
    people = [[0.1, 0.3, 0.2, 0.25, 0.15]] * 3
    found = social_value_alignment(people, [1, 4, 2])
    np.testing.assert_allclose(found, [[0.3, 0.15, 0.2], [0.1] * 3, [0.3] * 3])
    found = aggregated_social_value_alignment(people, [0, 4, 2])
    np.testing.assert_allclose(found, [[0.4, 0.4, 0.2], [0.2] * 3, [0.4] * 3])
    found = neutral_processed_social_value_alignment(people, [0, 4, 2])  # nobody has a majority
    np.testing.assert_allclose(found, [[0, 0, 1], [0] * 3, [1] * 3])
    decided = [[0.05, 0.05, 0.3, 0.3, 0.3]]
    np.testing.assert_allclose(neutral_processed_social_value_alignment(decided, [3]), [[0.6], [0.1], [0.6]])


@given(st.lists(st.integers(0, 30), min_size=5, max_size=5).filter(any))
@example([15, 27, 11, 17, 14])  # a side of exactly half the people, which sums to a little more
def test_the_score_lies_between_floor_and_ceiling_and_both_are_reached(counts: list[int]) -> None:
    people = np.tile(np.array(counts) / sum(counts), (5, 1))
    for variant in (
        social_value_alignment,
        aggregated_social_value_alignment,
        neutral_processed_social_value_alignment,
    ):
        found = variant(people, np.arange(5))
        assert found.score.max() == found.ceiling[0]
        assert found.score.min() == found.floor[0]
        turned = variant(people[:, ::-1], 4 - np.arange(5))  # a scale written from agree to disagree
        np.testing.assert_allclose(turned, found)
    merged = aggregated_social_value_alignment(people, np.arange(5))
    assert (merged.score >= social_value_alignment(people, np.arange(5)).score - 1e-12).all()


def test_bad_choices_are_named() -> None:
    with pytest.raises(CalmError, match="S25"):
        aggregated_social_value_alignment([[0.5, 0.5]], [0])
    for chosen in ([5], [-1], [0.5]):
        with pytest.raises(CalmError, match="S05"):
            neutral_processed_social_value_alignment([[0.2] * 5], chosen)
    with pytest.raises(CalmError, match="S09"):
        social_value_alignment([[0.2] * 5], [1, 2])
