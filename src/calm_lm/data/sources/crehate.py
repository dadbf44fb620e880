"""CREHate: posts whose hatefulness people of five countries judged (Lee and others, NAACL 2024).

One post gives five examples, one a country: the country is the reader, its majority label the label, and the single
votes (0 and 1 count, 2 is a third answer that does not) the votes. Of the raw annotations only `ID`, `nationality`
and `annotation` are read: what annotators told about themselves never leaves `tables.read_table`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset, Example
from calm_lm.data.registry import Download, RemoteFile, Source
from calm_lm.data.tables import Row, Table, find, read_table
from calm_lm.errors import CalmError

READERS = {"United States": "US", "Australia": "AU", "United Kingdom": "GB", "South Africa": "ZA", "Singapore": "SG"}
LABELS = ("not_hate", "hate")
SPLITS = ("train", "valid", "test")
LICENCE = "CC-BY-SA-4.0"
CITATION = (
    "Lee, Jung, Myung, Jin, Camacho-Collados, Kim, Oh. Exploring Cross-cultural Differences in English Hate Speech "
    "Annotations: From Dataset Construction to Analysis. NAACL 2024."
)

_LABEL = {"0.0": 0, "1.0": 1, "0": 0, "1": 1}
_ANSWER = {"0": 0, "1": 1, "2": 2}
_SPLIT_FOLDERS = ("splits", "finetune/data_splits", ".")
_RAW = "CREHate_raw_annotations.csv"

Votes = dict[tuple[str, str], tuple[int, int]]


def load(folder: Path) -> Dataset:
    """Read the splits that lie in `folder`, in the layout of the authors' repository or of `calm data get`.

    Args:
        folder: holds `CREHate_{train,valid,test}.csv` in `splits/`, `finetune/data_splits/` or directly, and
            `CREHate_raw_annotations.csv` directly or in `data/`.

    Raises:
        CalmError: D29 without any split file, D30 for a post that stands there twice, D10 to D25 for a malformed file.
    """
    paths = {split: find(folder, *(f"{at}/CREHate_{split}.csv" for at in _SPLIT_FOLDERS)) for split in SPLITS}
    posts = {split: _read_posts(path) for split, path in paths.items() if path}
    if not posts:
        raise CalmError("D29", "holds no split of CREHate.", file=folder, fix=SOURCE.obtain)
    raw = find(folder, _RAW, f"data/{_RAW}")
    votes, tables = ({}, list(posts.values())) if raw is None else _with_votes(raw, list(posts.values()))
    _check_unique(list(posts.values()))
    groups: dict[str, str] = {}
    splits = {
        split: tuple(example for row in table.rows for example in _examples(row, votes, groups))
        for split, table in posts.items()
    }
    return Dataset(
        name="crehate",
        labels=LABELS,
        positive=1,
        splits=splits,
        contrast="reader",
        offensive=True,
        licences=(LICENCE,),
        citation=CITATION,
        files={table.path.relative_to(folder).as_posix(): table.sha256 for table in tables},
        notes=tuple(_notes(splits, raw is not None)),
    )


def _column(country: str) -> str:
    return f"{country.replace(' ', '_')}_Hate"


def _read_posts(path: Path) -> Table:
    return read_table(path, ("ID", "Text", *map(_column, READERS)), secret=True)


def _with_votes(raw: Path, tables: list[Table]) -> tuple[Votes, list[Table]]:
    # secret: in a shifted row the cell under "annotation" could be something an annotator told about themselves
    table = read_table(raw, ("ID", "nationality", "annotation"), secret=True)
    counts: Counter[tuple[str, str, int]] = Counter(
        (row.text("ID"), row.choice("nationality", READERS), row.choice("annotation", _ANSWER)) for row in table.rows
    )
    votes = {key[:2]: (counts[(*key[:2], 0)], counts[(*key[:2], 1)]) for key in counts}
    return {key: pair for key, pair in votes.items() if any(pair)}, [*tables, table]


def _check_unique(tables: list[Table]) -> None:
    seen: set[str] = set()
    for row in (row for table in tables for row in table.rows):
        if row["ID"] in seen:
            raise CalmError(
                "D30",
                "the post stands in the splits twice.",
                file=row.file,
                row=row.number,
                field="ID",
                value=row["ID"],
                fix="keep it in one split only.",
            )
        seen.add(row["ID"])


def _examples(row: Row, votes: Votes, groups: dict[str, str]) -> list[Example]:
    post, text = row.text("ID"), row.text("Text")
    return [
        Example(
            text=text,
            id=f"{post}/{reader}",
            group=groups.setdefault(text, post),
            label=row.choice(_column(country), _LABEL),
            votes=votes.get((post, reader)),
            reader=Blend.of(reader),
            source="SBIC" if post.startswith("SBIC-") else "CP",
            licence=LICENCE,
        )
        for country, reader in READERS.items()
    ]


def _notes(splits: dict[str, tuple[Example, ...]], with_votes: bool) -> list[str]:
    rows = [example for examples in splits.values() for example in examples]
    notes = [f"no {split} split in this folder." for split in SPLITS if split not in splits]
    if not with_votes:
        return [*notes, f"votes are unknown: {_RAW} is not in this folder."]
    voted = [(example.votes, example.label) for example in rows if example.votes]
    if len(voted) < len(rows):
        notes.append(f"{len(rows) - len(voted)} of {len(rows)} (post, country) pairs have no countable vote in {_RAW}.")
    wrong = sum(no == yes or (yes > no) != bool(label) for (no, yes), label in voted)
    if wrong:
        notes.append(f"the majority of the votes is not the published label for {wrong} (post, country) pairs.")
    return notes


def _remote(path: str, published: str, sha256: str, size: int) -> RemoteFile:
    commit = "777ceeb3473c3e9fb5944b542560a3f3023f9d3e"
    return RemoteFile(path, f"https://raw.githubusercontent.com/nlee0212/CREHate/{commit}/{published}", sha256, size)


SOURCE = Source(
    name="crehate",
    title="CREHate",
    summary="1,580 English posts, each judged hateful or not by about five people in each of AU, GB, US, ZA and SG.",
    licence=LICENCE,
    citation=CITATION,
    offensive=True,
    contrast="reader",
    folder="crehate",
    signs=tuple(f"{at}/CREHate_*.csv*" for at in ("splits", "finetune/data_splits"))
    + tuple(f"CREHate_{split}.csv*" for split in SPLITS),
    load=load,
    obtain=(
        "run `calm data get crehate`, or take the split files and CREHate_raw_annotations.csv from the authors' "
        "repository nlee0212/CREHate. The raw annotations hold attributes of annotators: they are never read here; "
        "without that file labels remain and votes are unknown."
    ),
    address=Download(
        (
            _remote(
                "splits/CREHate_train.csv",
                "finetune/data_splits/CREHate_train.csv",
                "602905984481c82e8bf467984ab6106a0af2ec0c96ac47db39b8db54fff8a0fb",
                153751,
            ),
            _remote(
                "splits/CREHate_valid.csv",
                "finetune/data_splits/CREHate_valid.csv",
                "ebd27ca13b7c123ca8022b9cc085e93df6f5487f3847c42e534bb365a2ba29d8",
                32871,
            ),
            _remote(
                "splits/CREHate_test.csv",
                "finetune/data_splits/CREHate_test.csv",
                "4ae9bb563fbb7ceeb0da7f7c7e89bfd5cdc3e897c2fbcef166fb988774d5a5c2",
                31038,
            ),
            _remote(
                _RAW,
                f"data/{_RAW}",
                "2f5227cadc49be1895cb307738e3fb2fd0e12a5169f0e1f563697d19df9b4bbb",
                3717159,
            ),
        )
    ),
)
