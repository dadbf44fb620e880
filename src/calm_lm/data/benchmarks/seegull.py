"""SeeGULL: identity and attribute, and who holds the one to be a stereotype of the other (Jha and others, ACL 2023).

Each pair was judged in the region that the identity belongs to and in North America, so one pair gives two rows with
the readers `x-in-region` and `x-north-america`. Unsure votes do not count; a side whose votes are all unsure gives no
row, and a tie gives votes and no label. The files on states of the US and of India have no votes from outside and are
not read.
"""

from __future__ import annotations

from pathlib import Path

from calm_lm.culture.blend import Blend
from calm_lm.data.benchmarks.places import place_of
from calm_lm.data.benchmarks.registry import Benchmark
from calm_lm.data.benchmarks.rows import read_benchmark
from calm_lm.data.example import Dataset, Example
from calm_lm.data.tables import Row
from calm_lm.errors import CalmError

SIDES = {"x-in-region": "region", "x-north-america": "NA"}
LABELS = ("not_stereotype", "stereotype")
LICENCE = "CC-BY-4.0"
CITATION = (
    "Jha, Mostafazadeh Davani, Reddy, Dave, Prabhakaran, Dev. SeeGULL: A Stereotype Benchmark with Broad Geo-Cultural "
    "Coverage Leveraging Generative Models. ACL 2023."
)
_FILE = "stereotypes_global_v2.csv"
_VOTES = tuple(f"{side}_{vote}" for side in SIDES.values() for vote in ("nonstereo", "stereo", "unsure"))
# identities that the gazetteer has no country for
_PLACES = {
    "Barundi": "BI", "Beninois": "BJ", "Bermudan": "BM", "Cabo Verdean": "CV", "Central African": "CF",
    "Cocos Island": "CC", "Comorans": "KM", "English": "GB", "Equatorial Guinean": "GQ", "Faroese": "FO",
    "French Guianese": "GF", "Herzegovinian": "BA", "Liechtensteiner": "LI", "Madagascan": "MG", "Manx": "IM",
    "Netherlanders": "NL", "Northern Irish": "GB", "Philippine": "PH", "Sahrawi": "EH", "United KingdomUK": "GB",
    "Zanzibari": "TZ",
}  # fmt: skip


def load(folder: Path) -> Dataset:
    """Read `stereotypes_global_v2.csv`.

    Raises:
        CalmError: D05 for a vote that is no count, D10 to D25 and E52 for a malformed file.
    """
    table = read_benchmark(folder, (_FILE, f"dataset/{_FILE}"), ("identity", "attribute", *_VOTES), secret=True)
    rows = [example for row in table.rows for example in _examples(row)]
    unsure, tied = len(SIDES) * len(table.rows) - len(rows), sum(example.label is None for example in rows)
    return Dataset(
        name="seegull",
        labels=LABELS,
        positive=1,
        splits={"test": tuple(rows)},
        contrast="reader",
        offensive=True,
        licences=(LICENCE,),
        citation=CITATION,
        files={_FILE: table.sha256},
        notes=(f"{unsure} sides left out: every vote is unsure.", f"{tied} sides have a tie, so no label."),
    )


def _examples(row: Row) -> list[Example]:
    identity, attribute = row.text("identity").strip(), row.text("attribute").strip()
    place = _PLACES.get(identity) or place_of(identity)
    found = []
    for reader, side in SIDES.items():
        no, yes, _ = (_count(row, f"{side}_{vote}") for vote in ("nonstereo", "stereo", "unsure"))
        if no + yes:
            found.append(
                Example(
                    text=f"Group: {identity}. Attribute: {attribute}.",
                    id=f"{row.number}/{reader}",
                    group=f"{identity}/{attribute}",
                    label=None if no == yes else int(yes > no),
                    votes=(no, yes),
                    reader=Blend.of(reader),
                    about=Blend.of(place),
                    licence=LICENCE,
                    tags=(("identity", identity), ("attribute", attribute)),
                )
            )
    return found


def _count(row: Row, field: str) -> int:
    value = row[field]
    if not (value.isascii() and value.isdigit() and len(value) < 7):
        raise CalmError(
            "D05", "a number of votes is a whole number from 0.",
            fix="correct the cell, or take the file as published.", **row.place(field) | {"secret": False},
        )  # fmt: skip
    return int(value)


BENCHMARK = Benchmark(
    name="seegull",
    title="SeeGULL",
    licence=LICENCE,
    citation=CITATION,
    offensive=True,
    folder="seegull",
    signs=(f"{_FILE}*", f"dataset/{_FILE}*"),
    load=load,
    obtain=f"take dataset/{_FILE} from the repository google-research-datasets/seegull.",
)
