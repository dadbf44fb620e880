"""The bundled demo: situations of everyday life, each read by twelve countries. What it is stands in DATASHEET.md.

The label is how a country sees what happens in the situation. The twelve readings of one situation are one group.
Eight whole families, those first in the order of a hash of their names, are the split `test_new_family`. Of each
other family one situation goes to `test`, and of every second one another to `valid`; the first in the order of a
hash of their texts are taken, as long as their behaviour keeps a situation for training.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from calm_lm.culture.blend import Blend
from calm_lm.culture.norms import NormRecord
from calm_lm.data.example import Dataset, Example
from calm_lm.data.groups import hash_share
from calm_lm.data.norms import COUNTRIES, NORMS, SITUATIONS, Family, read_families
from calm_lm.data.registry import Source
from calm_lm.files import sha256_file

FOLDER = Path(__file__).parents[1] / "bundled"
NORMS_FOLDER = FOLDER / "norms"
LABELS = tuple(norm.replace("-", "_") for norm in NORMS)
HELD_OUT_FAMILIES = 8
LICENCE = "Apache-2.0"
CITATION = "The CALM developers. Bundled norms of everyday life, written for this project."
NOTE = (
    "written by the project's developers from public sources; no member of the twelve countries reviewed it, "
    "and it is not evidence about people (DATASHEET.md)."
)


@cache
def bundled_families() -> tuple[Family, ...]:
    """The families that come with the package."""
    return read_families(NORMS_FOLDER)


def load(_folder: Path) -> Dataset:
    """The bundled data set; the folder is ignored."""
    files = {f"norms/{path.name}": sha256_file(path) for path in sorted(NORMS_FOLDER.glob("*.yaml"))}
    return build_dataset(bundled_families(), files)


def build_dataset(families: Sequence[Family], files: dict[str, str] | None = None) -> Dataset:
    """One example per situation and country, in the splits that this file's first lines describe.

    Args:
        families: more than `HELD_OUT_FAMILIES`.
        files: path to sha256, of what the families were read from.
    """
    held_out = held_out_families(families)
    splits: dict[str, list[Example]] = {"train": [], "valid": [], "test": [], "test_new_family": []}
    known = sorted(family.name for family in families if family.name not in held_out)
    for family in families:
        if family.name in held_out:
            side = ["test_new_family"] * SITUATIONS
        else:
            side = _split_situations(family, ("test", "valid") if known.index(family.name) % 2 else ("test",))
        for place, split in enumerate(side):
            splits[split].extend(_read_by_all(family, place))
    return Dataset(
        name="demo",
        labels=LABELS,
        positive=LABELS.index("out_of_place"),
        splits={split: tuple(rows) for split, rows in splits.items()},
        contrast="reader",
        licences=(LICENCE,),
        citation=CITATION,
        files=files or {},
        notes=(NOTE, f"{len(held_out)} whole families are held out: {', '.join(sorted(held_out))}."),
    )


def held_out_families(families: Iterable[Family]) -> frozenset[str]:
    """The names of the families that no split but `test_new_family` sees."""
    names = sorted((family.name for family in families), key=lambda name: (hash_share(name), name))
    return frozenset(names[:HELD_OUT_FAMILIES])


def norm_records(families: Sequence[Family]) -> list[NormRecord]:
    """The cited norms of the families that training sees, as evidence; `varies` says nothing and is left out."""
    held_out = held_out_families(families)
    return [
        NormRecord(
            id=f"{family.name}/{behaviour.name}:{country}",
            culture=country,
            situation=behaviour.says,
            norm=cell.norm.replace("-", " "),
            source=cell.source,
            licence=LICENCE,
        )
        for family in families
        if family.name not in held_out
        for behaviour in family.behaviours.values()
        for country, cell in behaviour.cells.items()
        if cell.norm != "varies" and cell.source is not None
    ]


def culture_blind_ceiling(dataset: Dataset, split: str) -> float:
    """The best accuracy on a split without knowing the reader: the most frequent label of each text, every time.

    A split with no labelled row gives NaN.
    """
    labels: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for row in dataset.splits[split]:
        if row.label is not None:
            labels[row.text][row.label] += 1
    right = sum(max(counts.values()) for counts in labels.values())
    total = sum(counts.total() for counts in labels.values())
    return right / total if total else float("nan")


def _split_situations(family: Family, wanted: Sequence[str]) -> list[str]:
    """The split of each situation, in the order of the family."""
    side = ["train"] * SITUATIONS
    left = Counter(situation.behaviour for situation in family.situations)
    for place in sorted(range(SITUATIONS), key=lambda place: hash_share(family.situations[place].text)):
        taken = SITUATIONS - side.count("train")
        if taken < len(wanted) and left[family.situations[place].behaviour] > 1:
            side[place] = wanted[taken]
            left[family.situations[place].behaviour] -= 1
    return side


def _read_by_all(family: Family, place: int) -> list[Example]:
    situation = family.situations[place]
    group = f"{family.name}/{place + 1}"
    cells = family.behaviours[situation.behaviour].cells
    return [
        Example(
            text=situation.text,
            id=f"{group}:{country}",
            group=group,
            label=NORMS.index(cells[country].norm),
            reader=Blend.of(country),
            source=family.topic,
            licence=LICENCE,
            tags=(("family", family.name), ("behaviour", situation.behaviour), ("topic", family.topic)),
        )
        for country in COUNTRIES
    ]


SOURCE = Source(
    name="demo",
    title="Bundled norms of everyday life",
    summary="300 situations of everyday life, each read by 12 countries: expected, fine, out of place, or it varies.",
    licence=LICENCE,
    citation=CITATION,
    offensive=False,
    contrast="reader",
    folder="demo",
    signs=(),
    load=load,
    obtain="it comes with the package.",
    bundled=True,
)
