"""GlobalOpinionQA: the subset and the full layout, labels, missing answers, scales."""

from __future__ import annotations

import gzip
import json
import random

import pytest

from calm_lm.errors import CalmError
from calm_lm.survey.cell import Cell
from calm_lm.survey.check import check_survey
from calm_lm.survey.registry import load_survey
from calm_lm.survey.sources.globalopinionqa import FULL, SUBSET, load

SCALE = ["Very good", "Somewhat good", "Somewhat bad", "Very bad", "DK/Refused"]
HEADER = ["question", "selections", "options", "source"]


def pew(question, options, label, shares):
    """A record of the GlobalOpinionQA subset."""
    listed = " ".join(f"{chr(65 + at)}. {text}" for at, text in enumerate(options))
    return {
        "question": f"Question: {question}\nOptions: {listed}\nAnswer:",
        "options": list(options),
        "attribute": label,
        "gold_distribution": shares,
        "pred_distribution": None,
        "id": 1,
    }


def subset(folder, *records):
    (folder / SUBSET).write_text(json.dumps(records), encoding="utf-8")
    return load(folder)


def test_subset(tmp_path):
    survey = subset(
        tmp_path,
        pew("How is the\n\nweather?", SCALE, "S. Korea", [0.1, 0.2, 0.3, 0.3, 0.1]),
        pew("How is the\n\nweather?", SCALE, "China (Non-national sample)", [0.5, 0.25, 0.25, 0, 0]),
        pew("How is the\n\nweather?", SCALE, "China", [0, 0, 0, 1, 0]),
        pew("Tea or coffee?", ["Tea", "Coffee", "Both (VOL)"], "Northern Ireland", [0.5, 0.4, 0.1]),
    )
    weather, tea = survey.instrument.items.values()
    assert (weather.text, weather.scale, weather.reversed) == ("How is the\n\nweather?", "ordinal", True)
    assert weather.codes == ("1", "2", "3", "4")
    assert [option.text for option in weather.missing] == ["DK/Refused"]
    assert (tea.scale, tea.codes, tea.missing) == ("nominal", ("1", "2", "3"), ())
    korea, sample, china, ireland = survey.distributions
    assert korea.shares == pytest.approx((1 / 9, 2 / 9, 3 / 9, 3 / 9))
    assert korea.missing_share == pytest.approx(0.1)
    assert (korea.cell, china.cell) == (Cell("KR"), Cell("CN"))
    assert sample.cell == Cell("CN", (("sample", "non-national"),))
    assert ireland.cell == Cell("x-northern-ireland")
    assert not survey.left_out


def test_two_labels_of_one_country_and_lines_of_totals(tmp_path):
    survey = subset(
        tmp_path,
        pew("Rain?", ["Yes", "No"], "Britain", [0.6, 0.4]),
        pew("Rain?", ["Yes", "No"], "Great Britain", [0.1, 0.9]),
        pew("Rain?", ["Yes", "No"], "India (Current national sample)", [0.5, 0.5]),
        pew("Rain?", ["Yes", "No"], "India (Old national sample)", [0.4, 0.6]),
        pew("Sun?", ["Yes", "No", "Total         N="], "Peru", [0.3, 0.2, 0.5]),
        pew("Wind?", ["Yes", "No", "No answer"], "Peru", [0, 0, 1.0]),
        pew("Wind?", ["Yes", "No", "No answer"], "Chile", [0.1, 0.1, 0.1]),
    )
    assert [each.cell.name for each in survey.distributions] == ["GB", "IN", "IN, sample=old", "PE"]
    assert survey.distributions[0].shares == pytest.approx((0.6, 0.4))
    assert survey.distributions[-1].shares == pytest.approx((0.6, 0.4))
    assert survey.left_out == {
        "second labels of one country in an item": 1,
        "lines of totals among the options": 1,
        "distributions without a valid answer": 1,
        "distributions whose shares do not sum to one": 1,
    }


