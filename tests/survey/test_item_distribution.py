"""Items, distributions, instruments: what they refuse and what they compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.survey.cell import Cell, RespondentProfile
from calm_lm.survey.distribution import ResponseDistribution, stack
from calm_lm.survey.instrument import Instrument, Survey
from calm_lm.survey.item import Option, SurveyItem, Translation

FOUR = tuple(Option(str(code), text) for code, text in enumerate(("never", "rarely", "often", "always"), start=1))
ITEM = SurveyItem("tea", "How often do you drink tea?", FOUR, missing=(Option("-1", "don't know"),))


def test_positions_run_from_low_to_high():
    assert ITEM.positions.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    turned = SurveyItem("tea", "?", FOUR, reversed=True)
    assert turned.positions.tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0])


@pytest.mark.parametrize(
    ("code", "options", "missing"),
    [
        ("V01", FOUR[:1], ()),
        ("V01", (), FOUR),
        ("V02", (*FOUR, Option("1", "more")), ()),
        ("V02", FOUR, (Option("4", "no answer"),)),
        ("V03", (*FOUR, Option("5", " ")), ()),
        ("V25", (*FOUR, Option("5", "Often ")), ()),
    ],
)
def test_items_that_are_none(code, options, missing):
    with pytest.raises(CalmError, match=code) as caught:
        SurveyItem("coffee", "How often?", tuple(options), missing=tuple(missing))
    assert caught.value.field == "coffee"


def test_translations_are_whole_or_refused():
    spanish = Translation("¿Con qué frecuencia?", ("nunca", "rara vez", "a menudo", "siempre"))
    item = SurveyItem("tea", "How often?", FOUR, translations={"es": spanish})
    assert item.in_language("es") is spanish
    assert item.in_language("en").options == ("never", "rarely", "often", "always")
    with pytest.raises(CalmError, match="V05") as caught:
        item.in_language("fr")
    assert "en, es" in str(caught.value)
    for torn in (Translation("¿?", spanish.options[:3]), Translation(" ", spanish.options)):
        with pytest.raises(CalmError, match="V04"):
            SurveyItem("tea", "How often?", FOUR, translations={"es": torn})


def test_missing_codes_are_set_apart():
    found = ResponseDistribution.from_shares(ITEM, Cell("EG"), {"1": 0.2, "2": 0.2, "4": 0.4, "-1": 0.2}, n=80)
    assert found.shares == pytest.approx((0.25, 0.25, 0, 0.5))
    assert found.missing_share == pytest.approx(0.2)
    assert (found.n, found.n_effective) == (80, 80.0)


@pytest.mark.parametrize(
    ("code", "shares"),
    [
        ("V10", {"1": 0.5, "9": 0.5}),
        ("V11", {"1": 1.5, "2": -0.5}),
        ("V11", {"1": float("nan")}),
        ("V12", {"1": 0.5, "2": 0.4}),
        ("V12", {}),
        ("V13", {"-1": 1.0}),
    ],
)
def test_shares_that_are_none(code, shares):
    with pytest.raises(CalmError, match=code) as caught:
        ResponseDistribution.from_shares(ITEM, Cell("EG"), shares, file="f.csv", row=3)
    assert caught.value.file == "f.csv"
    assert caught.value.row == 3
    assert "tea" in caught.value.field


@given(st.lists(st.floats(-0.2, 1.2), min_size=5, max_size=5))
def test_any_shares_are_refused_or_read_right(values):
    shares = dict(zip(("1", "2", "3", "4", "-1"), values, strict=True))
    good = min(values) >= 0 and abs(sum(values) - 1) <= 0.02 and sum(values[:4]) > 0
    if abs(abs(sum(values) - 1) - 0.02) < 1e-9:
        return  # rounding decides on the border itself
    if not good:
        with pytest.raises(CalmError, match=r"V1[123]"):
            ResponseDistribution.from_shares(ITEM, Cell("EG"), shares)
        return
    found = ResponseDistribution.from_shares(ITEM, Cell("EG"), shares)
    assert sum(found.shares) == pytest.approx(1)
    assert found.array * sum(values[:4]) == pytest.approx(np.asarray(values[:4]))


@given(st.lists(st.floats(0.01, 1), min_size=5, max_size=5))
def test_shares_are_divided_by_what_was_answered(values):
    whole = sum(values)
    shares = {code: value / whole for code, value in zip(("1", "2", "3", "4", "-1"), values, strict=True)}
    found = ResponseDistribution.from_shares(ITEM, Cell("EG"), shares)
    assert found.shares == pytest.approx([value / sum(values[:4]) for value in values[:4]])
    assert found.missing_share == pytest.approx(values[4] / whole)


def distribution(item="tea", country="EG", wave=""):
    return ResponseDistribution(item, Cell(country), (0.1, 0.2, 0.3, 0.4), wave=wave)


def survey_of(*found, items=(ITEM,)):
    return Survey(Instrument.of(items, name="s", title="S", licence="none", citation="none"), tuple(found))


def test_a_survey_keeps_one_distribution_of_each_item_cell_and_wave():
    survey = survey_of(distribution(wave="1"), distribution(wave="2"), distribution(country="x-home"))
    assert survey.countries == ("EG", "x-home")
    assert len(survey.by_item["tea"]) == 3
    assert stack(survey.by_item["tea"]).shape == (3, 4)
    with pytest.raises(CalmError, match="V21"):
        survey_of(distribution(), distribution())
    with pytest.raises(CalmError, match="V22"):
        survey_of(distribution(item="coffee"))
    with pytest.raises(CalmError, match="V20"):
        survey_of(items=(ITEM, ITEM))


def test_selecting_names_what_is_not_there():
    survey = survey_of(distribution(), distribution(country="TR"))
    assert survey.select(countries=["TR"]).countries == ("TR",)
    assert survey.select(keep=lambda item: item.scale == "nominal").distributions == ()
    with pytest.raises(CalmError, match="V24") as caught:
        survey.select(countries=["US"])
    assert "EG, TR" in str(caught.value)
    with pytest.raises(CalmError, match="V23"):
        survey.item("coffee")


def test_profiles_fall_into_cells_only_where_they_are_known():
    person = RespondentProfile(country="EG", sex="female", age="30")
    assert person.known == {"country": "EG", "sex": "female", "age": "30"}
    assert person.cell("sex", "age") == Cell("EG", (("age", "30"), ("sex", "female")))
    assert person.cell("religion") is None
    assert RespondentProfile().cell() is None
    with pytest.raises(CalmError, match="C04"):
        RespondentProfile(country="Egyptland")
    assert Cell("EG", (("sex", "f"), ("age", "30"))).name == "EG, age=30, sex=f"
