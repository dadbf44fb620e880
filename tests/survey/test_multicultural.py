"""Shares in favour by country: wordings, paraphrases, what has no meaning."""

from __future__ import annotations

import json

import pytest

from calm_lm.errors import CalmError
from calm_lm.survey.registry import load_survey
from calm_lm.survey.sources.multicultural import NO_MEANING, PARAPHRASES, SHARES, WORDINGS, load

HEADER = ["cntry_an", "question_key", "pro_score", "lnge_iso"]


def write(folder, write_csv, rows, wordings=None):
    table = {"f120": ["Ending a pregnancy", "another"]} if wordings is None else wordings
    (folder / WORDINGS).write_text(json.dumps(table), encoding="utf-8")
    write_csv(folder / SHARES, HEADER, rows)
    return folder


def test_two_options(tmp_path, write_csv):
    rows = [["BR", "F120", "0.25", "pt"], ["NIR", "F120", "1.0", "en"], ["BR", "E069_06", "0.6", "pt"],
            ["BR", "E001", "0.6", "pt"], ["BR", "Z9", "0.1", "pt"]]  # fmt: skip
    survey = load(write(tmp_path, write_csv, rows))
    abortion, police = survey.instrument.items.values()
    assert abortion.text == "Are you in favour of this, or not? Ending a pregnancy"
    assert (abortion.source, police.source) == ("EVS/WVS", "paraphrase")
    assert [option.text for option in police.options] == ["In favour", "Not in favour"]
    assert abortion.positions.tolist() == [1, 0]
    assert [(each.cell.country, each.shares) for each in survey.by_item["F120"]] == [
        ("BR", pytest.approx((0.25, 0.75))),
        ("x-northern-ireland", (1, 0)),
    ]
    assert survey.left_out == {
        "(country, question) pairs: no meaning of 'in favour'": 1,
        "(country, question) pairs: no text": 1,
    }


@pytest.mark.parametrize("share", ["-1", "1.01", "", "nan", "inf", "0,5", "half", "-5.0"])
def test_bad_shares(tmp_path, write_csv, share):
    rows = [["BR", "F120", "0.5", "pt"], ["CA", "F120", share, "en"]]
    with pytest.raises(CalmError, match="V39") as caught:
        load(write(tmp_path, write_csv, rows))
    assert (caught.value.row, caught.value.field) == (3, "pro_score")


def test_bad_rows_and_wordings(tmp_path, write_csv):
    with pytest.raises(CalmError, match="V33"):
        load(write(tmp_path, write_csv, [["XX", "F120", "0.5", "pt"]]))
    (tmp_path / WORDINGS).unlink()
    with pytest.raises(CalmError, match="V59"):
        load(tmp_path)
    with pytest.raises(CalmError, match="V44") as caught:
        load(write(tmp_path, write_csv, [["BR", "F120", "0.5", "pt"], ["BR", "F120", "0.6", "pt"]]))
    assert caught.value.row == 3
    for wordings in ([], {"f120": []}, {"f120": "text"}, {"f120": [" "]}):
        with pytest.raises(CalmError, match="V43"):
            load(write(tmp_path, write_csv, [], wordings))
    write_csv(tmp_path / SHARES, HEADER[1:], [])
    (tmp_path / WORDINGS).write_text("{}", encoding="utf-8")
    with pytest.raises(CalmError, match="V36") as caught:
        load(tmp_path)
    assert caught.value.field == "cntry_an"
    (tmp_path / SHARES).write_text(",".join(HEADER) + "\nBR,F120\n", encoding="utf-8")
    with pytest.raises(CalmError, match="V37"):
        load(tmp_path)


def test_the_real_table(data_dir):
    survey = load_survey("multicultural-alignment", data_dir)
    assert len(survey.instrument.items) + len(NO_MEANING) == 83
    assert len(survey.countries) == 13
    assert len(survey.distributions) + sum(survey.left_out.values()) == 1062
    assert sum(item.source == "paraphrase" for item in survey.instrument.items.values()) == len(PARAPHRASES) == 44
    (brazil,) = (each for each in survey.by_item["F117"] if each.cell.country == "BR")
    assert brazil.shares[0] == pytest.approx(0.0517, abs=1e-4)
