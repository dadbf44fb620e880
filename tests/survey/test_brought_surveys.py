"""Surveys that a user brings: WVS 7, the Integrated Values Surveys, WorldValuesBench. Every figure is invented."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from calm_lm.errors import CalmError
from calm_lm.survey.cell import FIELDS, Cell
from calm_lm.survey.sources import ivs, worldvaluesbench, wvs7
from calm_lm.survey.sources.bundled import bundled_codebook

WVS_CSV = "F00001-WVS_Cross-National_Wave_7_csv_v6_0.csv"
IVS_CSV = "Integrated_values_surveys_1981-2022.csv"
SMALL = "items:\n  Q46: {text: 'Happy?', options: {1: Very, 2: Rather, 3: Little, 4: Not}, scale: ordinal}\n"


def wvs_file(folder, write_csv, changes=()):
    columns = list(wvs7.wvs7_codebook().columns.values())
    header = ["version", "B_COUNTRY_ALPHA", "A_YEAR", "W_WEIGHT", "S018", "Q260", *columns]
    rows = [["6", land, 2018, weight, 1, 1, *([1] * len(columns))] for land, weight in (("EGY", 1), ("NIR", 0.5))]
    rows.append(["6", "EGY", 2018, 3, 1, 2, *([2] * len(columns))])
    for row, name, value in changes:
        rows[row][header.index(name)] = value
    write_csv(folder / WVS_CSV, header, rows)
    return folder


def test_wvs7_with_the_bundled_paraphrases(tmp_path, write_csv):
    survey = wvs7.load(wvs_file(tmp_path, write_csv, [(0, "Q57", -1), (1, "Q182", -4), (2, "Q254", 5)]))
    assert len(survey.instrument.items) == 64
    assert all(item.source == "paraphrase" for item in survey.instrument.items.values())
    found = {(each.item, each.cell.country): each for each in survey.distributions}
    assert found["Q46", "EG"].shares == pytest.approx((0.25, 0.75, 0, 0))
    assert found["Q57", "EG"].missing_share == pytest.approx(0.25)
    assert ("Q182", "x-northern-ireland") not in found
    assert found["Q254", "EG"].missing_share == pytest.approx(0.75)  # "not of this nationality"
    assert found["Q46", "EG"].date == "2018"


def test_the_bundled_codebooks_agree_with_what_is_known():
    book = wvs7.wvs7_codebook()
    known = {f"Q{at}": size for first, last, size in wvs7.SKELETON for at in range(first, last + 1)}
    assert {item.id: len(item.options) for item in book.items} == {item.id: known[item.id] for item in book.items}
    assert {f"Q{at}" for at in (46, 57, 45, 209, 164, 182, 184, 254, 154, 155, 8, 14, 15, 17)} <= set(book.columns)
    assert set(bundled_codebook("ivs.yaml").columns) == {
        "A008", "A165", "E018", "E025", "F063", "F118", "F120", "G006", "Y002", "Y003",
    }  # fmt: skip


def test_wvs7_with_a_users_codebook(tmp_path, write_csv):
    wvs_file(tmp_path, write_csv)
    (tmp_path / "codebook.yaml").write_text(SMALL, encoding="utf-8")
    survey = wvs7.load(tmp_path)
    assert [item.text for item in survey.instrument.items.values()] == ["Happy?"]
    (tmp_path / "codebook.yaml").write_text(SMALL.replace(", 4: Not", ""), encoding="utf-8")
    with pytest.raises(CalmError, match="V54") as caught:
        wvs7.load(tmp_path)
    assert caught.value.field == "Q46"
    (tmp_path / "codebook.yaml").unlink()
    (tmp_path / "codebook.csv").write_text("id,text,options,scale\nQ49,Content?,1..10,ordinal\n", encoding="utf-8")
    assert list(wvs7.load(tmp_path).instrument.items) == ["Q49"]


def test_the_template_is_a_codebook_to_fill(tmp_path):
    filled = wvs7.codebook_template().replace('text: ""', "text: filled")
    path = tmp_path / "codebook.yaml"
    path.write_text(filled, encoding="utf-8")
    items = {item.id: item for item in wvs7.wvs7_codebook(path).items}
    assert len(items) == sum(last - first + 1 for first, last, _ in wvs7.SKELETON)
    assert items["Q94"].codes == ("0", "1", "2")
    assert items["Q152"].scale == "nominal"
    assert len(yaml.safe_load(filled)["items"]) == len(items)


def test_wvs7_mismatches(tmp_path, write_csv):
    wvs_file(tmp_path, write_csv, [(0, "Q46", 9), (1, "B_COUNTRY_ALPHA", "Egypt"), (2, "W_WEIGHT", "-1")])
    with pytest.raises(CalmError, match="V51") as caught:
        wvs7.load(tmp_path)
    for told in ("3 cells", "row 2, Q46: '9'", "row 3, B_COUNTRY_ALPHA: 'Egypt'", "row 4, W_WEIGHT: '-1'"):
        assert told in str(caught.value)
    (tmp_path / f"second-{WVS_CSV}").write_text("a\n", encoding="utf-8")
    with pytest.raises(CalmError, match="V53"):
        wvs7.load(tmp_path)


def test_respondents_of_the_published_layouts_and_of_files_without_their_number(tmp_path, write_csv):
    wvs_file(tmp_path, write_csv, [(0, "Q46", -1)])
    people = wvs7.people(tmp_path)
    assert (people.column, people.person.rows()) == (None, ["2", "3", "4"])  # lines of the file
    assert people.culture.rows() == ["EG", "x-northern-ireland", "EG"]
    assert people.answered.tolist()[0].count(False) == 1
    header, *rows = (line.split(",") for line in (tmp_path / WVS_CSV).read_text().splitlines())
    write_csv(tmp_path / WVS_CSV, ["D_INTERVIEW", *header], [[f"81807{i}", *row] for i, row in enumerate(rows)])
    people = wvs7.people(tmp_path)
    assert (people.column, people.person.rows()) == ("D_INTERVIEW", ["818070", "818071", "818072"])
    (tmp_path / "codebook.yaml").write_text("person: S018\n" + SMALL, encoding="utf-8")
    people = wvs7.people(tmp_path)
    assert (people.column, people.person.rows()) == ("S018", ["1", "1", "1"])
    assert people.answered.tolist() == [[False], [True], [True]]

    items = list(bundled_codebook("ivs.yaml").columns.values())
    rows = [["7", wave, "818", "1.0", year, *([1] * len(items))] for wave, year in ((5, 2008), ("7.0", 2018))]
    write_csv(tmp_path / "ivs" / IVS_CSV, ["S007_01", "S002VS", "S003", "S017", "S020", *items], rows)
    people = ivs.people(tmp_path / "ivs")
    assert (people.column, people.person.known, people.wave.rows()) == ("S007_01", ("7",), ["5", "7"])


def test_ivs_keeps_waves_apart_and_reads_the_negative_values_of_its_index(tmp_path, write_csv):
    items = list(bundled_codebook("ivs.yaml").columns.values())
    header = ["S002VS", "S003", "S017", "S020", *items]
    y3 = len(header) - 1
    rows = [[wave, land, "1.0", year, *([1] * len(items))] for wave, land, year in
            ((5, 818, 2008), (7, 818, 2018), (7, "909.0", 2018))]  # fmt: skip
    rows[0][y3], rows[1][y3], rows[2][y3] = -2, "-1.0", -5
    write_csv(tmp_path / IVS_CSV, header, rows)
    survey = ivs.load(tmp_path)
    found = {(each.item, each.cell.country, each.wave): each for each in survey.distributions}
    assert found["Y003", "EG", "5"].shares == (1, 0, 0, 0, 0)
    assert found["Y003", "EG", "7"].shares == (0, 1, 0, 0, 0)
    assert ("Y003", "x-northern-ireland", "7") not in found
    assert (found["A008", "EG", "5"].date, found["A008", "EG", "7"].date) == ("2008", "2018")
    assert survey.left_out == {"items without a valid answer in a cell": 1}


def test_ivs_codebook_of_a_user(tmp_path, write_csv):
    (tmp_path / "codebook.yaml").write_text(
        "items:\n  A009: {text: 'Healthy?', options: 1..5, scale: ordinal}\n", encoding="utf-8"
    )
    write_csv(tmp_path / IVS_CSV, ["S002VS", "S003", "S017", "S020", "A009"], [[7, 818, 1, 2018, 5]])
    assert ivs.load(tmp_path).distributions[0].shares == (0, 0, 0, 0, 1)


QUESTION = {"question": "On a scale of 1 to 2, tea?", "use_case": "value", "category": "Drinks",
            "answer_data_type": "ordinal", "answer_scale_min": 1, "answer_scale_max": 2}  # fmt: skip
PEOPLE = (
    "D_INTERVIEW\tB_COUNTRY\tQ260\tQ262\tQ275\tQ288\n"
    "1\tEgypt\tMale\t16\tEarly childhood education (ISCED 0) / no education\t1\n"
    "2\tEgypt\tFemale\t50.0\tMasters or equivalent (ISCED 7)\t10\n"
    "3\tEgypt\tFemale\t\tPost-secondary non-tertiary education (ISCED 4)\t\n"
    "4\tGreat Britain\tMissing; Not available\t49\t\t4\n"
    "5\tEgypt\tMale\t29\tLower secondary education (ISCED 2)\t3\n"
)


def bench(folder, **changes):
    files = {
        "question_metadata.json": json.dumps({"Q1": QUESTION, "Q2": {**QUESTION, "answer_data_type": "non_ordinal"}}),
        "full/full_value_qa.tsv": "D_INTERVIEW\tQ1\tQ2\n1\t1\tx\n2\t2\tx\n3\t\tx\n4\t1\tx\n5\t2.0\tx\n",
        "full/full_demographic_qa.tsv": PEOPLE,
    }
    for name, text in {**files, **changes}.items():
        if text is not None:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_worldvaluesbench(tmp_path):
    survey = worldvaluesbench.load(bench(tmp_path))
    egypt, britain = survey.distributions
    assert (egypt.cell.country, egypt.n, egypt.weighted) == ("EG", 3, False)
    assert egypt.shares == pytest.approx((1 / 3, 2 / 3))
    assert egypt.missing_share is None  # an empty cell may be no answer, or not asked
    assert britain.cell.country == "GB"
    assert survey.left_out == {worldvaluesbench.EMPTY: 1, "columns without a scale of numbers": 1}
    assert survey.item("Q1").topic == "Drinks"
    assert worldvaluesbench.load(tmp_path / "full").distributions == survey.distributions
    people = worldvaluesbench.people(tmp_path)
    assert (people.column, people.person.rows()) == ("D_INTERVIEW", ["1", "2", "3", "4", "5"])
    assert people.culture.rows() == ["EG", "EG", "EG", "GB", "EG"]
    assert people.answered[:, 0].tolist() == [True, True, False, True, True]


def test_worldvaluesbench_asks_for_a_part_where_there_are_several(tmp_path):
    bench(tmp_path)
    (tmp_path / "test").mkdir()
    for name in ("value_qa.tsv", "demographic_qa.tsv"):
        (tmp_path / "test" / f"test_{name}").write_bytes((tmp_path / "full" / f"full_{name}").read_bytes())
    assert worldvaluesbench.load(tmp_path).distributions  # the whole is taken
    (tmp_path / "full").rename(tmp_path / "train")
    with pytest.raises(CalmError, match="V55") as caught:
        worldvaluesbench.load(tmp_path)
    assert "test, train" in caught.value.problem


def test_each_person_of_worldvaluesbench_falls_into_the_cell_of_their_profile(tmp_path):
    people = worldvaluesbench.people_of(bench(tmp_path))
    assert people["1"].profile.known == {
        "country": "EG", "sex": "male", "age": "16 to 29", "education": "none or primary", "income": "low",
    }  # fmt: skip
    assert people["2"].profile.known | {"education": "tertiary", "age": "50 and over"} == people["2"].profile.known
    assert people["4"].profile.sex is None
    by = ("sex", "age")
    survey = worldvaluesbench.cut(tmp_path, by)
    answers = {"1": 0, "2": 1, "4": 0, "5": 1}
    counted = {each.cell: each for each in survey.distributions if each.cell.groups}
    expected = {}
    for name, answer in answers.items():
        cell = people[name].profile.cell(*by)
        if cell is not None:
            expected.setdefault(cell, [0, 0])[answer] += 1
    assert {cell: each.n for cell, each in counted.items()} == {cell: sum(n) for cell, n in expected.items()}
    for cell, (first, second) in expected.items():
        assert counted[cell].shares == pytest.approx((first / (first + second), second / (first + second)))
    assert {each.cell for each in survey.distributions if not each.cell.groups} == {Cell("EG"), Cell("GB")}
    outside = [n for why, n in survey.left_out.items() if "outside" in why]
    assert outside == [2]  # one without an age, one without a sex
    with pytest.raises(CalmError, match="V50"):
        worldvaluesbench.cut(tmp_path, ("religion",))  # no such column here


def test_both_sources_of_the_survey_name_groups_alike():
    book = wvs7.wvs7_codebook()
    assert set(book.groups) == set(FIELDS)
    for field, (column, beginnings) in worldvaluesbench._WORDED.items():
        assert book.groups[field].column == column
        assert set(beginnings.values()) == set(book.groups[field].values.values())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"question_metadata.json": None}, "V55"),
        ({"full/full_demographic_qa.tsv": None}, "V55"),
        ({"full/full_value_qa.tsv": None}, "V55"),
        ({"question_metadata.json": "[]"}, "V56"),
        ({"question_metadata.json": "{"}, "V35"),
        ({"question_metadata.json": '{"Q1": 3}'}, "V56"),
        ({"question_metadata.json": '{"Q1": {"question": "?", "answer_data_type": "ordinal"}}'}, "V56"),
        ({"full/full_value_qa.tsv": "ID\tQ1\n1\t1\n"}, "V36"),
        ({"full/full_value_qa.tsv": "D_INTERVIEW\tQ1\n1\t7\n"}, "V51"),
        ({"full/full_value_qa.tsv": "D_INTERVIEW\tQ1\n99\t1\n"}, "V51"),
        ({"full/full_value_qa.tsv": "D_INTERVIEW\tQ1\n"}, "V52"),
        ({"full/full_demographic_qa.tsv": "D_INTERVIEW\n1\n"}, "V36"),
        ({"full/full_demographic_qa.tsv": "D_INTERVIEW\tB_COUNTRY\n1\tEgypt\n1\tEgypt\n"}, "V57"),
        ({"full/full_demographic_qa.tsv": "D_INTERVIEW\tB_COUNTRY\n1\t \n"}, "V57"),
        ({"full/full_demographic_qa.tsv": "D_INTERVIEW\tB_COUNTRY\n1\n"}, "V57"),
        (
            {"full/full_demographic_qa.tsv": 'D_INTERVIEW\tB_COUNTRY\n1\tEgypt\n2\t"Egypt\n' + "3\tEgypt\n" * 9},
            "V57.*row 3",
        ),
        ({"full/full_demographic_qa.tsv": "D_INTERVIEW\tB_COUNTRY\n1\tAtlantis\n"}, "V51"),
    ],
)
def test_worldvaluesbench_mistakes(tmp_path, changes, code):
    with pytest.raises(CalmError, match=code):
        worldvaluesbench.load(bench(tmp_path, **changes))


def test_wvs7_by_groups_keeps_everyone_and_the_weights(tmp_path, write_csv):
    survey = wvs7.load(wvs_file(tmp_path, write_csv))
    cut = wvs7.cut(tmp_path, ("sex",))
    found = {(each.item, each.cell.name): each for each in cut.distributions}
    assert found["Q46", "EG"].shares == pytest.approx((0.25, 0.75, 0, 0))  # weights 1 and 3
    assert found["Q46", "EG, sex=female"].shares == (0, 1, 0, 0)
    assert {each for each in cut.distributions if not each.cell.groups} == set(survey.distributions)


@pytest.mark.parametrize("name", ["wvs7.yaml", "ivs.yaml"])
def test_bundled_codebooks_hold_no_figures(name):
    """Codes are whole numbers, options words or numbers of a scale; nothing looks like a share."""
    path = Path(ivs.__file__).parent / name
    assert not re.search(r"%|\d\.\d", path.read_text(encoding="utf-8"))
