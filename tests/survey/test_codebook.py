"""Codebooks: both forms, and every way of getting one wrong."""

from __future__ import annotations

import pytest

from calm_lm.errors import CalmError
from calm_lm.survey.codebook import code_of, read_codebook

GOOD = """
name: tea
title: Tea survey (invented)
licence: private
citation: invented
country: {column: LAND, coding: alpha3}
countries: {NCY: x-northern-cyprus}
weight: W
missing: {-1: don't know}
not_asked: {-4: not asked}
groups:
  sex: {column: SEX, values: {1: male, 2: female}}
items:
  T1: {text: "Tea?", options: {1: Yes, 2: No}, scale: nominal}
  T2: {text: "How much tea?", options: 0..10, scale: ordinal, reversed: true, missing: {99: refused}, column: TEA}
"""


def read(tmp_path, text, name="codebook.yaml", base=None):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_codebook(path, base)


def test_yaml(tmp_path):
    book = read(tmp_path, GOOD)
    one, two = book.items
    assert [option.text for option in one.options] == ["Yes", "No"]  # not True and False
    assert [option.code for option in one.missing] == ["-1", "-4"]
    assert (two.codes, two.reversed, book.columns["T2"]) == (tuple(map(str, range(11))), True, "TEA")
    assert [option.code for option in two.missing] == ["99", "-4"]
    assert (book.country, book.coding, book.weight, book.wave) == ("LAND", "alpha3", "W", None)
    assert book.countries == {"NCY": "x-northern-cyprus"}
    assert book.groups["sex"].values == {"1": "male", "2": "female"}


def test_negative_codes_can_be_options(tmp_path):
    (item,) = read(tmp_path, GOOD.split("items:")[0] + "items:\n  Y: {text: Y, options: -2..2, scale: ordinal}").items
    assert item.codes == ("-2", "-1", "0", "1", "2")
    assert [option.code for option in item.missing] == ["-4"]


def test_csv_takes_the_rest_from_a_survey(tmp_path):
    base = read(tmp_path, GOOD)
    text = 'id,text,options,scale,reversed\nC1,Coffee?,1=Yes|2=No,nominal,\nC2,"How much, roughly?",1..5,ordinal,true\n'
    book = read(tmp_path, text, "codebook.csv", base)
    assert [item.text for item in book.items] == ["Coffee?", "How much, roughly?"]
    assert [item.reversed for item in book.items] == [False, True]
    # what one item of the base calls missing is not missing for all
    assert [option.code for option in book.items[1].missing] == ["-1", "-4"]
    assert (book.country, book.weight) == ("LAND", "W")
    with pytest.raises(CalmError, match="V45"):
        read(tmp_path, text, "codebook.csv")
    for cell, code in (("1=Yes|2", "V47"), ("1=Yes|1=No", "V48"), ("", "V46"), ("1..1", "V46"), ("5..1", "V46")):
        with pytest.raises(CalmError, match=code):
            read(tmp_path, f"id,text,options,scale\nC1,Coffee?,{cell},nominal\n", "codebook.csv", base)
    with pytest.raises(CalmError, match="V45"):
        read(tmp_path, "id,text,options,scale\n", "codebook.csv", base)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("name: tea", "name: [tea", "V45"),
        ("name: tea", "", "V46"),
        ("name: tea", "nmae: tea", "V46"),
        ("  T1:", "  T2:", "V45"),
        ("weight: W", "weight: []", "V46"),
        ("coding: alpha3", "coding: iso", "V46"),
        ("{column: LAND, coding: alpha3}", "LAND", "V46"),
        ("x-northern-cyprus", "Atlantis", "C04"),
        ("scale: nominal", "scale: interval", "V46"),
        ("scale: nominal", "scale: nominal, size: 3", "V46"),
        ("options: {1: Yes, 2: No}", "options: {1: Yes}", "V01"),
        ("options: {1: Yes, 2: No}", "options: {1: Yes, 2: Yes}", "V25"),
        ("options: {1: Yes, 2: No}", "options: {1: Yes, 1.0: No}", "V46"),
        ("options: {1: Yes, 2: No}", "options: {1: Yes, 1: No}", "V45"),
        ("options: {1: Yes, 2: No}", "options: [Yes, No]", "V46"),
        ("options: 0..10", "options: 0..1000", "V46"),
        ("reversed: true", "reversed: maybe", "V46"),
        ('text: "Tea?"', "text: ''", "V03"),
        ('text: "Tea?"', "text: {a: b}", "V46"),
        ('{text: "Tea?", options: {1: Yes, 2: No}, scale: nominal}', "Tea", "V46"),
        ("groups:\n  sex: {column: SEX, values: {1: male, 2: female}}", "groups: [sex]", "V46"),
        ("{column: SEX, values: {1: male, 2: female}}", "SEX", "V46"),
        ("missing: {-1: don't know}", "missing: -1", "V46"),
    ],
)
def test_mistakes(tmp_path, old, new, code):
    assert old in GOOD
    with pytest.raises(CalmError, match=code):
        read(tmp_path, GOOD.replace(old, new, 1))


def test_not_even_a_table(tmp_path):
    for text in ("", "- a", "items: 3", "items: {}", "a: *b", "{[1]: 2}"):
        with pytest.raises(CalmError, match="V45"):
            read(tmp_path, text)
    (tmp_path / "codebook.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CalmError, match="V34"):
        read_codebook(tmp_path / "codebook.yaml")
    with pytest.raises(CalmError, match="F01"):
        read_codebook(tmp_path / "absent.yaml")


def test_codes_have_one_spelling():
    assert [code_of(each) for each in ("1", 1, "1.0", " 01 ", "+1")] == ["1"] * 5
    assert [code_of(each) for each in ("-4", "-4.00", "1.5", "", "a1")] == ["-4", "-4", "1.5", "", "a1"]
