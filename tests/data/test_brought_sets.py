"""CultureAtlas and UniVaR in the layouts their authors' scripts read."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from calm_lm.data import registry
from calm_lm.data.sources.univar import LANGUAGES, SURVEYS
from calm_lm.errors import CalmError

ATLAS_HEADER = [str(at) for at in range(17)] + ["norm_violation_rlv"]
POSITIVE, NEGATIVE = "benchmarK_Feb4_pos10k.csv", "benchmarK_Feb4_neg10k.csv"
COUNTRIES = {
    "United States of America": ("US", "high"),
    "Japan": ("JP", "high"),
    "Türkiye": ("TR", "mid"),
    "Islamic Republic of Iran": ("IR", "mid"),
    "Lao People's Democratic Republic": ("LA", "low"),
    "Congo": ("CG", "low"),
    "Kenya": ("KE", None),
    "Land of Oz": ("x-cultureatlas-land-of-oz", None),
}


def atlas_row(country, page, statement, label):
    return [country, "food", "", "", page, "", "context", "s", "s", statement, label, *[""] * 6, 0.5]


def write_atlas(write_csv, folder, size=160):
    countries = list(COUNTRIES)
    for name, label, mark in ((POSITIVE, True, ""), (NEGATIVE, False, " [NEG NORM] how it was made")):
        rows = [
            atlas_row(countries[at % 8], f"https://example.org/{at // 4}", f"Custom {at} is {label}.{mark}", label)
            for at in range(size)
        ]
        write_csv(folder / name, ATLAS_HEADER, rows)


@pytest.mark.parametrize("place", ["", "culture_scraped_info"])
def test_cultureatlas(tmp_path, write_csv, place):
    write_atlas(write_csv, tmp_path / place)
    data = registry.load("cultureatlas", data_dir=tmp_path)
    rows = list(data)
    assert Counter(e.label for e in rows) == {0: 160, 1: 160}
    assert {(e.about.single, e.tag("resource")) for e in rows} == set(COUNTRIES.values())
    assert not [e for e in rows if "NEG NORM" in e.text or not e.text.endswith(".")]
    assert "40 rows name a country outside ISO 3166; it got an id of its own." in data.notes
    sides = defaultdict(set)
    for split, of in data.splits.items():
        for example in of:
            sides[example.group].add(split)
    assert len(sides) == 40
    assert all(len(side) == 1 for side in sides.values())
    assert len(data.splits["train"]) > len(rows) / 2
    assert data.licences == ("CC-BY-NC-SA-4.0",)


def test_cultureatlas_drops_what_the_scripts_pass_over(tmp_path, write_csv):
    write_atlas(write_csv, tmp_path, size=4)
    rows = [atlas_row("Japan", "p", text, True) for text in ("One.", "", "One.", "[NEG NORM] Two.", "Two.")]
    write_csv(tmp_path / POSITIVE, ATLAS_HEADER, rows)
    data = registry.load("cultureatlas", data_dir=tmp_path)
    assert sorted(e.text for e in data if e.label) == ["One.", "Two."]
    assert "2 empty statements dropped." in data.notes
    assert "1 repeated statements dropped." in data.notes


@pytest.mark.parametrize(
    ("column", "value", "code"), [(0, "", "D10"), (4, " ", "D10"), (10, "true", "D11"), (10, "", "D11")]
)
def test_cultureatlas_broken_rows(tmp_path, write_csv, column, value, code):
    write_atlas(write_csv, tmp_path, size=4)
    rows = [atlas_row("Japan", "p", f"Custom {at}.", True) for at in range(5)]
    rows[3][column] = value
    write_csv(tmp_path / POSITIVE, ATLAS_HEADER, rows)
    with pytest.raises(CalmError) as caught:
        registry.load("cultureatlas", data_dir=tmp_path)
    assert (caught.value.code, caught.value.row, caught.value.field) == (code, 5, str(column))


def test_cultureatlas_needs_both_files(tmp_path, write_csv):
    write_atlas(write_csv, tmp_path, size=4)
    (tmp_path / NEGATIVE).unlink()
    with pytest.raises(CalmError, match="D35"):
        registry.load("cultureatlas", data_dir=tmp_path)


def write_answers(write_csv, folder, model, rows):
    for survey in SURVEYS:
        write_csv(
            folder / survey / "qa_translated" / f"{model}.csv",
            ("question", "lang", "answer", "model", "mt_lang"),
            [[question, lang, f"{answer}", model, "eng"] for question, answer, lang in rows],
        )


@pytest.mark.parametrize("place", ["", "data"])
def test_univar(tmp_path, write_csv, place):
    rows = [
        (f"What matters in matter {at}? ", f"Answer {at} in {lang}.", lang)
        for at in range(40)
        for lang in ("eng", "zho", "tha")
    ]
    write_answers(write_csv, tmp_path / place, "SeaLLM-7B-v2", rows)
    write_answers(write_csv, tmp_path / place, "another-model", [*rows[:5], ("Unanswered?", "", "eng")])
    write_csv(tmp_path / place / "lima" / "qa_translated" / "m.csv", ("question",), [["not read"]])
    data = registry.load("univar", data_dir=tmp_path)
    assert data.labels == ()
    assert data.contrast == "author"
    assert all(e.label is None and e.votes is None for e in data)
    assert data.cultures("author") == ("en", "th", "zh")
    counts = Counter((e.tag("model"), e.tag("seen")) for e in data)
    assert counts == {("SeaLLM-7B-v2", "yes"): 320, ("SeaLLM-7B-v2", "no"): 160, ("another-model", "no"): 20}
    assert {e.tag("seen") for split in ("train", "valid") for e in data.splits[split]} == {"yes"}
    sides = defaultdict(set)
    for split, of in data.splits.items():
        for example in of:
            if example.tag("seen") == "yes":
                sides[example.group].add(split)
    assert len(sides) == 160
    assert all(len(side) == 1 for side in sides.values())
    assert "Q: What matters in matter 0? A: Answer 0 in eng." in {e.text for e in data}
    assert "4 rows without an answer dropped." in data.notes
    assert len(LANGUAGES) == 26


@pytest.mark.parametrize(("question", "lang", "code"), [("", "eng", "D10"), ("Why?", "en", "D11"), ("Why?", "", "D11")])
def test_univar_broken_rows(tmp_path, write_csv, question, lang, code):
    write_answers(write_csv, tmp_path, "m", [("Why?", "So.", "eng"), (question, "So.", lang)])
    with pytest.raises(CalmError) as caught:
        registry.load("univar", data_dir=tmp_path)
    assert (caught.value.code, caught.value.row) == (code, 3)
