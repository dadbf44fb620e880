"""Surveys by name, the synthetic survey, and the report of what a survey holds."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from calm_lm.errors import CalmError
from calm_lm.survey import registry, toy
from calm_lm.survey.cell import Cell
from calm_lm.survey.check import check_survey
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.instrument import Instrument, Survey
from calm_lm.survey.item import Option, SurveyItem
from calm_lm.survey.toy_items import ITEMS

BROUGHT = [name for name in registry.survey_names() if name != "toy"]


def test_names():
    assert registry.survey_names() == (
        "globalopinionqa", "ivs", "menavalues", "multicultural-alignment", "toy", "worldvaluesbench", "wvs7",
    )  # fmt: skip


@pytest.mark.parametrize("name", BROUGHT)
def test_every_source_says_what_it_is_and_how_to_get_it(name, tmp_path):
    source = registry.get_survey(name)
    assert source.name == name
    assert all((source.title, source.summary, source.licence, source.citation, source.obtain, source.signs))
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(CalmError, match="V28") as caught:
            registry.load_survey(name, folder)
        assert source.obtain in caught.value.fix
        assert str(folder / source.folder) in str(caught.value)


def test_unknown_names_and_no_folder(monkeypatch):
    with pytest.raises(CalmError, match="V26") as caught:
        registry.load_survey("menavalue")
    assert "menavalues" in caught.value.fix
    monkeypatch.delenv("CALM_DATA", raising=False)
    with pytest.raises(CalmError, match="V27"):
        registry.load_survey("menavalues")
    assert registry.load_survey("toy").instrument.name == "toy"


def test_naming_surveys_is_light():
    code = (
        "import sys; from calm_lm.survey import registry; [registry.get_survey(n) for n in registry.survey_names()]; "
        "print(sorted({'torch', 'sklearn', 'pandas', 'pyarrow', 'openpyxl', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_toy_says_that_it_is_synthetic_and_comes_out_the_same():
    survey = toy.toy_survey()
    assert survey == toy.toy_survey()
    assert survey.distributions != toy.toy_survey(seed=8).distributions
    assert "synthetic" in survey.instrument.title.lower()
    assert all(item.source == "synthetic" for item in survey.instrument.items.values())
    assert all(country.startswith("x-toy-") for country in survey.countries)
    assert {(each.wave, each.date) for each in survey.distributions} == {("1", "2010"), ("2", "2020")}
    assert len(survey.distributions) == 24 * 8 * 2


def test_toy_shares_follow_the_formula():
    item = ITEMS[0]
    middle = 1 / (1 + np.exp(-1.6 * 0.5))
    powers = [np.exp(-((at / 4 - middle) ** 2) / (2 * 0.28**2)) for at in range(5)]
    assert toy.toy_shares(item, np.array([0.5, -1.0])) == pytest.approx(np.array(powers) / sum(powers))
    nominal = next(item for item in ITEMS if item.scale == "nominal")
    assert toy.toy_shares(nominal, np.zeros(2)) == pytest.approx([1 / len(nominal.options)] * len(nominal.options))


def test_the_planted_dimensions_can_be_recovered():
    """Means of the ordinal items, centred: two directions hold nearly all of the spread, and span the positions."""
    survey = toy.toy_survey()
    means = np.array(
        [
            [float(each.array @ survey.item(item.id).positions) for each in survey.by_item[item.id] if each.wave == "2"]
            for item in ITEMS
            if item.scale == "ordinal"
        ]
    ).T
    centred = means - means.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    assert (sizes[:2] ** 2).sum() / (sizes**2).sum() > 0.97
    planted = np.array(list(toy.toy_positions("2").values()))
    planted = planted - planted.mean(axis=0)
    residual = planted - left[:, :2] @ (left[:, :2].T @ planted)
    assert (residual**2).sum() / (planted**2).sum() < 0.05


def test_a_report_counts_what_is_there_and_what_is_not():
    options = (Option("1", "yes"), Option("2", "no"), Option("3", "perhaps"))
    items = [
        SurveyItem("a", "A?", options, reversed=True),
        SurveyItem("b", "B?", options, "nominal"),
        SurveyItem("c", "C?", options, "nominal"),
    ]
    found = (
        ResponseDistribution("a", Cell("EG"), (0.5, 0.5, 0), missing_share=0.2, n=40, weighted=True, wave="1"),
        ResponseDistribution("a", Cell("TR", (("sex", "f"),)), (1, 0, 0), n=9, wave="2"),
        ResponseDistribution("b", Cell("EG"), (0.2, 0.2, 0.6)),
    )
    survey = Survey(Instrument.of(items, name="s", title="S", licence="", citation=""), found, {"why": 3})
    report = check_survey(survey)
    assert (report.items, report.distributions, report.ordinal, report.nominal, report.reversed) == (3, 3, 1, 2, 1)
    assert (report.by_country, report.waves, report.parts) == ({"EG": 2, "TR": 1}, {"": 1, "1": 1, "2": 1}, 1)
    assert (report.without_answers, report.empty_cells) == (("c",), 1)
    assert (report.with_n, report.smallest_n, report.weighted) == (2, 9, 1)
    assert (report.missing_known, report.largest_missing) == (1, 0.2)
    assert (report.options, report.languages, report.unchosen_options) == ({3: 3}, {"en": 3}, 1)
    assert report.left_out == {"why": 3}
