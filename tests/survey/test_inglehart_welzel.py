"""The projection by hand, by simulation and as a matrix; indices from answers. Parameters are invented."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.survey.cell import Cell
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.inglehart_welzel import (
    ITEMS,
    RANGES,
    MapPoint,
    Projection,
    autonomy,
    ellipse,
    map_distance,
    post_materialism,
    project_answers,
    project_distributions,
    project_means,
)
from calm_lm.survey.item import Option, SurveyItem

RNG = np.random.default_rng(11)
INVENTED = Projection(
    center=RNG.uniform(1, 3, 10).tolist(),
    scale=RNG.uniform(0.5, 2, 10).tolist(),
    weights=RNG.normal(size=(10, 2)).tolist(),
    rc1=(1.5, 0.25),
    rc2=(2.0, -0.5),
    se=2,
    sec=1,
)
MIDDLE = {item: (low + high) / 2 for item, (low, high) in RANGES.items()}
INSTRUMENT = {
    item: SurveyItem(item, "?", tuple(Option(str(code), str(code)) for code in range(low, high + 1)))
    for item, (low, high) in RANGES.items()
}


def drawn(n: int) -> np.ndarray:
    return np.stack([RNG.integers(low, high + 1, n) for low, high in RANGES.values()], axis=1).astype(float)


def shares_of(rows: np.ndarray, n: int | None = None) -> list[ResponseDistribution]:
    return [
        ResponseDistribution(
            item,
            Cell("PE"),
            tuple(np.mean(rows[:, [at]] == np.arange(low, high + 1), axis=0).tolist()),
            n=n,
            n_effective=None if n is None else float(n),
        )
        for at, (item, (low, high)) in enumerate(RANGES.items())
    ]


def test_by_hand() -> None:
    # only A008 (centre 2, scale 0.5) counts: 3 is two standard deviations above
    weights = [[0.1, -0.2], *[[0.0, 0.0]] * 9]
    plain = Projection([2.0] * 10, [0.5] * 10, weights, rc1=(10, 1), rc2=(100, 2))
    assert project_means(plain, MIDDLE | {"A008": 3.0}) == pytest.approx((10 * 0.2 + 1, 100 * -0.4 + 2))
    turned = replace(plain, se=2, sec=1)
    assert project_means(turned, MIDDLE | {"A008": 3.0}) == pytest.approx((10 * -0.4 + 1, 100 * 0.2 + 2))


def test_step_by_step_as_published_is_the_matrix() -> None:
    answers = np.array(list(MIDDLE.values()))
    s = ((answers - INVENTED.center) / np.array(INVENTED.scale)) @ np.array(INVENTED.weights)
    expected = (INVENTED.rc1[0] * s[1] + INVENTED.rc1[1], INVENTED.rc2[0] * s[0] + INVENTED.rc2[1])
    assert project_means(INVENTED, MIDDLE) == pytest.approx(expected)


def test_respondents_shares_and_means_give_one_point() -> None:
    rows = drawn(40)
    means = dict(zip(ITEMS, rows.mean(axis=0).tolist(), strict=True))
    point = project_means(INVENTED, means)
    from_rows = project_answers(INVENTED, rows)
    from_shares = project_distributions(INVENTED, shares_of(rows), INSTRUMENT)
    assert from_rows.point == pytest.approx(point)
    assert from_shares.point == pytest.approx(point)
    assert (from_rows.n, from_shares.n, from_shares.error) == (40, None, None)


def test_the_covariance_of_respondents_is_that_of_their_points() -> None:
    rows = drawn(30)
    placed = np.array([project_means(INVENTED, dict(zip(ITEMS, row, strict=True))) for row in rows.tolist()])
    found = project_answers(INVENTED, rows)
    np.testing.assert_allclose(found.spread, np.cov(placed.T))
    np.testing.assert_allclose(found.error, np.cov(placed.T) / 30)
    again = project_answers(INVENTED, rows, weights=np.full(30, 7.0))
    np.testing.assert_allclose(again.error, found.error)
    few = project_answers(INVENTED, rows, weights=np.array([1e6] * 2 + [1e-6] * 28))
    np.testing.assert_allclose(few.error, np.cov(placed[:2].T) / 2, rtol=1e-6)


def test_the_error_from_shares_is_that_of_independent_answers() -> None:
    shares = shares_of(drawn(25), n=200)
    found = project_distributions(INVENTED, shares, INSTRUMENT)
    answers = [
        RNG.choice(np.arange(RANGES[each.item][0], RANGES[each.item][1] + 1), p=each.shares, size=(4000, 200))
        for each in shares
    ]
    matrix, offset = INVENTED.linear
    points = np.stack([each.mean(axis=1) for each in answers], axis=1) @ matrix.T + offset
    np.testing.assert_allclose(found.error, np.cov(points.T), atol=0.08 * np.trace(found.error))
    np.testing.assert_allclose(found.error * 199, found.spread)
    assert found.n == 200


@given(st.sampled_from(ITEMS), st.floats(-0.4, 0.4))
def test_a_step_on_one_item_moves_the_point_by_its_column(item: str, step: float) -> None:
    moved = project_means(INVENTED, MIDDLE | {item: MIDDLE[item] + step})
    change = np.subtract(moved, project_means(INVENTED, MIDDLE))
    np.testing.assert_allclose(change, INVENTED.linear[0][:, ITEMS.index(item)] * step, atol=1e-12)


def test_the_ellipse_holds_its_share() -> None:
    covariance = np.array([[2.0, 1.2], [1.2, 1.0]])
    major, minor, angle = ellipse(covariance, level=0.8)
    points = RNG.multivariate_normal([0, 0], covariance, size=40_000)
    along = points @ [math.cos(angle), math.sin(angle)]
    across = points @ [-math.sin(angle), math.cos(angle)]
    assert np.mean((along / major) ** 2 + (across / minor) ** 2 <= 1) == pytest.approx(0.8, abs=0.01)
    assert ellipse([[1.0, 0.0], [0.0, 4.0]])[2] == pytest.approx(math.pi / 2)


def test_distances_on_the_map_name_missing_countries() -> None:
    found = map_distance({"PE": MapPoint(0, 1), "TD": MapPoint(0, 0)}, {"PE": MapPoint(3, 5), "SE": MapPoint(1, 1)})
    assert found.by_country["PE"].raw == pytest.approx(5)
    assert (found.shared.only_model, found.shared.only_people) == (("TD",), ("SE",))


def test_post_materialism_over_all_pairs() -> None:
    found = {(a, b): post_materialism(a, b) for a in range(1, 5) for b in range(1, 5) if a != b}
    assert {pair for pair, value in found.items() if value == 1} == {(1, 3), (3, 1)}
    assert {pair for pair, value in found.items() if value == 3} == {(2, 4), (4, 2)}
    assert sorted(found.values()) == [1] * 2 + [2] * 8 + [3] * 2
    assert (post_materialism(None, 2), post_materialism(2, None), post_materialism(None, None)) == (None, None, None)


def test_autonomy_from_faith_and_obedience_to_independence() -> None:
    yes = {"independence": True, "determination": True, "religious_faith": False, "obedience": False}
    assert autonomy(**yes) == 2
    assert autonomy(**{name: not value for name, value in yes.items()}) == -2
    assert autonomy(**dict.fromkeys(yes, True)) == 0
    assert autonomy(**yes | {"determination": False}) == 1
    for name in yes:
        assert autonomy(**yes | {name: None}) is None


def changed(**values: object) -> Projection:
    return replace(INVENTED, **values)


SHARES = shares_of(drawn(9))
LETTERS = INSTRUMENT | {"A165": SurveyItem("A165", "?", (Option("A", "a"), Option("B", "b")))}
WRONG = {
    "a short centre": ("V70", "center", lambda: changed(center=[1.0] * 9)),
    "text": ("V70", "rc1", lambda: changed(rc1=("one", 2))),
    "nan": ("V70", "weights", lambda: changed(weights=[[0, float("nan")]] * 10)),
    "no spread": ("V70", "scale", lambda: changed(scale=[0.0] * 10)),
    "counted from 0": ("V76", "se, sec", lambda: changed(se=0, sec=1)),
    "one component": ("V76", "se, sec", lambda: changed(se=1, sec=1)),
    "an item short": ("V71", "item", lambda: project_means(INVENTED, {"A008": 1.0})),
    "an item more": ("V71", "item", lambda: project_means(INVENTED, MIDDLE | {"Z": 1.0})),
    "a missing code": ("V72", "F063", lambda: project_means(INVENTED, MIDDLE | {"F063": -1.0})),
    "nine columns": ("V77", "answers", lambda: project_answers(INVENTED, drawn(3)[:, :9])),
    "code 6": ("V72", "Y003", lambda: project_answers(INVENTED, [[1.0] * 9 + [6.0]])),
    "twice": ("V73", "A008, PE", lambda: project_distributions(INVENTED, [*SHARES, SHARES[0]], INSTRUMENT)),
    "two groups": (
        "V73", "Y003, TD",
        lambda: project_distributions(INVENTED, [*SHARES[:9], replace(SHARES[9], cell=Cell("TD"))], INSTRUMENT),
    ),
    "no options": ("V78", "items", lambda: project_distributions(INVENTED, SHARES, {})),
    "letters": ("V75", "A165", lambda: project_distributions(INVENTED, SHARES, LETTERS)),
    "no aim": ("V74", "Y002", lambda: post_materialism(5, None)),
    "one aim twice": ("V74", "Y002", lambda: post_materialism(2, 2)),
    "a weight of 0": ("S01", "weights", lambda: project_answers(INVENTED, drawn(2), weights=[1, 0])),
    "a level of 1": ("S01", "level", lambda: ellipse(np.eye(2), level=1.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_mistakes(name: str) -> None:
    code, field, call = WRONG[name]
    with pytest.raises(CalmError) as caught:
        call()
    assert (caught.value.code, caught.value.field) == (code, field)
