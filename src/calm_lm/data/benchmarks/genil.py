"""GeniL, English part: does a sentence generalise about a people? (Mostafazadeh Davani and others, COLM 2024).

A label belongs to a sentence together with the identity and the attribute in it, so one sentence may stand there
several times; its rows share a group. Few rows generalise: judge by ranking, precision and recall.
"""

from __future__ import annotations

from pathlib import Path

from calm_lm.culture.blend import Blend
from calm_lm.data.benchmarks.places import place_of
from calm_lm.data.benchmarks.registry import Benchmark
from calm_lm.data.benchmarks.rows import require_rows
from calm_lm.data.example import Dataset, Example
from calm_lm.data.tables import Row, find, read_table

LABELS = ("not_generalising", "generalising")
LICENCE = "CC-BY-4.0"
CITATION = (
    "Mostafazadeh Davani, Gubbi, Dev, Dave, Prabhakaran. GeniL: A Multilingual Dataset on Generalizing Language. "
    "COLM 2024."
)
_FILE = "en.csv"


def load(folder: Path) -> Dataset:
    """Read `en.csv` (or `en.csv.gz`).

    Raises:
        CalmError: D10 to D25 and E52 for a malformed file.
    """
    path = find(folder, _FILE, f"dataset/{_FILE}") or folder / _FILE
    table = read_table(path, ("sentence", "generalizing", "identity", "attribute"), secret=True)
    require_rows(path, len(table.rows))
    groups: dict[str, str] = {}
    rows = tuple(_example(row, groups) for row in table.rows)
    return Dataset(
        name="genil",
        labels=LABELS,
        positive=1,
        splits={"test": rows},
        contrast="about",
        offensive=True,
        licences=(LICENCE,),
        citation=CITATION,
        files={path.name: table.sha256},
        notes=(f"{sum(row.label or 0 for row in rows)} of {len(rows)} rows generalise.",),
    )


def _example(row: Row, groups: dict[str, str]) -> Example:
    sentence, identity, attribute = (row.text(field).strip() for field in ("sentence", "identity", "attribute"))
    return Example(
        text=sentence,
        id=str(row.number),
        group=groups.setdefault(sentence, str(row.number)),
        label=row.choice("generalizing", {"0": 0, "1": 1}),
        about=Blend.of(place_of(identity)),
        licence=LICENCE,
        tags=(("identity", identity), ("attribute", attribute)),
    )


BENCHMARK = Benchmark(
    name="genil",
    title="GeniL (English)",
    licence=LICENCE,
    citation=CITATION,
    offensive=True,
    folder="genil",
    signs=(f"{_FILE}*", f"dataset/{_FILE}*"),
    load=load,
    obtain="take dataset/en.csv from the repository google-research-datasets/GeniL.",
)
