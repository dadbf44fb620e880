"""MENAValues: the transposed sheet, the four ways of writing options, and what is decided about codes."""

from __future__ import annotations

import builtins
import random

import pytest

from calm_lm.errors import CalmError
from calm_lm.survey.check import check_survey
from calm_lm.survey.registry import load_survey
from calm_lm.survey.sources.menavalues import load
from calm_lm.survey.sources.menavalues_text import read_question

AOI = {"Source": "The 2022 Arab Opinion Index", "Sub Question": None}
GOOD = "(1.9, {'2': '60.00%', '1': '25.00%', '4': '15.00%'})"


def one(write_sheet, facts=None, cells=None, **more):
    return load(write_sheet([(facts or {}, cells or {"Egypt": GOOD})], **more))


def only_item(survey):
    (item,) = survey.instrument.items.values()
    return item


def test_ends_only(write_sheet):
    survey = one(write_sheet, cells={"Egypt": GOOD, "Palestine": "(No data, {})", "Turkey": "(3, {'4.0': '100.0%'})"})
    item = only_item(survey)
    assert (item.id, item.scale, item.reversed, item.topic) == ("Q1", "ordinal", True, "LIFE / DRINKS")
    assert [option.text for option in item.options] == ["1", "2", "3", "4"]
    assert item.text == (
        "How important is 'tea' in your life, with '1' being 'Very important' and '4' being 'Not important'."
    )
    egypt, turkey = survey.distributions
    assert egypt.shares == pytest.approx((0.25, 0.6, 0, 0.15))
    assert (egypt.cell.country, egypt.wave, egypt.date, egypt.n) == ("EG", "WVS 7", "2017-2022", None)
    assert turkey.shares == (0, 0, 0, 1)
    assert survey.left_out == {"country cells without answers": 1}


@pytest.mark.parametrize(
    ("full", "size", "text", "labels"),
    [
        ("How often? 1: Yes, always, 2: Yes, sometimes, 3: Never.", 3, "How often?", ["Yes, always", "Yes, sometimes",
         "Never"]),
        ("Do you? With '1' being 'Yes', and '2' being 'No'. Here is the list: [a, b]. Provide a number only.", 2,
         "Do you? Here is the list: [a, b].", ["Yes", "No"]),
        ("Do you, please indicate, with '1' being 'Don't trust' and '2' being 'Trust'. Provide a number only.", 2,
         "Do you, please.", ["Don't trust", "Trust"]),
        ("Which? Provide a number only.\n\n1 - A stable home\n2 - Less work, more tea", 2, "Which?",
         ["A stable home", "Less work, more tea"]),
        ("Are you: 1. Better off, 2. Worse off, or 3. About the same? Provide a number only.", 3, "Are you",
         ["Better off", "Worse off", "About the same"]),
        ("Which statement? 1) This one, or 2) That one. Provide a number only.", 2, "Which statement?",
         ["This one", "That one"]),
    ],
)  # fmt: skip
def test_ways_of_writing_options(full, size, text, labels):
    read = read_question(full, range(1, size + 1))
    assert not read.only_ends
    assert list(read.labels.values()) == labels
    if "please indicate" not in full:
        assert read.text == text
    assert "being" not in read.text


def test_better_worse_same_is_put_into_order(write_sheet):
    full = "Are you: 1. Better off, 2. Worse off, or 3. About the same? Provide a number only."
    survey = one(write_sheet, {"MAX": 3, "Full Question": full}, {"Egypt": "(1, {'1': '50%', '2': '30%', '3': '20%'})"})
    assert only_item(survey).codes == ("1", "3", "2")
    assert survey.distributions[0].shares == pytest.approx((0.5, 0.2, 0.3))


