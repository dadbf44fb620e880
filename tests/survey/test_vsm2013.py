"""The user's questionnaire and answers: read, counted, and every mistake named with its place. All is invented."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from calm_lm.errors import CalmError
from calm_lm.survey.instrument import Instrument
from calm_lm.survey.sources.vsm2013 import read_answers, read_questionnaire
from calm_lm.survey.vsm import CONTENT_ITEMS, vsm_by_cell

ITEM_HEADER = ["item", "text", *(f"option{code}" for code in range(1, 6))]
ITEMS = [[item, f"Invented question {item}?", "a", "b", "c", "d", "e"] for item in CONTENT_ITEMS]
HEADER = ["country", "weight", *CONTENT_ITEMS]


def write(path: Path, *rows: list[object]) -> Path:
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    path.write_text(stream.getvalue(), encoding="utf-8")
    return path


def respondent(country: str, weight: object = 1, **answers: object) -> list[object]:
    return [country, weight, *(answers.get(item, 3) for item in CONTENT_ITEMS)]


@pytest.fixture
def instrument(tmp_path: Path) -> Instrument:
    return read_questionnaire(write(tmp_path / "vsm.csv", ITEM_HEADER, *ITEMS))


def test_the_questionnaire_becomes_an_instrument(tmp_path: Path) -> None:
    about = ["m25", "What are you?", "one", "two", "", "", ""]
    found = read_questionnaire(write(tmp_path / "vsm.csv", ITEM_HEADER, *ITEMS[::-1], about))
    assert tuple(found.items) == CONTENT_ITEMS
    assert found.items["m07"].text == "Invented question m07?"
    assert [(each.code, each.text) for each in found.items["m07"].options] == list(zip("12345", "abcde", strict=True))
    assert "1 items about respondents left out" in found.notes


def test_answers_are_counted_with_weights_and_missing_apart(tmp_path: Path, instrument: Instrument) -> None:
    path = write(
        tmp_path / "answers.csv",
        HEADER,
        respondent("NO", 1, m07=5, m08=""),
        respondent("GH", 2, m07=1),
        respondent("NO", 3, m07=1, m08=9),
        respondent("NO", 2, m07=-1, m08=""),
    )
    survey = read_answers(path, instrument, wave="w", date="2020")
    found = {(each.item, each.cell.country): each for each in survey.distributions}
    m07 = found["m07", "NO"]
    assert m07.shares == pytest.approx((0.75, 0, 0, 0, 0.25))
    assert (m07.missing_share, m07.n, m07.weighted) == (pytest.approx(2 / 6), 2, True)
    assert m07.n_effective == pytest.approx(16 / 10)
    assert (m07.wave, m07.date) == ("w", "2020")
    assert ("m08", "NO") not in found
    assert survey.left_out == {"m08, NO: no valid answer": 3}
    scores = {cell.country: each for cell, each in vsm_by_cell(survey.distributions).items()}
    assert scores["NO"].scores["PDI"] == pytest.approx(35 * (2.0 - 3))
    assert scores["NO"].scores["MAS"] is None
    assert scores["GH"].scores["PDI"] == pytest.approx(-70)
    assert scores["GH"].missing_items == ()


def test_without_weights_the_means_are_numpys(tmp_path: Path, instrument: Instrument) -> None:
    codes = np.random.default_rng(5).integers(1, 6, size=(40, 24))
    codes[3:9, 4] = 9
    path = write(tmp_path / "answers.csv", ["country", *CONTENT_ITEMS], *(["PE", *row] for row in codes.tolist()))
    survey = read_answers(path, instrument)
    for at, each in enumerate(survey.distributions):
        column = codes[:, at]
        assert each.array @ np.arange(1, 6) == pytest.approx(column[column < 9].mean())
        assert (each.n, each.n_effective, each.weighted) == ((column < 9).sum(), (column < 9).sum(), False)
    (scores,) = vsm_by_cell(survey.distributions).values()
    assert scores.n == 34
    assert scores.missing_shares["m05"] == pytest.approx(6 / 40)
    assert scores.missing_shares["m06"] == 0


# rows of the questionnaire, code, row, field
WRONG_ITEMS = {
    "unknown item": ([*ITEMS, ["m31", "?", *"abcde"]], "V86", 26, "item"),
    "an item twice": ([ITEMS[0], *ITEMS], "V86", 3, "item"),
    "an item about respondents twice": ([*ITEMS, ["m25", "?", *"abcde"], ["m25", "?", *"abcde"]], "V86", 27, "item"),
    "an item short": (ITEMS[:-1], "V68", None, "item"),
    "four options": ([*ITEMS[:4], ["m05", "?", "a", "b", "c", "d", " "], *ITEMS[5:]], "V69", 6, "option5"),
    "no text": ([*ITEMS[:4], ["m05", "", *"abcde"], *ITEMS[5:]], "D10", 6, "text"),
}


@pytest.mark.parametrize("name", WRONG_ITEMS)
def test_a_wrong_questionnaire(tmp_path: Path, name: str) -> None:
    rows, code, row, field = WRONG_ITEMS[name]
    with pytest.raises(CalmError) as caught:
        read_questionnaire(write(tmp_path / "vsm.csv", ITEM_HEADER, *rows))
    assert (caught.value.code, caught.value.row, caught.value.field) == (code, row, field)
    assert "vsm.csv" in str(caught.value)


# second respondent, code, field, value as shown
WRONG_ANSWERS = {
    "code 6": (respondent("NO", m24=6), "V87", "m24", "'6'"),
    "zero": (respondent("NO", m24=0), "V87", "m24", "'0'"),
    "ten": (respondent("NO", m01=10), "V87", "m01", "'10'"),
    "text": (respondent("NO", m13="often"), "V87", "m13", "'often'"),
    "nan": (respondent("NO", m13="NaN"), "V87", "m13", "'NaN'"),
    "a fraction": (respondent("NO", m13="2.5"), "V87", "m13", "'2.5'"),
    "a country's name": (respondent("Norway"), "C04", "country", "'Norway'"),
    "no country": (respondent(""), "D10", "country", None),
    "a weight of text": (respondent("NO", "heavy"), "V88", "weight", "'heavy'"),
    "an empty weight": (respondent("NO", ""), "V88", "weight", "''"),
    "a negative weight": (respondent("NO", -1), "V88", "weight", "'-1'"),
    "an endless weight": (respondent("NO", "inf"), "V88", "weight", "'inf'"),
    "a short row": (["NO", 1, 2], "D17", None, None),
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_wrong_answers(tmp_path: Path, instrument: Instrument, name: str) -> None:
    row, code, field, shown = WRONG_ANSWERS[name]
    with pytest.raises(CalmError) as caught:
        read_answers(write(tmp_path / "answers.csv", HEADER, respondent("NO"), row), instrument)
    assert (caught.value.code, caught.value.row, caught.value.field) == (code, 3, field)
    assert caught.value.shown == shown


def test_a_missing_column_and_a_table_without_rows(tmp_path: Path, instrument: Instrument) -> None:
    with pytest.raises(CalmError) as caught:
        read_answers(write(tmp_path / "answers.csv", HEADER[:-1], respondent("NO")[:-1]), instrument)
    assert (caught.value.code, caught.value.field) == ("D22", "m24")
    with pytest.raises(CalmError, match="V80"):
        read_answers(write(tmp_path / "answers.csv", HEADER), instrument)
