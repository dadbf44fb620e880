"""BLEnD multiple choice turned into true/false statements."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest

from calm_lm.data import registry
from calm_lm.data.sources.blend import PLACES
from calm_lm.errors import CalmError

HEADER = [
    "ID",
    "target_country",
    "target_region",
    "prompt",
    "source_prompt",
    "region_choices_list",
    "region_choices_str",
    "region_choice_countries_list",
    "region_choice_region_list",
    "region_answer",
    "answer_idx",
    "answer_str",
]
LEVELS = ("high", "mid", "low")


def row_of(question, place, options, countries, answer, level="mid"):
    start = [question, place, level, f"What is tried in {place}?", "?"]
    choices = [repr(options), "|".join(options), repr(countries), repr([level] * len(options))]
    return [*start, *choices, answer, "ABCD"[answer], options[answer]]


def questions(number):
    """`number` questions, each asked about two places with two answers of other places beside the own one."""
    places = list(PLACES)
    for at in range(number):
        for step, place in enumerate((places[at % 16], places[(at + 5) % 16])):
            others = [places[(at + 2) % 16], places[(at + 3) % 16]]
            countries = [others[0], place, others[1]]
            options = [f"thing {at} {country}" for country in countries]
            yield row_of(
                f"Q-{at:03}", place.replace(" ", "_") if step else place, options, countries, 1, LEVELS[at % 3]
            )


def write(write_csv, folder, rows):
    return write_csv(folder / "blend_resource" / "blend_resource_based.csv", HEADER, rows)


def test_five_hundred_questions(tmp_path, write_csv):
    """The size of the complete set: places, wording, one true statement each, whole questions a split."""
    write(write_csv, tmp_path, questions(500))
    write_csv(
        tmp_path / "questions" / "US_questions.csv", ("ID", "Topic"), [[f"Q-{at:03}", "Food"] for at in range(250)]
    )
    data = registry.load("blend", data_dir=tmp_path)
    rows = list(data)
    assert len(rows) == 500 * 2 * 3
    assert set(data.cultures("about")) == set(PLACES.values())
    sides = defaultdict(set)
    for split, of in data.splits.items():
        for example in of:
            sides[example.group].add(split)
    assert len(sides) == 500
    assert all(len(side) == 1 for side in sides.values())
    share = {split: len(of) / len(rows) for split, of in data.splits.items()}
    assert share == pytest.approx({"train": 0.7, "valid": 0.1, "test": 0.2}, abs=0.05)
    assert Counter(e.label for e in rows) == {0: 2000, 1: 1000}
    assert all(e.votes is None and e.reader is None and e.tag("resource") in LEVELS for e in rows)
    assert Counter(e.tag("topic") for e in rows) == {"Food": 1500, None: 1500}
    one = next(e for e in rows if e.group == "Q-000" and e.label and e.about.single == "DZ")
    assert one.text == "Question: What is tried in Algeria? Answer: thing 0 Algeria."
    assert [note for note in data.notes if "SUBSTITUTE for CultureAtlas" in note]


def test_a_question_stays_in_its_split_when_others_are_missing(tmp_path, write_csv):
    rows = list(questions(60))
    write(write_csv, tmp_path / "all", rows)
    write(write_csv, tmp_path / "some", [row for row in rows if int(row[0][2:]) % 4])
    side = {}
    for name in ("all", "some"):
        data = registry.load("blend", data_dir=tmp_path / name)
        side[name] = {e.group: split for split, of in data.splits.items() for e in of}
    assert len(side["some"]) == 45
    assert side["some"].items() <= side["all"].items()


def test_empty_and_repeated_options(tmp_path, write_csv):
    countries = ["US", "UK", "Spain", "Iran"]
    rows = [
        row_of("Q", "US", ["tea", "", "Rice", "bread"], countries, 0),
        row_of("Q", "US", ["tea", "rice", "soup", "cake"], countries, 0),
        row_of("Q", "UK", ["tea", "Tea", "soup.", "tea"], countries, 1),
    ]
    write(write_csv, tmp_path, rows)
    data = registry.load("blend", data_dir=tmp_path)
    found = sorted((e.about.single, e.text.split("Answer: ")[1], e.label) for e in data)
    assert found == [
        ("GB", "Tea.", 1), ("GB", "soup.", 0), ("US", "Rice.", 0), ("US", "bread.", 0),
        ("US", "cake.", 0), ("US", "soup.", 0), ("US", "tea.", 1),
    ]  # fmt: skip
    assert "1 empty options dropped." in data.notes
    assert "4 repeated options of a question and place dropped." in data.notes


def test_broken_rows_are_named(tmp_path, write_csv):
    damage = {
        "ID": ("", "D10"),
        "target_country": ("Atlantis", "D11"),
        "target_region": ("Africa", "D11"),
        "prompt": ("  ", "D10"),
        "region_choices_list": ("['tea', 'rice'", "D12"),
        "region_choice_countries_list": ("['US', 'UK', 'Spain']", "D34"),
        "region_answer": ("4", "D11"),
    }
    good = list(questions(20))
    rng = random.Random(0)
    for at in range(100):
        field, (value, code) = rng.choice(sorted(damage.items()))
        rows = [list(row) for row in good]
        rows[at % len(rows)][HEADER.index(field)] = value
        write(write_csv, tmp_path, rows)
        with pytest.raises(CalmError) as caught:
            registry.load("blend", data_dir=tmp_path)
        assert (caught.value.code, caught.value.row) == (code, at % len(rows) + 2)
    write(write_csv, tmp_path, [row_of("Q", "US", ["tea", "rice"], ["UK", "US"], 0)])
    with pytest.raises(CalmError, match="D34"):
        registry.load("blend", data_dir=tmp_path)


def test_real_counts(data_dir):
    data = registry.load("blend", data_dir=data_dir)
    rows = list(data)
    assert len(rows) == 4 * 3987 - 2 - 5
    assert len({e.group for e in rows}) == 366
    assert sum(e.label for e in rows) == 3987 - 1  # one of the two empty options is the answer
    assert len(data.cultures("about")) == 14
    levels = Counter(e.tag("resource") for e in rows if e.label)
    assert levels == {"high": 2013, "mid": 846, "low": 1127}
    assert {e.tag("topic") for e in rows} <= {
        "Food",
        "Sport",
        "Family",
        "Education",
        "Holidays/Celebration/Leisure",
        "Work life",
    }
