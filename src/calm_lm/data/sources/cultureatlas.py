"""CultureAtlas: true and false statements on customs of 193 countries (Fung and others, 2024), from the user's copy.

The layout is the one the authors' evaluation scripts read (yrf1/LLM-MassiveMulticultureNormsKnowledge-NCLB):
`benchmarK_Feb4_pos10k.csv` and `benchmarK_Feb4_neg10k.csv`, directly or in `culture_scraped_info/`, whose columns are
named by number. Used are `0` (country), `1` (topic), `4` (address of the source page), `9` (the statement; what
follows the mark `[NEG NORM]` is cut) and `10` (`True` or `False`). Empty statements are dropped with their count, as
there. Resource levels are the example countries those scripts name; other countries have none. The scripts also leave
out statements on a list that is not public, so counts differ from the paper's. Our choice: 80/10/10 by source page.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset, Example
from calm_lm.data.groups import hash_share
from calm_lm.data.registry import Source
from calm_lm.data.sources.blend import RESOURCE_SLICES
from calm_lm.data.tables import Row, find, read_table
from calm_lm.errors import CalmError

LABELS = ("false", "true")
VALID_FROM, TEST_FROM = 0.8, 0.9
RESOURCE = {
    **dict.fromkeys(("US", "FR", "ES", "CN", "JP"), "high"),
    **dict.fromkeys(("TR", "EG", "IR", "MY", "AR"), "mid"),
    **dict.fromkeys(("LA", "BT", "CG", "RS"), "low"),
}
LICENCE = "CC-BY-NC-SA-4.0"
CITATION = (
    "Fung, Zhao, Doo, Sun, Ji. Massively Multi-Cultural Knowledge Acquisition & LM Benchmarking. "
    "arXiv 2402.09369, 2024."
)

_FILES = ("benchmarK_Feb4_pos10k.csv", "benchmarK_Feb4_neg10k.csv")
_COLUMNS = ("0", "1", "4", "9", "10")
_MARK = "[NEG NORM]"


def load(folder: Path) -> Dataset:
    """Read both benchmark files.

    Raises:
        CalmError: D35 when one of them is missing, D10 to D25 for a malformed file.
    """
    paths = [find(folder, name, f"culture_scraped_info/{name}") for name in _FILES]
    tables = [read_table(path, _COLUMNS) for path in paths if path is not None]
    if len(tables) < len(_FILES):
        raise CalmError("D35", f"{' and '.join(_FILES)} belong together.", file=folder, fix=SOURCE.obtain)
    counts: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    splits: dict[str, list[Example]] = {"train": [], "valid": [], "test": []}
    for row in (row for table in tables for row in table.rows):
        statement = row["9"].split(_MARK)[0].strip()
        place, known = _place(row.text("0"))
        if not statement or (statement, place) in seen:
            counts["empty statements dropped." if not statement else "repeated statements dropped."] += 1
            continue
        seen.add((statement, place))
        counts["rows name a country outside ISO 3166; it got an id of its own."] += not known
        share = hash_share(row.text("4"))
        split = "train" if share < VALID_FROM else "valid" if share < TEST_FROM else "test"
        splits[split].append(_example(row, statement, place))
    return Dataset(
        name="cultureatlas",
        labels=LABELS,
        positive=1,
        splits={split: tuple(rows) for split, rows in splits.items() if rows},
        contrast="about",
        licences=(LICENCE,),
        citation=CITATION,
        files={table.path.relative_to(folder).as_posix(): table.sha256 for table in tables},
        notes=tuple(f"{count} {what}" for what, count in counts.items() if count),
        slices=RESOURCE_SLICES,
    )


def _place(country: str) -> tuple[str, bool]:
    """The id of a country, and whether ISO 3166 knows its name."""
    import pycountry

    try:
        return str(pycountry.countries.lookup(country).alpha_2), True
    except LookupError:
        return "x-cultureatlas-" + re.sub(r"[^a-z0-9]+", "-", country.lower()).strip("-"), False


def _example(row: Row, statement: str, place: str) -> Example:
    tags = {"resource": RESOURCE.get(place), "topic": row["1"] or None}
    return Example(
        text=statement,
        id=f"{row.file.name}:{row.number}",
        group=row["4"],
        label=row.choice("10", {"False": 0, "True": 1}),
        about=Blend.of(place),
        source=row.file.name,
        licence=LICENCE,
        tags=tuple((name, value) for name, value in tags.items() if value),
    )


SOURCE = Source(
    name="cultureatlas",
    title="CultureAtlas",
    summary="about 20,000 true and false statements on festivals, marriage, food, clothing and more in 193 countries.",
    licence=LICENCE,
    citation=CITATION,
    offensive=False,
    contrast="about",
    folder="cultureatlas",
    signs=tuple(f"{at}{name}*" for at in ("", "culture_scraped_info/") for name in _FILES),
    load=load,
    obtain=(
        "download the authors' data folder (non-commercial), linked from their repository "
        "yrf1/LLM-MassiveMulticultureNormsKnowledge-NCLB, and put "
        f"{' and '.join(_FILES)} into a folder named cultureatlas."
    ),
)