def test_full_layout_gives_the_same_items(tmp_path, write_csv):
    (tmp_path / "a").mkdir()
    first = subset(tmp_path / "a", pew("Rain?", SCALE, "Britain", [0.1, 0.2, 0.3, 0.3, 0.1]))
    table = "defaultdict(<class 'list'>, {'Britain': [0.1, 0.2, 0.3, 0.3, 0.1], 'Egypt': [0.5, 0.5, 0, 0, 0]})"
    write_csv(tmp_path / FULL, HEADER, [["Rain?", table, str(SCALE), "GAS"]])
    second = load(tmp_path)
    assert list(first.instrument.items) == list(second.instrument.items)
    assert first.distributions[0] == second.distributions[0]
    assert next(iter(second.instrument.items.values())).source == "GAS"
    assert second.countries == ("EG", "GB")


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        (["Rain?", "{'Britain': __import__('os')}", str(SCALE), "GAS"], "V38", "selections"),
        (["Rain?", "[1, 2]", str(SCALE), "GAS"], "V41", "selections"),
        (["Rain?", "{'Britain': [1, 0]}", str(SCALE), "GAS"], "V41", "shares of Britain"),
        (["Rain?", "{'Britain': [1, 0]}", "Yes or no", "GAS"], "V38", "options"),
        (["Rain?", "{'Britain': [1.5, -0.5]}", "['Yes', 'No']", "GAS"], "V39", "shares of Britain"),
        (["Rain?", "{'Britain': [1.0]}", "['Yes']", "GAS"], "V01", None),
        (["Rain?", "{'Atlantis': [1, 0]}", "['Yes', 'No']", "GAS"], "V33", "country"),
        (["", "{'Britain': [1, 0]}", "['Yes', 'No']", "GAS"], "V03", None),
        (["Rain?", "{'Britain': [1, 0]}", "['Yes', 'yes']", "GAS"], "V25", None),
    ],
)
def test_a_broken_row_of_the_full_layout(tmp_path, write_csv, row, code, field):
    write_csv(tmp_path / FULL, HEADER, [row])
    with pytest.raises(CalmError, match=code) as caught:
        load(tmp_path)
    if field:
        assert (caught.value.field, caught.value.row) == (field, 2)


def spoil(record, rng):
    """A record with one thing wrong, and the errors that may name it."""
    record = dict(record)
    what = rng.randrange(9)
    if what == 0:
        record["gold_distribution"] = record["gold_distribution"][:-1]
    elif what == 1:
        record["gold_distribution"] = [-each for each in record["gold_distribution"]]
    elif what == 2:
        record["gold_distribution"] = rng.choice([None, "0.5", [None] * 5, [True] * 5, [float("nan")] * 5])
    elif what == 3:
        record["attribute"] = rng.choice([None, "", "Atlantis", 7, "Narnia (Non-national sample)"])
    elif what == 4:
        record["question"] = rng.choice([None, "", "Rain?", "Question: Rain?", 3])
    elif what == 5:
        record["options"] = rng.choice([None, [], "Yes", [["Yes"]] * 5, ["DK/Refused"] * 5])
    elif what == 6:
        record["options"] = [rng.choice(record["options"])] * 5
    elif what == 7:
        del record[rng.choice(["question", "options", "attribute", "gold_distribution"])]
    else:
        record["options"] = [" ", *record["options"][1:]]
    return record


@pytest.mark.parametrize("seed", range(150))
def test_generated_bad_records_are_named(tmp_path, seed):
    rng = random.Random(seed)
    good = pew("Rain?", SCALE, "Britain", [0.1, 0.2, 0.3, 0.3, 0.1])
    with pytest.raises(CalmError) as caught:
        subset(tmp_path, good, spoil(good, rng))
    error = caught.value
    assert error.code in {"V01", "V03", "V25", "V33", "V39", "V41"}
    assert error.row == 2 or error.code in {"V01", "V03", "V25"}


def test_files_that_are_none(tmp_path):
    for text, code in (("{", "V35"), ("{}", "V41"), ("[3]", "V41")):
        (tmp_path / SUBSET).write_text(text, encoding="utf-8")
        with pytest.raises(CalmError, match=code):
            load(tmp_path)
    (tmp_path / SUBSET).unlink()
    with pytest.raises(CalmError, match="V42"):
        load(tmp_path)
    packed = gzip.compress(json.dumps([pew("Rain?", SCALE, "Peru", [1, 0, 0, 0, 0])]).encode())
    (tmp_path / f"{SUBSET}.gz").write_bytes(packed)
    assert load(tmp_path).countries == ("PE",)
    (tmp_path / f"{SUBSET}.gz").write_bytes(packed[:-9])
    with pytest.raises(CalmError, match="V34"):
        load(tmp_path)


def test_the_real_subset(data_dir):
    survey = load_survey("globalopinionqa", data_dir)
    assert len(survey.instrument.items) == 1270
    assert (
        len(survey.distributions)
        + sum(
            survey.left_out.get(reason, 0)
            for reason in ("second labels of one country in an item", "distributions without a valid answer")
        )
        == 5752
    )
    assert survey.left_out == {"lines of totals among the options": 9}
    assert all(abs(sum(each.shares) - 1) < 1e-9 for each in survey.distributions)
    assert {len(item.options) for item in survey.instrument.items.values()} == {2, 3, 4, 5}
    report = check_survey(survey)
    assert report.ordinal + report.nominal == 1270
    assert report.ordinal > 600
    assert "x-northern-ireland" in survey.countries
    assert len(survey.countries) > 100
