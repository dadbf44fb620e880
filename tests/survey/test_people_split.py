"""Splits by person: the same as the record-by-record split, and files read respondent by respondent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.survey import respondents
from calm_lm.survey.codebook import read_codebook
from calm_lm.survey.instrument import Instrument
from calm_lm.survey.item import Option, SurveyItem
from calm_lm.survey.people import Names, People, read_people
from calm_lm.survey.people_split import split_people
from calm_lm.survey.splits import Answer, four_way_split

BOOK = """
name: tea
title: Tea survey (invented)
licence: private
citation: invented
country: {column: LAND, coding: alpha3}
wave: WAVE
person: CASE
missing: {-1: don't know}
items:
  T1: {text: "Tea?", options: {1: Yes, 2: No}, scale: nominal, topic: drinks}
  T2: {text: "How much tea?", options: 1..4, scale: ordinal, topic: drinks}
  T3: {text: "How much bread?", options: 1..4, scale: ordinal}
"""
HEADER = ["CASE", "LAND", "WAVE", "T1", "T2", "T3"]
ROWS = [["a", "EGY", 9, 1, -1, 4], [" b ", "TUR", "9.0", 2, 4, -1], ["a", "EGY", 10, -1, -1, -1]]


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "codebook.yaml"
    path.write_text(BOOK, encoding="utf-8")
    return read_codebook(path)


def made(rows, topics, answered):
    """People in memory, as if a file had been read."""
    options = (Option("1", "yes"), Option("2", "no"))
    items = [SurveyItem(f"q{at}", f"Question {at}?", options, topic=topic) for at, topic in enumerate(topics)]
    facts = {"name": "made", "title": "Made up", "licence": "CC0-1.0", "citation": "none"}
    person, culture, wave = (Names.of([row[axis] for row in rows]) for axis in range(3))
    return People(Path("made.csv"), "CASE", Instrument.of(items, **facts), person, culture, wave, answered)


@st.composite
def crowds(draw):
    name = st.integers(0, 5).map(str)
    rows = draw(st.lists(st.tuples(name, name, st.sampled_from(["", "1", "2", "10"])), min_size=1, max_size=20))
    topics = draw(st.lists(st.sampled_from(["", "x", "y"]), min_size=1, max_size=6))
    bits = draw(st.lists(st.booleans(), min_size=len(rows) * len(topics), max_size=len(rows) * len(topics)))
    return made(rows, topics, np.asarray(bits, dtype=bool).reshape(len(rows), len(topics)))


def one_by_one(people):
    """Every valid answer as a record, with its row and question."""
    names = [people.person.rows(), people.culture.rows(), people.wave.rows()]
    questions = list(people.instrument.items)
    places = [(int(row), questions[at]) for row, at in zip(*np.nonzero(people.answered), strict=True)]
    return places, [Answer(names[0][row], name, names[1][row], names[2][row]) for row, name in places]


def outcome(split):
    try:
        return split()
    except CalmError as error:
        return error.code


@settings(max_examples=300)
@given(crowds(), st.integers(0, 1000), st.floats(0.05, 0.5))
def test_every_answer_has_the_part_that_the_split_of_records_gives_it(people, seed, share):
    places, answers = one_by_one(people)
    topics = {item.id: item.topic or item.id for item in people.instrument.items.values()}
    expected = outcome(lambda: four_way_split(answers, share=share, seed=seed, group_of=topics.__getitem__))
    found = outcome(lambda: split_people(people, share=share, seed=seed))
    if isinstance(expected, str):
        assert found == expected
        return
    assert found.held_out == expected.held_out
    assert tuple(found.part(*place) for place in places) == expected.parts
    assert found.counts == expected.counts
    assert found == split_people(people, share=share, seed=seed)
    for name, part in zip(people.person.rows(), found.rows, strict=True):  # all rows of a person on one side
        if name in found.held_out["person"]:
            assert part in ("unseen_person", "several")
        else:
            assert part != "unseen_person"


def test_another_seed_holds_out_others():
    rows = [(str(at), str(at % 9), "") for at in range(200)]
    people = made(rows, ["", "", "", ""], np.ones((200, 4), dtype=bool))
    held = [split_people(people, seed=seed).held_out for seed in (1, 2)]
    assert held[0]["person"] != held[1]["person"]
    assert {len(each["person"]) for each in held} == {40}
    assert held[0]["wave"] == ()


@pytest.mark.parametrize("block", [40, 4 << 20])
def test_a_file_is_read_respondent_by_respondent(tmp_path, write_csv, book, monkeypatch, block):
    monkeypatch.setattr(respondents, "BLOCK_BYTES", block)
    people = read_people(write_csv(tmp_path / "f.csv", HEADER, ROWS), book)
    assert people.column == "CASE"
    assert people.person == Names(("a", "b"), people.person.at)
    assert people.person.rows() == ["a", "b", "a"]
    assert people.culture.rows() == ["EG", "TR", "EG"]
    assert people.wave.rows() == ["9", "9", "10"]
    assert people.answered.tolist() == [[True, False, True], [True, True, False], [False] * 3]


@pytest.mark.parametrize(
    ("header", "rows", "told"),
    [
        (HEADER, [*ROWS, ["", "DEU", 9, 1, 1, 1]], "row 5, CASE: '' is no person"),
        (HEADER, [["a", "XXX", 9, 1, 1, 7]], "row 2, LAND: 'XXX' is no known country; row 2, T3: '7' is neither"),
        (["case", *HEADER[1:]], ROWS, "column CASE is missing"),
        (["CASE", "CASE", *HEADER[2:]], ROWS, "column LAND is missing; column CASE stands twice"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path, write_csv, book, header, rows, told):
    with pytest.raises(CalmError, match="V51") as caught:
        read_people(write_csv(tmp_path / "f.csv", header, rows), book)
    assert told in str(caught.value)


def test_a_file_without_rows(tmp_path, write_csv, book):
    with pytest.raises(CalmError, match="V52"):
        read_people(write_csv(tmp_path / "f.csv", HEADER, []), book)
