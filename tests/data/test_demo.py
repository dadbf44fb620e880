"""The bundled demo as a data set: splits, labels, records, the culture-blind ceiling, the datasheet."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict

import pytest

from calm_lm.culture.norms import NormStore
from calm_lm.data import registry
from calm_lm.data.check import check_dataset
from calm_lm.data.example import Dataset, Example
from calm_lm.data.norms import COUNTRIES, NORMS
from calm_lm.data.sources import demo

SPLITS = ("train", "valid", "test", "test_new_family")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return registry.load("demo")


def _groups(data: Dataset, split: str) -> set[str]:
    return {row.group for row in data.splits[split]}


def _pairs(data: Dataset, split: str) -> set[tuple[str | None, str | None]]:
    return {(row.tag("family"), row.tag("behaviour")) for row in data.splits[split]}


def test_counts(data):
    assert {split: len(rows) for split, rows in data.splits.items()} == {
        "train": 2184,
        "valid": 312,
        "test": 624,
        "test_new_family": 480,
    }
    assert data.labels == ("expected", "fine", "out_of_place", "varies")
    assert data.labels[data.positive] == "out_of_place"
    assert data.cultures("reader") == COUNTRIES
    assert (data.contrast, data.offensive, data.licences) == ("reader", False, ("Apache-2.0",))
    assert len({row.id for row in data}) == 3600
    assert len({row.text for row in data}) == 300
    assert len(data.files) == 10


def test_the_readings_of_a_situation_stay_together(data):
    sizes = Counter(row.group for row in data)
    assert set(sizes.values()) == {len(COUNTRIES)}
    groups = [_groups(data, split) for split in SPLITS]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 300


def test_valid_and_test_are_new_situations_of_known_behaviours(data):
    assert _pairs(data, "valid") <= _pairs(data, "train")
    assert _pairs(data, "test") <= _pairs(data, "train")
    assert set(Counter(group.split("/")[0] for group in _groups(data, "test")).values()) == {1}
    assert set(Counter(group.split("/")[0] for group in _groups(data, "valid")).values()) == {1}


def test_new_families_are_new(data):
    new = {family for family, _ in _pairs(data, "test_new_family")}
    assert len(new) == demo.HELD_OUT_FAMILIES
    assert not new & {family for split in SPLITS[:3] for family, _ in _pairs(data, split)}


def test_labels_are_the_cells(data):
    cells = {
        (family.name, behaviour.name, country): cell.norm
        for family in demo.bundled_families()
        for behaviour in family.behaviours.values()
        for country, cell in behaviour.cells.items()
    }
    for row in data:
        assert NORMS[row.label] == cells[row.tag("family"), row.tag("behaviour"), row.reader.single]
        assert row.source == row.tag("topic")
        assert row.about is None
        assert row.author is None


@pytest.mark.parametrize("split", SPLITS)
def test_no_label_prevails(data, split):
    counts = Counter(data.labels[row.label] for row in data.splits[split])
    shares = {label: round(counts[label] / counts.total(), 3) for label in data.labels}
    assert max(shares.values()) <= 0.6, shares
    assert min(shares.values()) >= 0.05, shares


@pytest.mark.parametrize("split", SPLITS)
def test_a_culture_blind_reader_cannot_do_well(data, split):
    assert demo.culture_blind_ceiling(data, split) < 0.75
    best = sum(max(map(labels.count, labels)) for labels in _readings(data, split).values())
    assert demo.culture_blind_ceiling(data, split) == pytest.approx(best / len(data.splits[split]))


def _readings(data: Dataset, split: str) -> dict[str, list[int | None]]:
    found = defaultdict(list)
    for row in data.splits[split]:
        found[row.text].append(row.label)
    return found


def test_the_ceiling_by_hand():
    rows = [
        Example(text=t, id=str(n), group=t, label=label)
        for n, (t, label) in enumerate(zip("aaabbc", [0, 0, 1, 2, 3, None], strict=True))
    ]
    data = Dataset(name="x", labels=NORMS, positive=0, splits={"test": tuple(rows), "none": ()}, contrast=None)
    assert demo.culture_blind_ceiling(data, "test") == pytest.approx(3 / 5)
    assert demo.culture_blind_ceiling(data, "none") != demo.culture_blind_ceiling(data, "none")


def test_splits_do_not_hang_on_the_order_of_families(data):
    families = list(demo.bundled_families())
    random.Random(1).shuffle(families)
    shuffled = demo.build_dataset(families)
    for split in SPLITS:
        assert {row.id for row in shuffled.splits[split]} == {row.id for row in data.splits[split]}


def test_check_finds_nothing(data):
    findings = check_dataset(data)
    assert (findings.malformed, findings.repeats, findings.contradictions) == (0, 0, 0)
    assert not findings.leakage
    assert not findings.warnings


def test_records_are_the_cited_norms_of_the_families_in_training(data):
    records = demo.norm_records(demo.bundled_families())
    trained = {family for family, _ in _pairs(data, "train")}
    assert {record.id.split("/")[0] for record in records} == trained
    assert {record.norm for record in records} == {"expected", "fine", "out of place"}
    assert {record.culture for record in records} == set(COUNTRIES)
    assert {record.licence for record in records} == {"Apache-2.0"}
    assert all(record.source for record in records)
    expected = sum(
        cell.norm != "varies"
        for family in demo.bundled_families()
        if family.name in trained
        for behaviour in family.behaviours.values()
        for cell in behaviour.cells.values()
    )
    assert len(NormStore(records)) == expected
    told = {record.sentence() for record in records}
    assert "In Japan, leaving a tip of 15 to 20 percent for restaurant staff is out of place." in told


def test_the_source_says_what_it_is():
    source = registry.get("demo")
    assert source.bundled
    assert source.contrast == "reader"
    assert all((source.title, source.summary, source.licence, source.citation, source.obtain))


def test_the_datasheet_counts_what_is_there(data):
    sheet = (demo.FOLDER / "DATASHEET.md").read_text(encoding="utf-8")
    families = demo.bundled_families()
    cells = [cell for family in families for b in family.behaviours.values() for cell in b.cells.values()]
    told = {
        name.strip(): int(number.replace(",", ""))
        for name, number in re.findall(r"^\| ([^|]+) \| ([\d,]+) \|$", sheet, re.M)
    }
    counts = {
        "topics": len({family.topic for family in families}),
        "families": len(families),
        "behaviours": sum(len(family.behaviours) for family in families),
        "situations": sum(len(family.situations) for family in families),
        "countries": len(COUNTRIES),
        "cells": len(cells),
        "rows": sum(map(len, data.splits.values())),
    }
    counts |= {f"cells `{norm}`": sum(cell.norm == norm for cell in cells) for norm in NORMS}
    counts |= {
        f"`varies` for {country}": sum(
            b.cells[country].norm == "varies" for family in families for b in family.behaviours.values()
        )
        for country in COUNTRIES
    }
    counts |= {f"rows `{split}`": len(data.splits[split]) for split in SPLITS}
    assert told == counts
    for family in demo.held_out_families(families):
        assert f"`{family}`" in sheet
    for words in ("not evidence about people", "No member", "Apache-2.0"):
        assert words in sheet