def test_a_code_below_the_range_is_missing_where_its_words_say_so(write_sheet):
    full = "Respect at work? 0: I do not have a job, 1: Yes, always, 2: Rarely, 3: Never"
    cells = {"Egypt": "(1, {'1.0': '40%', '0.0': '50%', '3.0': '10%'})"}
    survey = one(write_sheet, {**AOI, "MAX": 3, "Full Question": full}, cells)
    item = only_item(survey)
    assert [option.text for option in item.missing] == ["I do not have a job"]
    assert (item.id, item.source) == ("column-2", "The 2022 Arab Opinion Index")
    found = survey.distributions[0]
    assert found.shares == pytest.approx((0.8, 0, 0.2))
    assert found.missing_share == pytest.approx(0.5)


def test_zero_can_be_an_answer(write_sheet):
    full = "Member? With '0' being 'Not a member', '1' being 'Inactive', and '2' being 'Active'. Provide a number only."
    survey = one(write_sheet, {"Min": 0, "MAX": 2, "Full Question": full}, {"Egypt": "(0, {'0': '98%', '2': '2%'})"})
    assert only_item(survey).codes == ("0", "1", "2")
    assert survey.distributions[0].shares == pytest.approx((0.98, 0, 0.02))


def test_gaps_that_nobody_chose_and_disagreeing_with_both(write_sheet):
    full = "Which is closer? 1: This statement, 2: That statement, 5: Disagree with both statements"
    survey = one(write_sheet, {**AOI, "MAX": 5, "Full Question": full}, {"Egypt": "(1, {'1.0': '90%', '5.0': '10%'})"})
    assert only_item(survey).codes == ("1", "2", "5")
    assert only_item(survey).scale == "nominal"


@pytest.mark.parametrize(
    ("full", "high", "cell", "reason"),
    [
        ("Which? 1: This, 2: That, ", 3, "(1, {'1.0': '50%', '3.0': '50%'})", "lost"),
        ("Worried? With '1' being 'Yes' and '2' being 'No'.", 4, "(1, {'1': '50%', '4': '50%'})", "contradict"),
        ("Which? 1: This, 2: That", 2, "(1, {'1': '50%', '7': '50%'})", "lost"),
        ("", 2, "(1, {'1': '50%', '2': '50%'})", "without a question"),
    ],
)
def test_items_that_cannot_be_asked_are_counted(write_sheet, full, high, cell, reason):
    survey = one(write_sheet, {"MAX": high, "Full Question": full}, {"Egypt": cell})
    assert not survey.instrument.items
    assert any(reason in name and count == 1 for name, count in survey.left_out.items())


def test_labels_above_the_range_and_twins(write_sheet):
    full = "Which country? 1: Norland, 2: Sudland, 3: norland, 4: Westland"
    survey = one(write_sheet, {**AOI, "MAX": 3, "Scale": "n", "Full Question": full},
                 {"Egypt": "(1, {'1': '50%', '2': '30%', '3': '20%'})"})  # fmt: skip
    assert survey.distributions[0].shares == pytest.approx((0.7, 0.3))
    assert survey.left_out["labels above MAX, whose answers the source cut away"] == 1
    assert survey.left_out["options whose words stand twice, counted as one"] == 1


def broken_cells():
    """Cells that hold something, but no country's answers; an empty cell is no error."""
    rng = random.Random(4)
    fixed = ["__import__('os').system('x')", "(1, {'1': '50%'})", "(1, {'1': '50%', '2': '-50%'})", "(1, [1, 2])",
             "(1, {'1': 'half', '2': '50%'})", "(1, {'a': '50%', '1': '50%'})", "(1, {'1': '50%', '1.0': '50%'})",
             "(1, {'1': '50%', '2': 'nan%'})", "text", "(1, {'1': '50%'", "(1, {'1': '150%'})", "({'1': '100%'})",
             "(1, {1: open('x')})"]  # fmt: skip
    drawn = ["".join(rng.choice("(){}'%:, 0123456789.ax") for _ in range(rng.randrange(1, 25))) for _ in range(40)]
    return fixed + [cell for cell in drawn if cell.strip()]


