"""Shares from respondents: against hand counts, statsmodels, planted truth; and files that do not fit."""

from __future__ import annotations

import random

import numpy as np
import pytest
from statsmodels.stats.weightstats import DescrStatsW

from calm_lm.errors import CalmError
from calm_lm.survey import respondents
from calm_lm.survey.cell import Cell
from calm_lm.survey.codebook import read_codebook
from calm_lm.survey.microdata import OUTSIDE, survey_from_microdata, survey_with_cells
from calm_lm.survey.toy import write_toy_microdata

BOOK = """
name: tea
title: Tea survey (invented)
licence: private
citation: invented
country: {column: LAND, coding: alpha3}
weight: W
wave: WAVE
date: YEAR
missing: {-1: don't know}
not_asked: {-4: not asked}
groups:
  sex: {column: SEX, values: {1: male, 2: female}}
items:
  T1: {text: "Tea?", options: {1: Yes, 2: No}, scale: nominal}
  T2: {text: "How much tea?", options: 1..4, scale: ordinal}
"""
HEADER = ["LAND", "W", "WAVE", "YEAR", "SEX", "unused", "T1", "T2"]


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "codebook.yaml"
    path.write_text(BOOK, encoding="utf-8")
    return read_codebook(path)


def survey_of(tmp_path, write_csv, book, rows, header=HEADER, **more):
    return survey_from_microdata(write_csv(tmp_path / "f.csv", header, rows), book, **more)


ROWS = [
    ["EGY", "2.0", 7, 2018, 1, "a", 1, 4],
    ["EGY", "1.0", 7, 2018, 2, "b", 2, 4],
    ["EGY", "1", 7, 2019, 2, "c", -1, -4],
    ["EGY", "0.5", 7, 2019, 2, "d", "2.0", 1],
    ["TUR", "1", 7, 2018, 9, "e", 1, -4],
    ["TUR", "1", 6, 2012, 1, "f", 1, 2],
]


def test_by_hand(tmp_path, write_csv, book):
    survey = survey_of(tmp_path, write_csv, book, ROWS)
    found = {(each.item, each.cell.country, each.wave): each for each in survey.distributions}
    egypt = found["T1", "EG", "7"]
    assert egypt.shares == pytest.approx((2 / 3.5, 1.5 / 3.5))
    assert egypt.missing_share == pytest.approx(1 / 4.5)
    assert (egypt.n, egypt.weighted, egypt.date) == (3, True, "2018-2019")
    assert egypt.n_effective == pytest.approx(3.5**2 / (4 + 1 + 0.25))
    second = found["T2", "EG", "7"]
    assert second.shares == pytest.approx((0.5 / 3.5, 0, 0, 3 / 3.5))
    assert second.missing_share == 0  # not asked is not missing
    assert found["T1", "TR", "6"].date == "2012"
    assert ("T2", "TR", "7") not in found
    assert survey.left_out == {
        "answers of people who were not asked": 2,
        "items without a valid answer in a cell": 1,
    }


def test_groups(tmp_path, write_csv, book):
    survey = survey_of(tmp_path, write_csv, book, ROWS, by=("sex",))
    assert survey.cells == (
        Cell("EG", (("sex", "female"),)), Cell("EG", (("sex", "male"),)), Cell("TR", (("sex", "male"),)),
    )  # fmt: skip
    women = next(each for each in survey.by_item["T1"] if each.cell == survey.cells[0])
    assert (women.shares, women.n) == ((0, 1), 2)
    assert survey.left_out["respondents outside of the cells (a group's value is unknown)"] == 1
    with pytest.raises(CalmError, match="V50") as caught:
        survey_of(tmp_path, write_csv, book, ROWS, by=("age",))
    assert "sex" in caught.value.fix


