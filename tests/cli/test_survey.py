"""`calm survey` on the synthetic survey and on invented files: what is told, what is written, what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from calm_lm.cli.display import bar
from calm_lm.cli.survey_tables import BAR
from calm_lm.errors import CalmError
from calm_lm.survey.cell import Cell
from calm_lm.survey.closeness import place_distance
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.instrument import Instrument, Survey
from calm_lm.survey.item import Option, SurveyItem
from calm_lm.survey.toy import PLACES, toy_survey, write_toy_microdata

ASTER, BIRCH = PLACES[:2]
HOFSTEDE = "distances_hofstede_raw_with_demonymns.csv"


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """No data folder but the one a test gives, and a terminal wide enough for whole lines."""
    monkeypatch.delenv("CALM_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def told(calm, tmp_path):
    """The JSON of a command that works."""

    def run(*arguments: object) -> dict:
        out = tmp_path / "out.json"
        assert calm("survey", *arguments, "--json", out) == 0
        return json.loads(out.read_text())

    return run


@pytest.fixture
def refused(calm, capsys):
    """The one line of a command that is a user's mistake."""

    def run(*arguments: object) -> str:
        assert calm("survey", *arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("calm: [")
        assert error.count("\n") == 1
        return error[7:10]

    return run


def invented_survey() -> Survey:
    """Three items: two answered in both countries, one of them twice in one; one answered in one only."""
    ordinal = SurveyItem("q1", "First?", tuple(Option(str(code), f"step {code}") for code in (1, 2, 3)))
    nominal = SurveyItem("q2", "Second?", (Option("1", "red"), Option("2", "blue")), scale="nominal")
    alone = SurveyItem("q3", "Third?", (Option("1", "yes"), Option("2", "no")))
    facts = {"name": "made", "title": "Made up", "licence": "CC0-1.0", "citation": "none"}
    woman = Cell("EG", (("sex", "female"),))
    return Survey(
        Instrument.of((ordinal, nominal, alone), **facts),
        (
            ResponseDistribution("q1", Cell("EG"), (1.0, 0.0, 0.0), wave="1", date="2001"),
            ResponseDistribution("q1", Cell("EG"), (0.0, 0.5, 0.5), wave="2", date="2011"),
            ResponseDistribution("q1", woman, (0.0, 0.0, 1.0), wave="3", date="2021"),
            ResponseDistribution("q1", Cell("TR"), (0.5, 0.5, 0.0), wave="1", date="2001"),
            ResponseDistribution("q2", Cell("EG"), (1.0, 0.0)),
            ResponseDistribution("q2", Cell("TR"), (0.0, 1.0)),
            ResponseDistribution("q3", Cell("TR"), (0.5, 0.5)),
        ),
    )


def test_the_distance_takes_the_newest_answers_of_everyone():
    found = place_distance(invented_survey(), "EG", "TR")
    assert [each.item for each in found.items] == ["q2", "q1"]  # the most different first
    first = found.items[1]
    assert first.waves == ("2", "1")
    assert first.wasserstein == pytest.approx(0.5)  # each half moves one of two steps
    assert first.jensen_shannon == pytest.approx(jensenshannon([0, 0.5, 0.5], [0.5, 0.5, 0], base=2))
    assert found.items[0].wasserstein is None
    assert found.items[0].jensen_shannon == pytest.approx(1)
    assert found.only_one == 1
    assert (found.wasserstein.items, found.wasserstein.interval) == (1, None)
    assert found.jensen_shannon.mean == pytest.approx((1 + first.jensen_shannon) / 2)
    turned = place_distance(invented_survey(), "TR", "EG")
    assert turned.jensen_shannon.mean == pytest.approx(found.jensen_shannon.mean)
    assert turned.items[1].waves == ("1", "2")


def test_two_places_without_a_common_item_have_no_distance():
    survey = invented_survey()
    kept = tuple(
        each for each in survey.distributions if (each.item, each.cell.country) in (("q2", "EG"), ("q3", "TR"))
    )
    with pytest.raises(CalmError) as caught:
        place_distance(Survey(survey.instrument, kept), "EG", "TR")
    assert caught.value.code == "E28"


def test_list_names_surveys_and_tables_and_what_is_here(told, tmp_path):
    found = told("list")
    assert {each["name"]: each["here"] for each in found["surveys"]}["toy"] is True
    assert not any(each["here"] for each in found["surveys"] if each["name"] != "toy")
    assert [each["name"] for each in found["tables"]] == ["hofstede", "map", "factors"]
    (tmp_path / HOFSTEDE).write_text("country\n")
    tables = told("list", "--data-dir", tmp_path)["tables"]
    assert [each["here"] for each in tables] == [True, False, False]


def test_show_counts_the_survey_and_lists_its_items(told, capsys):
    found = told("show", "toy", "--countries", f"{ASTER},{BIRCH}")
    assert found["report"]["by_country"] == {ASTER: 48, BIRCH: 48}
    assert len(found["items"]) == 24
    assert {each["countries"] for each in found["items"]} == {2}
    output = capsys.readouterr().out
    assert "Toy survey (synthetic)" in output
    assert found["items"][0]["text"] in output


def test_show_item_draws_the_newest_shares_as_bars(told, capsys):
    survey = toy_survey()
    item = next(iter(survey.instrument.items.values()))
    found = told("show", "toy", "--item", item.id, "--countries", BIRCH)
    newest = max((each for each in survey.by_item[item.id] if each.cell.country == BIRCH), key=lambda each: each.wave)
    assert list(found["by_country"]) == [BIRCH]
    assert list(found["by_country"][BIRCH]["shares"].values()) == pytest.approx(newest.shares)
    assert found["by_country"][BIRCH]["wave"] == "2"
    output = capsys.readouterr().out
    for option, share in zip(item.options, newest.shares, strict=True):
        line = next(line for line in output.splitlines() if f" {option.text} " in line)
        assert f"{100 * share:.1f} %" in line
        assert bar(share, BAR).rstrip() in line
    assert "n = 1000" in output


def test_show_item_without_countries_says_how_many_it_hides(told, capsys, monkeypatch):
    monkeypatch.setattr("calm_lm.cli.survey.SHOWN_COUNTRIES", 3)
    found = told("show", "toy", "--item", "F1")
    assert len(found["by_country"]) == 8
    output = capsys.readouterr().out
    assert sum(place in output for place in PLACES) == 3
    assert "5 more countries" in output


def test_a_bar_is_as_long_as_its_share():
    assert bar(0, BAR) == " " * BAR
    assert bar(1, BAR) == "█" * BAR
    assert bar(0.5, BAR).rstrip() == "█" * (BAR // 2)
    lengths = [len(bar(share, BAR).rstrip()) for share in np.linspace(0, 1, 200)]
    assert lengths == sorted(lengths)


def test_distance_is_the_mean_over_shared_items_with_an_interval(told):
    found = told("distance", "toy", "--countries", f"{ASTER},{BIRCH}", "--most", 3)
    survey = toy_survey()
    newest = {(each.item, each.cell.country): each for each in survey.distributions if each.wave == "2"}
    expected = [
        jensenshannon(newest[item, ASTER].shares, newest[item, BIRCH].shares, base=2) for item in survey.by_item
    ]
    assert found["jensen_shannon"]["mean"] == pytest.approx(np.mean(expected))
    assert found["jensen_shannon"]["items"] == 24
    low, high = found["jensen_shannon"]["interval"]
    assert low < np.mean(expected) < high
    assert [each["jensen_shannon"] for each in found["items"]] == pytest.approx(sorted(expected, reverse=True))
    top = found["items"][0]["item"]
    steps = np.linspace(0, 1, len(survey.item(top).options))
    shares = [newest[top, place].shares for place in (ASTER, BIRCH)]
    assert found["items"][0]["wasserstein"] == pytest.approx(wasserstein_distance(steps, steps, *shares))


def test_distance_needs_two_places_that_were_asked(refused):
    assert refused("distance", "toy", "--countries", ASTER) == "R20"
    assert refused("distance", "toy", "--countries", f"{ASTER},{ASTER}") == "R20"
    assert refused("distance", "toy", "--countries", f"{ASTER},EG") == "V24"
    assert refused("distance", "toy", "--countries", f"{ASTER},Q9") == "C04"


def test_split_gives_every_answer_its_part(told):
    found = told("split", "toy", "--share", 0.2, "--seed", 3)
    assert sum(found["counts"].values()) == len(found["answers"]) == 24 * 8 * 2
    held = {axis: set(values) for axis, values in found["held_out"].items()}
    for each in found["answers"]:
        new = [
            each["item"] in held["question"], each["culture"] in held["culture"], each["wave"] in held["wave"]
        ]  # fmt: skip
        assert (each["part"] == "train") == (not any(new))
        assert (each["part"] == "several") == (sum(new) > 1)
    assert told("split", "toy", "--seed", 3) == found
    assert told("split", "toy", "--seed", 4)["held_out"] != found["held_out"]


def test_split_of_ones_own_respondents_keeps_people_apart(calm, told, refused, capsys, tmp_path):
    made = write_toy_microdata(tmp_path, n=40)
    with made.path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    found = told("split", made.path, "--seed", 5)
    output = capsys.readouterr().out
    assert f"each of {len(rows)} rows counts as a person of its own" in output
    assert f"held out, person: {len(found['held_out']['person'])}, listed by --json" in output
    assert (found["survey"], found["file"], found["person_column"]) == ("toy-microdata", "toy.csv", None)
    assert told("split", made.path, "--seed", 5) == found

    with made.path.open("w", encoding="utf-8", newline="") as stream:  # every two rows are one person's
        csv.writer(stream).writerows([["case", *header], *([f"p{i // 2}", *row] for i, row in enumerate(rows))])
    made.codebook.write_text(made.codebook.read_text() + "person: case\n", encoding="utf-8")
    found = told("split", made.path, "--seed", 5)
    assert "told apart by the column case" in capsys.readouterr().out
    people, part = found["rows"]["person"], found["rows"]["part"]
    assert people == [f"p{i // 2}" for i in range(len(rows))]
    held = {axis: set(values) for axis, values in found["held_out"].items()}
    for i, row in enumerate(rows):
        new = [axis for axis, name in (("person", people[i]), ("culture", row[0])) if name in held[axis]]
        assert part[i] == ("several" if len(new) > 1 else f"unseen_{new[0]}" if new else "train")
    assert {name for name, each in found["questions"].items() if each != "train"} == held["question"]
    answered = [sum(cell not in ("-1", "-2") for cell in row[4:]) for row in rows]
    assert sum(found["counts"].values()) == sum(answered)
    known = [place for place, name in enumerate(header[4:]) if found["questions"][name] == "train"]
    here = sum(row[4 + place] not in ("-1", "-2") for row, each in zip(rows, part, strict=True) if each == "train"
               for place in known)  # fmt: skip
    assert found["counts"]["train"] == here

    made.codebook.write_text(made.codebook.read_text().replace("person: case", "person: number"), encoding="utf-8")
    assert refused("split", made.path) == "V51"
    assert refused("split", made.path, "--codebook", tmp_path / "none.yaml") == "R23"
    for command in ("split", "check"):
        assert calm("survey", command, "toy", "--codebook", made.codebook) == 2
        assert f"[V06] field '--codebook', value '{str(made.codebook)[:20]}" in capsys.readouterr().err


def test_check_counts_a_registered_survey_and_ones_own_files(told, refused, tmp_path):
    assert told("check", "toy")["distributions"] == 384
    made = write_toy_microdata(tmp_path, n=40)
    found = told("check", made.path)
    assert (found["items"], found["distributions"], found["weighted"]) == (24, 24 * 8, 24 * 8)
    assert told("check", made.codebook)["items"] == 24
    moved = made.codebook.rename(tmp_path / "other.yaml")
    assert refused("check", made.path) == "R23"
    assert told("check", made.path, "--codebook", moved) == found
    made.path.write_text(made.path.read_text().replace(ASTER, "nowhere", 1))
    assert refused("check", made.path, "--codebook", moved) == "V51"


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    """Invented scores in the layout of the collection."""
    folder = tmp_path / "eecc-wvs-hofstede"
    folder.mkdir()
    with (folder / HOFSTEDE).open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(
            [
                ["country", "pdi", "idv", "mas", "uai", "ltowvs", "ivr"],
                ["Japan", 11, 22, 33, 44, 55, "#NULL!"],
                ["Peru", 1, 2, 3, 4, 5, 6],
            ]
        )
    return tmp_path


def test_index_shows_figures_of_the_users_copy(told, figures, capsys):
    found = told("index", "hofstede", "--data-dir", figures)
    assert found["rows"] == {"JP": [11, 22, 33, 44, 55, None], "PE": [1, 2, 3, 4, 5, 6]}
    assert found["columns"] == ["PDI", "IDV", "MAS", "UAI", "LTO", "IVR"]
    output = capsys.readouterr().out
    assert "no open licence" in output
    assert list(told("index", "hofstede", "--countries", "PE", "--data-dir", figures)["rows"]) == ["PE"]


def test_index_refuses_what_it_does_not_have(refused, figures, tmp_path):
    assert refused("index", "hofstede", "--countries", "PE,FR", "--data-dir", figures) == "R21"
    assert refused("index", "gdp", "--data-dir", figures) == "E27"
    assert refused("index", "map", "--data-dir", figures) == "E23"
    assert refused("index", "factors") == "E22"


def test_show_refuses_what_is_not_there(refused):
    assert refused("show", "toys") == "V26"
    assert refused("show", "menavalues") == "V27"
    assert refused("show", "toy", "--item", "F99") == "V23"
    assert refused("split", "toy", "--share", 0.9) == "V90"


def test_show_refuses_an_item_that_nobody_in_the_chosen_countries_answered(refused, monkeypatch):
    monkeypatch.setattr("calm_lm.survey.registry.load_survey", lambda name, data_dir: invented_survey())
    assert refused("show", "toy", "--item", "q3", "--countries", "EG") == "R22"


@pytest.mark.parametrize(("name", "rows", "columns"), [("hofstede", 111, 6), ("map", 107, 2), ("factors", 66, 6)])
def test_index_of_the_real_tables(told, data_dir, name, rows, columns):
    found = told("index", name, "--data-dir", data_dir)
    assert (len(found["rows"]), len(found["columns"])) == (rows, columns)


def test_the_real_surveys_can_be_shown_and_compared(told, data_dir):
    found = told("distance", "menavalues", "--countries", "EG,TR", "--data-dir", data_dir)
    low, high = found["jensen_shannon"]["interval"]
    assert 0 < low < found["jensen_shannon"]["mean"] < high < 1
    item = found["items"][0]["item"]
    shown = told("show", "menavalues", "--item", item, "--countries", "EG,TR", "--data-dir", data_dir)
    assert list(shown["by_country"]) == ["EG", "TR"]
