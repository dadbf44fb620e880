"""`calm survey vsm` and `calm survey place` on invented answers in the published layouts."""

from __future__ import annotations

import csv
import json

import pytest

ITEMS = [f"m{number:02}" for number in range(1, 25)]


def table(path, *rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


@pytest.fixture
def vsm_files(tmp_path):
    header = ["item", "text", *(f"option{code}" for code in range(1, 6))]
    questions = table(tmp_path / "vsm.csv", header, *([item, f"Invented {item}?", *"abcde"] for item in ITEMS))
    people = [["EG", *(2 if item == "m07" else 3 for item in ITEMS)]] * 25 + [["TR", *(3 for _ in ITEMS)]] * 25
    return questions, table(tmp_path / "answers.csv", ["country", *ITEMS], *people)


def test_six_dimensions_of_each_country(calm, vsm_files, tmp_path, capsys):
    assert calm("survey", "vsm", *vsm_files, "--json", tmp_path / "vsm.json") == 0
    found = json.loads((tmp_path / "vsm.json").read_text())
    # PDI = 35 (m07 - m02) + 25 (m20 - m23): one point less on m07 is 35 less
    assert found["EG"]["scores"]["PDI"] - found["TR"]["scores"]["PDI"] == pytest.approx(-35)
    assert set(found["EG"]["scores"]) == {"PDI", "IDV", "MAS", "UAI", "LTO", "IVR"}
    assert found["EG"]["warnings"]  # 25 people are few
    assert "PDI" in capsys.readouterr().out


def test_an_answer_off_the_scale_ends_in_one_line(calm, vsm_files, capsys):
    questions, answers = vsm_files
    answers.write_text(answers.read_text().replace("TR,3,", "TR,6,", 1))
    assert calm("survey", "vsm", questions, answers) == 2
    error = capsys.readouterr().err
    assert "[V87]" in error
    assert "m01" in error


def test_a_survey_without_the_ten_items_has_no_place(calm, tmp_path, capsys):
    assert calm("survey", "place", "toy", "--data-dir", tmp_path) == 2
    assert "[R24]" in capsys.readouterr().err


def test_people_of_ones_own_file_lie_on_the_map(calm, data_dir, tmp_path, capsys):
    from calm_lm.survey.inglehart_welzel import ITEMS as TEN

    (tmp_path / "iw-cultural-map").symlink_to(data_dir / "iw-cultural-map")
    (tmp_path / "ivs").mkdir()
    people = [[7, 818, 1, 2018, *(1 for _ in TEN)], [7, 792, 1, 2018, *(2 for _ in TEN)]] * 30
    table(
        tmp_path / "ivs" / "Integrated_values_surveys_1981-2022.csv", ["S002VS", "S003", "S017", "S020", *TEN], *people
    )
    assert calm("survey", "place", "ivs", "--data-dir", tmp_path, "--json", tmp_path / "points.json") == 0
    points = json.loads((tmp_path / "points.json").read_text())["points"]
    assert set(points) == {"EG 7", "TR 7"}
    assert points["EG 7"]["n"] == 30
    assert (points["EG 7"]["x"], points["EG 7"]["y"]) != (points["TR 7"]["x"], points["TR 7"]["y"])
