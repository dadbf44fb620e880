"""NormAd, brought by the user: stories of what somebody does, and whether that is acceptable there.

The authors keep the file encrypted so that it stays out of training data; use it for testing only (Rao and others,
NAACL 2025). `Background`, `Explanation` and other columns are not read: they tell the answer.
"""

from __future__ import annotations

from pathlib import Path

from calm_lm.data.benchmarks.places import place_of
from calm_lm.data.benchmarks.registry import Benchmark
from calm_lm.data.benchmarks.rows import Rows, Story, read_benchmark
from calm_lm.data.tables import Row

LABELS = ("yes", "no", "neutral")
_NAMES = ("normad.jsonl", "normad.csv", "normad_etiquette_final_data.csv")
_LABEL = {form: label for label in LABELS for form in (label, label.capitalize())}


def load(folder: Path) -> Rows[Story]:
    """Read `normad.jsonl`, `normad.csv` or `normad_etiquette_final_data.csv`.

    Raises:
        CalmError: D10 to D25 and E52 for a malformed file.
    """
    table = read_benchmark(folder, _NAMES, ("ID", "Country", "Value", "Rule-of-Thumb", "Story", "Gold Label"))
    return Rows(Story, tuple(_story(row) for row in table.rows))


def _story(row: Row) -> Story:
    return Story(
        id=f"{row.text('ID')}/{row.number}",
        place=place_of(row.text("Country")),
        value=row.text("Value").strip(),
        rule=row.text("Rule-of-Thumb").strip(),
        text=row.text("Story").strip(),
        label=row.choice("Gold Label", _LABEL),
    )


BENCHMARK = Benchmark(
    name="normad",
    title="NormAd",
    licence="CC-BY-4.0",
    citation="Rao, Yerukola, Shah, Reinecke, Sap. NormAd: A Framework for Measuring the Cultural Adaptability of Large "
    "Language Models. NAACL 2025.",
    offensive=False,
    folder="normad",
    signs=tuple(f"{name}*" for name in _NAMES),
    load=load,
    obtain="unpack the authors' archive (repository Akhila-Yerukola/NormAd, which tells the password) and save the "
    "table as normad/normad.csv in the data folder.",
)