@pytest.mark.parametrize("cell", broken_cells())
def test_broken_cells_are_named(write_sheet, cell):
    """Nothing is executed, nothing passed over: an error names where it stands."""
    with pytest.raises(CalmError) as caught:
        one(write_sheet, cells={"Egypt": cell})
    assert caught.value.code in {"V32", "V38", "V39", "V12", "V13"}
    assert "Egypt" in str(caught.value) or "EG" in str(caught.value)
    assert caught.value.file.endswith(".xlsx")


@pytest.mark.parametrize(
    ("facts", "code"),
    [({"Min": "low"}, "V40"), ({"MAX": 1}, "V40"), ({"MAX": 900}, "V40"), ({"Scale": "?"}, "V40"),
     ({"Source": "elsewhere"}, "V40"), ({"Min": None}, "V40")],
)  # fmt: skip
def test_broken_facts(write_sheet, facts, code):
    with pytest.raises(CalmError, match=code) as caught:
        one(write_sheet, facts)
    assert "column 2" in caught.value.field


def test_broken_sheets(write_sheet, tmp_path):
    with pytest.raises(CalmError, match="V33") as caught:
        one(write_sheet, countries=("Egypt", "Atlantis"))
    assert caught.value.row == 10
    with pytest.raises(CalmError, match="V31") as caught:
        one(write_sheet, names=("Source", "Sub Question", "Min", "MAX", "Scale", "Category", "Sub Category"))
    assert caught.value.field == "Full Question"
    (tmp_path / "MenaValues Benchmark.xlsx").write_bytes(b"no workbook")
    with pytest.raises(CalmError, match="V30"):
        load(tmp_path)


def test_an_empty_sheet(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    openpyxl.Workbook().save(tmp_path / "MenaValues Benchmark.xlsx")
    with pytest.raises(CalmError, match=r"V58|V31"):
        load(tmp_path)


@pytest.mark.parametrize("seed", range(60))
def test_damaged_workbooks_are_read_right_or_refused(write_sheet, seed):
    """Bytes changed anywhere: the same survey, or one error that names the file; never a traceback."""
    folder = write_sheet([({}, {"Egypt": GOOD})])
    path, rng = folder / "MenaValues Benchmark.xlsx", random.Random(seed)
    whole, data = load(folder), bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 3, 30])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(bytes(data if seed % 3 else data[: rng.randrange(len(data))]))
    try:
        read = load(folder)
    except CalmError as error:
        refused = error
    else:
        assert read == whole
        return
    assert refused.file == str(path)


def test_without_openpyxl(write_sheet, monkeypatch):
    folder = write_sheet([({}, {"Egypt": GOOD})])
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "openpyxl":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CalmError, match="V29") as caught:
        load(folder)
    assert "pip install 'calm-lm[survey]'" in caught.value.fix


def test_the_real_sheet(data_dir):
    survey = load_survey("menavalues", data_dir)
    lost = {name: count for name, count in survey.left_out.items() if name.startswith("items")}
    assert len(survey.instrument.items) + sum(lost.values()) == 864
    assert lost == {
        "items whose labels contradict their codes": 2,
        "items with a chosen answer whose words the source lost": 9,
    }
    assert len(survey.countries) == 16
    assert {"PS", "TR", "IR", "MR"} < set(survey.countries)
    assert all(abs(sum(each.shares) - 1) < 1e-9 for each in survey.distributions)
    report = check_survey(survey)
    assert (report.ordinal, report.nominal) == (730, 123)
    assert report.without_answers == ("column-444", "column-447", "column-449")
    assert [name for name, item in survey.instrument.items.items() if item.missing] == [
        "column-366", "column-367", "column-373", "column-764", "column-765",
    ]  # fmt: skip
    assert not [item.text for item in survey.instrument.items.values() if "number only" in item.text]
    assert survey.item("Q3").scale == "ordinal"
    assert survey.item("Q56").codes == ("1", "3", "2")
    (egypt,) = (each for each in survey.by_item["Q2"] if each.cell.country == "EG")
    assert egypt.shares == pytest.approx((0.417, 0.397, 0.1368, 0.0492))