@pytest.mark.parametrize("block", [300, 4 << 20])
def test_against_statsmodels_in_blocks_of_any_size(tmp_path, write_csv, book, monkeypatch, block):
    monkeypatch.setattr(respondents, "BLOCK_BYTES", block)
    rng = np.random.default_rng(5)
    n = 600
    land, wave = rng.choice(["EGY", "TUR", "DEU"], n), rng.choice(["6", "7"], n)
    weight, answer = rng.uniform(0, 3, n).round(4), rng.choice([1, 2, 3, 4, -1, -4], n)
    rows = zip(land, weight, wave, [2020] * n, [1] * n, [""] * n, [1] * n, answer, strict=True)
    survey = survey_of(tmp_path, write_csv, book, rows)
    assert len(survey.by_item["T2"]) == 6
    for found in survey.by_item["T2"]:
        country = {"EG": "EGY", "TR": "TUR", "DE": "DEU"}[found.cell.country]
        here = (land == country) & (wave == found.wave)
        valid, asked = here & (answer > 0), here & (answer != -4)
        for code, share in enumerate(found.shares, start=1):
            reference = DescrStatsW((answer[valid] == code).astype(float), weights=weight[valid]).mean
            assert share == pytest.approx(reference, abs=1e-12)
        assert found.missing_share == pytest.approx(np.average(answer[asked] == -1, weights=weight[asked]))
        assert found.n == valid.sum()
        assert found.n_effective == pytest.approx(weight[valid].sum() ** 2 / (weight[valid] ** 2).sum())


def test_weights_recover_the_planted_truth_and_their_absence_does_not(tmp_path):
    toy = write_toy_microdata(tmp_path)
    book = read_codebook(toy.codebook)
    weighted = survey_from_microdata(toy.path, book)
    assert len(weighted.distributions) == len(toy.truth) == 24 * 8
    for each in weighted.distributions:
        assert each.array == pytest.approx(toy.truth[each.item, each.cell.country])
        assert each.n == 200
    toy.codebook.write_text(toy.codebook.read_text().replace("weight: weight\n", ""), encoding="utf-8")
    plain = survey_from_microdata(toy.path, read_codebook(toy.codebook))
    wrong = [np.abs(each.array - toy.truth[each.item, each.cell.country]).sum() for each in plain.distributions]
    assert np.mean(wrong) > 0.05
    assert plain.distributions[0].weighted is False


def test_every_mismatch_is_counted_and_every_column_and_value_is_named(tmp_path, write_csv, book):
    bad = [["EGY", "1", 7, 2018, 1, "", 7, 1]] * 12 + [["XXX", "-1", 7, 2018, 1, "", 1, "a"]]
    with pytest.raises(CalmError, match="V51") as caught:
        survey_of(tmp_path, write_csv, book, [*ROWS, *bad])
    text = str(caught.value)
    assert "15 cells or columns" in text
    assert "row 20, T2: 'a' is neither" in text
    assert "row 20, LAND: 'XXX' is no known country" in text
    assert "row 20, W: '-1' is no weight (a number from 0)" in text
    assert "row 8 and 11 more, T1: '7' is neither an option nor a missing code" in text


def test_a_column_full_of_wrong_values_hides_no_other(tmp_path, write_csv, book):
    bad = [["EGY", f"-{at + 1}", 7, 2018, 1, "", 1, 1] for at in range(40)] + [["EGY", "1", 7, 2018, 1, "", 8, 1]]
    with pytest.raises(CalmError, match="V51") as caught:
        survey_of(tmp_path, write_csv, book, [*ROWS, *bad])
    text = str(caught.value)
    assert text.count("is no weight") == 5
    assert "W: so are 35 more of its values" in text
    assert f"row {len(ROWS) + 42}, T1: '8' is neither" in text


@pytest.mark.parametrize("header", [["LAND", "T1"], ["W", "WAVE", "YEAR", "T1", "T2"], ["other"], [*HEADER, "T1"]])
def test_missing_and_double_columns(tmp_path, write_csv, book, header):
    with pytest.raises(CalmError, match="V51") as caught:
        survey_of(tmp_path, write_csv, book, [], header=header)
    lost = [name for name in ("LAND", "W", "WAVE", "YEAR", "T1", "T2") if header.count(name) != 1]
    assert f"{len(lost)} cell" in str(caught.value)
    for name in lost:
        assert f"column {name} {'stands twice' if name in header else 'is missing'}" in str(caught.value)


