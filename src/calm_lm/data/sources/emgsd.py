"""EMGSD: sentences that state a stereotype, or do not (King and others, 2024).

Two layouts are read: the one of the authors' data card (`train` and `test` with full labels, CSV or Parquet), and
`EMGSD_binary.jsonl`, the train split with only its binary label, beside a fully labelled `test`. For the second, type,
category and group of train rows are recovered by exact text from the authors' results file and their two augmentation
files; of the results file only the columns that are data are read, its predictions are not.

Nobody's judgement is attached to a label, so there is no reader: the dimension a sentence speaks of is `about`.
Our choices: train rows whose text stands in test are dropped, a repeated train row is kept once, and a tenth of train
becomes `valid`, whole groups of near-identical sentences at a time (`groups.near_variants`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset, Example, Slice
from calm_lm.data.groups import hash_share, near_variants
from calm_lm.data.registry import Download, RemoteFile, Source
from calm_lm.data.tables import Row, Table, find, read_table
from calm_lm.errors import CalmError

LABELS = ("not_stereotype", "stereotype")
TYPES = {
    "gender": "gender",
    "race": "race",
    "nationality": "nationality",
    "religion": "religion",
    "profession": "profession",
    "lgbtq+": "lgbtq",
}
CATEGORIES = ("stereotype", "neutral", "unrelated")
KINDS = ("unrelated", *(f"{category}_{type_}" for category in CATEGORIES[:2] for type_ in TYPES.values()))
VALID_SHARE = 0.1
LICENCES = ("MIT", "CC-BY-SA-4.0")
CITATION = (
    "King, Wu, Koshiyama, Kazim, Treleaven. HEARTS: A Holistic Framework for Explainable, Sustainable and Robust Text "
    "Stereotype Detection. arXiv 2409.11579, 2024."
)

# Unrelated sentences are the easy ones, and most test sentences have a near twin in train.
SLICES = (
    Slice("stereotype against neutral", "category", ("stereotype", "neutral")),
    Slice("no near-identical sentence in train", "variant_in_train", ("no",)),
)
_FULL = ("stereotype_type", "text", "category", "data_source", "label")
_BINARY = "EMGSD_binary.jsonl"
_RESULTS = "full_results_albertv2.csv"
_SEEGULL = "SeeGULL - GPT Augmentation.csv"
_WINOQUEER = "Winoqueer - GPT Augmentation.csv"
_PART = {"MGSD": "mgsd", _SEEGULL[:-4]: "seegull_augmented", _WINOQUEER[:-4]: "winoqueer_augmented"}
# the results file calls nationality and race of MGSD rows both "race", so that word alone says neither
_TYPE_OF_GROUP = {"gender": "gender", "religion": "religion", "profession": "profession"}


class Facts(NamedTuple):
    """What is known of a sentence beside its binary label; None where unknown."""

    type: str | None = None
    category: str | None = None
    part: str | None = None
    group: str | None = None


class Sentence(NamedTuple):
    """One row of either layout."""

    id: str
    text: str
    label: int
    facts: Facts


def load(folder: Path) -> Dataset:
    """Read the binary task: stereotype against neutral and unrelated.

    Raises:
        CalmError: D31 without train and test, D32 for contradicting labels, D10 to D25 for a malformed file.
    """
    splits, tables, notes = _read(folder)
    labels = {sentence.id: sentence.label for rows in splits.values() for sentence in rows}
    return _dataset("emgsd", LABELS, splits, labels, folder, tables, notes)


def load_multiclass(folder: Path) -> Dataset:
    """Read the multi-class task: `unrelated`, or category and type, over the rows where both are known.

    `positive` is a place holder: scores of this task are macro averages.

    Raises:
        CalmError: as `load`.
    """
    splits, tables, notes = _read(folder)
    labels: dict[str, int] = {}
    for sentence in (sentence for rows in splits.values() for sentence in rows):
        facts = sentence.facts
        kind = facts.category if facts.category == "unrelated" else f"{facts.category}_{facts.type}"
        if kind in KINDS:
            labels[sentence.id] = KINDS.index(kind)
    unknown = sum(len(rows) for rows in splits.values()) - len(labels)
    if unknown:
        notes.append(f"{unknown} rows left out because their category or type is not known.")
    return _dataset("emgsd-multiclass", KINDS, splits, labels, folder, tables, notes)


def _read(folder: Path) -> tuple[dict[str, list[Sentence]], list[Table], list[str]]:
    tables: list[Table] = []
    notes: list[str] = ["sentences of StereoSet and CrowS-Pairs, published under CC-BY-SA-4.0, are part of it."]
    full_train, full_test = (_full_table(folder, split) for split in ("train", "test"))
    binary = find(folder, _BINARY)
    test = _full_sentences(full_test, "test", tables)
    if full_train is not None:
        train = _full_sentences(full_train, "train", tables)
    elif binary is not None:
        train = _binary_sentences(binary, folder, tables, notes)
    else:
        train = []
    if not train and not test:
        raise CalmError("D31", "holds neither split of EMGSD.", file=folder, fix=SOURCE.obtain)
    notes += [f"no {split} split in this folder." for split, rows in (("train", train), ("test", test)) if not rows]
    return {"train": _without_repeats(train, test, notes), "test": test}, tables, notes


def _full_table(folder: Path, split: str) -> list[Path] | None:
    single = find(folder, f"{split}.csv", f"{split}.parquet")
    shards = sorted(
        path for place in (f"data/{split}-*.parquet", f"default/{split}/*.parquet") for path in folder.glob(place)
    )
    return [single] if single else shards or None


def _full_sentences(paths: list[Path] | None, split: str, tables: list[Table]) -> list[Sentence]:
    read = [read_table(path, _FULL, secret=True) for path in paths or ()]
    tables += read
    rows = (row for table in read for row in table.rows)
    return [Sentence(f"{split}-{at}", row.text("text"), *_full_facts(row)) for at, row in enumerate(rows)]


def _full_facts(row: Row) -> tuple[int, Facts]:
    type_ = row.choice("stereotype_type", TYPES)
    category = row.choice("category", {name: name for name in CATEGORIES})
    if row["label"] != ("unrelated" if category == "unrelated" else f"{category}_{row['stereotype_type']}"):
        raise CalmError(
            "D32",
            "the label contradicts the category and the type of the row.",
            fix="take the file as its authors published it.",
            **row.place("label"),
        )
    return int(category == "stereotype"), Facts(type_, category, row.text("data_source"))


def _binary_sentences(path: Path, folder: Path, tables: list[Table], notes: list[str]) -> list[Sentence]:
    table = read_table(path, ("text", "label"), secret=True)
    tables.append(table)
    known = _recover(folder, tables)
    sentences, against = [], 0
    for at, row in enumerate(table.rows):
        text, label = row.text("text"), row.choice("label", {"0": 0, "1": 1})
        facts = known.get(text, Facts())
        if facts.category is not None and (facts.category == "stereotype") != bool(label):
            facts, against = Facts(), against + 1
        sentences.append(Sentence(f"train-{at}", text, label, facts))
    found = sum(sentence.facts.category is not None for sentence in sentences)
    notes.append(
        f"category recovered for {found} of {len(sentences)} train rows; the others have the binary label only."
    )
    if against:
        notes.append(f"{against} recovered categories contradict the train label and are not used.")
    return sentences


def _recover(folder: Path, tables: list[Table]) -> dict[str, Facts]:
    """Facts by exact text; a text with two differing facts is left out."""
    found: list[tuple[str, Facts]] = []
    results, seegull, winoqueer = (find(folder, name) for name in (_RESULTS, _SEEGULL, _WINOQUEER))
    if results is not None:
        columns = ("text", "actual_label", "group", "dataset_name", "categorisation")
        tables.append(read_table(results, columns, secret=True))
        found += [(row.text("text"), _result_facts(row)) for row in tables[-1].rows]
    for path, type_, part in (
        (seegull, "nationality", "seegull_augmented"),
        (winoqueer, "lgbtq", "winoqueer_augmented"),
    ):
        if path is not None:
            tables.append(read_table(path, ("text", "label", "group"), secret=True))
            for row in tables[-1].rows:
                category = row.choice("label", {name: name for name in CATEGORIES})
                found.append((row.text("text"), Facts(type_, category, part, row.text("group"))))
    facts: dict[str, Facts] = {}
    doubtful: set[str] = set()
    for text, fact in found:
        if facts.setdefault(text, fact) != fact:
            doubtful.add(text)
    return {text: fact for text, fact in facts.items() if text not in doubtful}


def _result_facts(row: Row) -> Facts:
    kinds = {f"{category}_{name}": (category, type_) for category in CATEGORIES[:2] for name, type_ in TYPES.items()}
    category, type_ = row.choice("categorisation", {"unrelated": ("unrelated", None), **kinds})
    part, group = row.choice("dataset_name", _PART), row.text("group")
    if part != "mgsd":
        type_ = "lgbtq" if part == "winoqueer_augmented" else "nationality"
        return Facts(type_, category, part, group)
    return Facts(type_ or _TYPE_OF_GROUP.get(group), category, part)


def _without_repeats(train: list[Sentence], test: list[Sentence], notes: list[str]) -> list[Sentence]:
    in_test = {sentence.text for sentence in test}
    apart = [sentence for sentence in train if sentence.text not in in_test]
    first: dict[str, Sentence] = {}
    for sentence in apart:
        first.setdefault(sentence.text, sentence)
    contrary = len({sentence.text for sentence in apart if sentence.label != first[sentence.text].label})
    for count, what in (
        (len(train) - len(apart), "train rows dropped because their text stands in test."),
        (len(apart) - len(first), "repeated train rows dropped; the first is kept."),
        (contrary, "train texts stand there with both labels; the first is kept."),
        (len(test) - len(in_test), "repeated test rows kept, as published."),
    ):
        if count:
            notes.append(f"{count} {what}")
    return list(first.values())


def _dataset(
    name: str,
    labels: tuple[str, ...],
    rows: dict[str, list[Sentence]],
    label_of: dict[str, int],
    folder: Path,
    tables: list[Table],
    notes: list[str],
) -> Dataset:
    everything = [sentence for sentences in rows.values() for sentence in sentences]
    group_of = dict(zip((s.id for s in everything), near_variants([s.text for s in everything]), strict=True))
    in_train = {group_of[sentence.id] for sentence in rows["train"]}
    splits: dict[str, list[Example]] = {"train": [], "valid": [], "test": []}
    for split, sentence in ((split, s) for split, sentences in rows.items() for s in sentences if s.id in label_of):
        group = group_of[sentence.id]
        side = "valid" if split == "train" and hash_share(group) < VALID_SHARE else split
        tags = {
            "stereotype_type": sentence.facts.type,
            "category": sentence.facts.category,
            "data_source": sentence.facts.part,
            "group": sentence.facts.group,
            "variant_in_train": ("yes" if group in in_train else "no") if split == "test" else None,
        }
        splits[side].append(_example(sentence, group, label_of[sentence.id], tags))
    counts = Counter(example.tag("variant_in_train") for example in splits["test"])
    if counts["yes"]:
        notes.append(
            f"{counts['yes']} of {len(splits['test'])} test rows have a near-identical sentence in train, as "
            "published; the tag variant_in_train tells them apart."
        )
    return Dataset(
        name=name,
        labels=labels,
        positive=1,
        splits={split: tuple(examples) for split, examples in splits.items() if examples},
        contrast="about",
        offensive=True,
        licences=LICENCES,
        citation=CITATION,
        files={table.path.relative_to(folder).as_posix(): table.sha256 for table in tables},
        notes=tuple(notes),
        slices=SLICES,
    )


def _example(sentence: Sentence, group: str, label: int, tags: dict[str, str | None]) -> Example:
    augmented = (sentence.facts.part or "").endswith("_augmented")
    return Example(
        text=sentence.text,
        id=sentence.id,
        group=group,
        label=label,
        about=None if sentence.facts.type is None else Blend.of(f"x-emgsd-{sentence.facts.type}"),
        source=sentence.facts.part or "",
        licence="MIT" if augmented else "MIT AND CC-BY-SA-4.0",
        tags=tuple((name, value) for name, value in tags.items() if value is not None),
    )


def _remote(path: str, repository: str, published: str, sha256: str, size: int) -> RemoteFile:
    return RemoteFile(path, f"https://raw.githubusercontent.com/{repository}/{published}", sha256, size)


_FORK = "lisaWangjiaqi/HEARTS-Text-Stereotype-Detection/f1a46e0f641bf2def0a7b49f78bc1c9bba8227a2"
_AUTHORS = "holistic-ai/HEARTS-Text-Stereotype-Detection/3cbeabb30e3589723bbb1d81ff1d728d9b85ffaa"

SOURCE = Source(
    name="emgsd",
    title="EMGSD",
    summary="57,201 English sentences on six dimensions of identity: stereotype, or neutral and unrelated.",
    licence="MIT AND CC-BY-SA-4.0",
    citation=CITATION,
    offensive=True,
    contrast="about",
    folder="emgsd",
    signs=(
        "train.csv*",
        "train.parquet",
        "test.csv*",
        "test.parquet",
        "data/*.parquet",
        "default/*/*.parquet",
        f"{_BINARY}*",
    ),
    load=load,
    obtain=(
        "run `calm data get emgsd`, or take train.csv and test.csv from the authors' data card holistic-ai/EMGSD "
        "(that train file has full labels and is preferred where it is present)."
    ),
    address=Download(
        (
            _remote(
                _BINARY,
                _FORK,
                "cw2/src/Travelbias_dataset/EMGSD_binary.jsonl",
                "0b00c4baa3fb75718cd880bd90fc7869f8231cb79ec3ee7348c7263c6ae4e23d",
                3879801,
            ),
            _remote(
                "test.csv",
                _FORK,
                "cw2/src/Travelbias_dataset/EMGSD_raw/test.csv",
                "fe9686b9dcd59ffe6c77e2611d8beda6c818b1b844c6853c3192227b7ded3c0e",
                2235656,
            ),
            _remote(
                _RESULTS,
                _AUTHORS,
                "Model%20Explainability/full_results_albertv2.csv",
                "94595671c6d0b8cfa0f18f888196a27afc07c1173009b313cae8ea2d5f5c3469",
                1360653,
            ),
            _remote(
                _SEEGULL,
                _AUTHORS,
                "Model%20Training%20and%20Evaluation/SeeGULL%20-%20GPT%20Augmentation.csv",
                "260f6b62f09507570a43d2651ec7e8eda21841dd206ddc084e5c8020f8c27636",
                197507,
            ),
            _remote(
                _WINOQUEER,
                _AUTHORS,
                "Model%20Training%20and%20Evaluation/Winoqueer%20-%20GPT%20Augmentation.csv",
                "3d2ce94239833848f4a35dc14d9b42f1eb53508b5464d7ebdbae3ae9e34bd4d9",
                193989,
            ),
        )
    ),
)
MULTICLASS = Source(
    name="emgsd-multiclass",
    title="EMGSD, multi-class",
    summary="the EMGSD sentences whose category and dimension are known: unrelated, or one of twelve kinds.",
    licence=SOURCE.licence,
    citation=CITATION,
    offensive=True,
    contrast="about",
    folder="emgsd",
    signs=SOURCE.signs,
    load=load_multiclass,
    obtain=SOURCE.obtain,
    address=SOURCE.address,
)
