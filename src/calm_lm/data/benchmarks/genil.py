"""GeniL: does a sentence generalise about a people? (Mostafazadeh Davani and others, COLM 2024).

A label belongs to a sentence together with the identity and the attribute in it, so one sentence may stand there
several times; its rows share a group. Few rows generalise: judge by ranking, precision and recall. The English part and
the eight other languages are two benchmarks: who reads English need not read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from calm_lm.culture.blend import Blend
from calm_lm.data.benchmarks.places import place_of
from calm_lm.data.benchmarks.registry import Benchmark
from calm_lm.data.benchmarks.rows import read_benchmark
from calm_lm.data.example import Dataset, Example
from calm_lm.data.tables import Row, Table, find

LABELS = ("not_generalising", "generalising")
LICENCE = "CC-BY-4.0"
CITATION = (
    "Mostafazadeh Davani, Gubbi, Dev, Dave, Prabhakaran. GeniL: A Multilingual Dataset on Generalizing Language. "
    "COLM 2024."
)
ENGLISH = "en"
OTHERS = ("ar", "bn", "es", "fr", "hi", "id", "ms", "pt")
_COLUMNS = ("sentence", "generalizing", "identity", "attribute")


def load(folder: Path) -> Dataset:
    """Read `en.csv` (or `en.csv.gz`).

    Raises:
        CalmError: D10 to D25 and E52 for a malformed file.
    """
    return _dataset("genil", [_read(folder, ENGLISH)], ())


def load_others(folder: Path) -> Dataset:
    """Read `ar.csv` and the files of the other languages but English; the tag `language` says which a row is in.

    Raises:
        CalmError: D10 to D25 and E52 for a malformed file, or where there is none.
    """
    there = [each for each in OTHERS if find(folder, *_files(each)) is not None]
    absent = [each for each in OTHERS if each not in there]
    notes = (f"There is no file for {', '.join(absent)}.",) if absent else ()
    return _dataset("genil-languages", [_read(folder, each) for each in there or OTHERS[:1]], notes)


def _files(language: str) -> tuple[str, str]:
    return f"{language}.csv", f"dataset/{language}.csv"


def _read(folder: Path, language: str) -> tuple[Table, tuple[Example, ...]]:
    table = read_benchmark(folder, _files(language), _COLUMNS, secret=True)
    groups: dict[str, str] = {}
    return table, tuple(_example(row, language, groups) for row in table.rows)


def _dataset(name: str, parts: Sequence[tuple[Table, tuple[Example, ...]]], notes: tuple[str, ...]) -> Dataset:
    rows = tuple(row for _, part in parts for row in part)
    return Dataset(
        name=name,
        labels=LABELS,
        positive=1,
        splits={"test": rows},
        contrast="about" if name == "genil" else None,
        offensive=True,
        licences=(LICENCE,),
        citation=CITATION,
        files={table.path.name: table.sha256 for table, _ in parts},
        notes=(f"{sum(row.label or 0 for row in rows)} of {len(rows)} rows generalise.", *notes),
    )


def _example(row: Row, language: str, groups: dict[str, str]) -> Example:
    """A row; only English names of peoples are known to stand for places."""
    sentence, identity, attribute = (row.text(field).strip() for field in ("sentence", "identity", "attribute"))
    tags = (("identity", identity), ("attribute", attribute))
    name = str(row.number) if language == ENGLISH else f"{language}/{row.number}"
    return Example(
        text=sentence,
        id=name,
        group=groups.setdefault(sentence, name),
        label=row.choice("generalizing", {"0": 0, "1": 1}),
        about=Blend.of(place_of(identity)) if language == ENGLISH else None,
        licence=LICENCE,
        tags=tags if language == ENGLISH else (*tags, ("language", language)),
    )


BENCHMARK = Benchmark(
    name="genil",
    title="GeniL (English)",
    licence=LICENCE,
    citation=CITATION,
    offensive=True,
    folder="genil",
    signs=tuple(f"{each}*" for each in _files(ENGLISH)),
    load=load,
    obtain="take dataset/en.csv from the repository google-research-datasets/GeniL.",
)
LANGUAGES = Benchmark(
    name="genil-languages",
    title="GeniL (eight other languages)",
    licence=LICENCE,
    citation=CITATION,
    offensive=True,
    folder="genil",
    signs=tuple(f"{each}*" for language in OTHERS for each in _files(language)),
    load=load_others,
    obtain="take dataset/*.csv from the repository google-research-datasets/GeniL.",
)