def test_a_column_that_stands_there_often_is_counted(tmp_path, write_csv, book):
    rows = [[*row, row[-1], row[-1]] for row in ROWS]
    with pytest.raises(CalmError, match=r"V51.* 1 cell or column does .* column T2 stands 3 times\.") as caught:
        survey_of(tmp_path, write_csv, book, rows, header=[*HEADER, "T2", "T2"])
    assert "missing" not in str(caught.value).partition("Fix:")[0]


def spoiled(seed):
    rng = random.Random(seed)
    rows = [list(row) for row in ROWS]
    row, column = rng.randrange(len(rows)), rng.choice([0, 1, 6, 7])
    junk = {
        0: ["", "EG", "XYZ", "818", "egy", "Egypt"],
        1: ["", "-0.5", "nan", "inf", "one", "1,5", "-1"],
        6: ["3", "-2", "", "yes", "1.5", "-99", "0"],
        7: ["0", "5", "-5", " ", "10", "four"],
    }
    rows[row][column] = rng.choice(junk[column])
    return rows, row + 2, HEADER[column]


@pytest.mark.parametrize("seed", range(100))
def test_generated_bad_cells_are_named(tmp_path, write_csv, book, seed):
    rows, row, column = spoiled(seed)
    with pytest.raises(CalmError, match="V51") as caught:
        survey_of(tmp_path, write_csv, book, rows)
    assert f"row {row}, {column}: " in str(caught.value)
    assert "1 cell or column does" in str(caught.value)


def test_files_that_are_none(tmp_path, write_csv, book):
    with pytest.raises(CalmError, match="V52"):
        survey_of(tmp_path, write_csv, book, [])
    with pytest.raises(CalmError, match="F01"):
        survey_from_microdata(tmp_path / "absent.csv", book)
    path = tmp_path / "g.csv"
    lines = [",".join(HEADER), *(",".join(map(str, row)) for row in ROWS)]
    for data in (b"", "\n".join([*lines, "EGY,1"]).encode(), "\n".join(lines).encode() + b"\nEGY,1,\xff,1,1,1,1,1\n"):
        path.write_bytes(data)
        with pytest.raises(CalmError) as caught:
            survey_from_microdata(path, book)
        assert caught.value.code in {"V49", "V51"}
    path.write_bytes(("\ufeff" + "\r\n".join(lines).replace(",", ";")).encode())
    assert len(survey_from_microdata(path, book).distributions) == 5


def test_groups_by_ranges_of_codes_stand_beside_everyone(tmp_path, write_csv):
    path = tmp_path / "codebook.yaml"
    ages = "  age: {column: AGE, values: {16..29: young, 30..99: older}}\n"
    path.write_text(BOOK.replace("groups:\n", "groups:\n" + ages), encoding="utf-8")
    header = [*HEADER, "AGE"]
    rows = [[*row, age] for row, age in zip(ROWS, (16, "29.0", 30, 99, 15, 40), strict=True)]
    file = write_csv(tmp_path / "f.csv", header, rows)
    survey = survey_with_cells(file, read_codebook(path), by=("age",))
    found = {(each.item, each.cell.name, each.wave): each.n for each in survey.distributions}
    assert found["T1", "EG", "7"] == 3
    assert (found["T1", "EG, age=young", "7"], found["T1", "EG, age=older", "7"]) == (2, 1)
    assert ("T1", "TR, age=young", "7") not in found  # 15 has no name
    assert survey.left_out[OUTSIDE] == 1
    for wrong in ("29..16: young", "16..29: young, 20: other"):
        path.write_text(BOOK.replace("groups:\n", f"groups:\n  age: {{column: AGE, values: {{{wrong}}}}}\n"))
        with pytest.raises(CalmError, match="V46"):
            read_codebook(path)
