"""EMGSD in both layouts: labels, recovered facts, dropped rows, groups; and the check on the released predictions."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow
import pyarrow.parquet
import pytest

from calm_lm.data import registry
from calm_lm.data.sources.emgsd import KINDS, TYPES
from calm_lm.data.tables import read_table
from calm_lm.errors import CalmError
from calm_lm.stats.classification import macro_f1

FULL = ("stereotype_type", "text", "text_with_marker", "category", "data_source", "label")
RESULTS = [
    "text",
    "predicted_label",
    "predicted_probability",
    "actual_label",
    "group",
    "dataset_name",
    "categorisation",
]
ADJECTIVES = ("tall", "green", "quiet", "round", "early", "warm", "slow", "bright", "small", "deep", "grey", "soft")
NOUNS = (
    "lamp",
    "river",
    "kettle",
    "garden",
    "bicycle",
    "window",
    "pencil",
    "market",
    "cloud",
    "ladder",
    "spoon",
    "train",
)


def full_row(kind: str, category: str, text: str, source: str = "stereoset_intrasentence") -> list[str]:
    label = "unrelated" if category == "unrelated" else f"{category}_{kind}"
    return [kind, text, text.replace("the", "===the==="), category, source, label]


def invented(at: int) -> str:
    """A sentence that shares no template with another."""
    a, b = ADJECTIVES[at % 12], NOUNS[at // 12 % 12]
    return f"{a} {b} {at} stands beside {NOUNS[(at * 5 + 1) % 12]} {at * 7} and {ADJECTIVES[(at * 7) % 12]} things"


def full_rows(start: int, size: int) -> list[list[str]]:
    kinds = list(TYPES)
    categories = ("stereotype", "neutral", "unrelated")
    return [full_row(kinds[at % 6], categories[at // 6 % 3], invented(at)) for at in range(start, start + size)]


def write_jsonl(path, rows):
    path.write_text(
        "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows), encoding="utf-8"
    )


@pytest.fixture
def binary_layout(tmp_path, write_csv):
    """Train with binary labels, test with full ones, and the three files facts are recovered from."""
    write_csv(tmp_path / "test.csv", FULL, [*full_rows(500, 8), full_row("religion", "neutral", "shared with train")])
    write_csv(
        tmp_path / "full_results_albertv2.csv",
        RESULTS,
        [
            ["mgsd stereotype", 0, 0.9, 1, "race", "MGSD", "stereotype_nationality"],
            ["mgsd unrelated", 0, 0.9, 0, "race", "MGSD", "unrelated"],
            ["mgsd unrelated job", 0, 0.9, 0, "profession", "MGSD", "unrelated"],
            ["contradicted", 1, 0.9, 0, "gender", "MGSD", "neutral_gender"],
            ["doubtful", 1, 0.9, 0, "gender", "MGSD", "neutral_gender"],
            ["doubtful", 1, 0.9, 0, "gender", "MGSD", "unrelated"],
            ["augmented", 1, 0.9, 0, "Lilliputian", "SeeGULL - GPT Augmentation", "unrelated"],
        ],
    )
    write_csv(
        tmp_path / "SeeGULL - GPT Augmentation.csv",
        ("phrase", "text", "label", "group"),
        [["p", "augmented", "unrelated", "Lilliputian"], ["p", "only seegull", "stereotype", "Blefuscudian"]],
    )
    write_csv(tmp_path / "Winoqueer - GPT Augmentation.csv", ("text", "label", "group"), [["wino", "neutral", "Queer"]])
    known = [
        ("mgsd stereotype", 1),
        ("mgsd unrelated", 0),
        ("mgsd unrelated job", 0),
        ("contradicted", 1),
        ("doubtful", 0),
    ]
    rest = [("augmented", 0), ("only seegull", 1), ("wino", 0), ("shared with train", 0), ("twice", 1), ("twice", 0)]
    write_jsonl(tmp_path / "EMGSD_binary.jsonl", [*known, *rest, *((invented(at), at % 2) for at in range(300))])
    return tmp_path


def test_the_binary_layout(binary_layout):
    data = registry.load("emgsd", data_dir=binary_layout)
    train = {e.text: e for e in (*data.splits["train"], *data.splits["valid"])}
    assert len(train) == 5 + 4 + 300
    facts = {text: (str(e.about or ""), e.tag("category"), e.tag("group"), e.source) for text, e in train.items()}
    assert facts["mgsd stereotype"] == ("x-emgsd-nationality", "stereotype", None, "mgsd")
    assert facts["mgsd unrelated"] == ("", "unrelated", None, "mgsd")
    assert facts["mgsd unrelated job"] == ("x-emgsd-profession", "unrelated", None, "mgsd")
    assert facts["augmented"] == ("x-emgsd-nationality", "unrelated", "Lilliputian", "seegull_augmented")
    assert facts["only seegull"] == ("x-emgsd-nationality", "stereotype", "Blefuscudian", "seegull_augmented")
    assert facts["wino"] == ("x-emgsd-lgbtq", "neutral", "Queer", "winoqueer_augmented")
    for text in ("contradicted", "doubtful", "twice"):
        assert facts[text] == ("", None, None, "")
    assert train["twice"].label == 1
    assert (train["wino"].licence, train["twice"].licence) == ("MIT", "MIT AND CC-BY-SA-4.0")
    assert all(e.reader is None and e.votes is None for e in data)
    for note in (
        "category recovered for 6 of 311 train rows; the others have the binary label only.",
        "1 recovered categories contradict the train label and are not used.",
        "1 train rows dropped because their text stands in test.",
        "1 repeated train rows dropped; the first is kept.",
        "1 train texts stand there with both labels; the first is kept.",
    ):
        assert note in data.notes
    assert 15 < len(data.splits["valid"]) < 50


def test_the_predictions_of_others_are_not_read(binary_layout):
    path = binary_layout / "full_results_albertv2.csv"
    before = registry.load("emgsd", data_dir=binary_layout)
    path.write_text(path.read_text().replace(",0.9,", ",not a number,"))
    assert registry.load("emgsd", data_dir=binary_layout).splits == before.splits


@pytest.mark.parametrize("kind", ["csv", "parquet", "shards", "converted"])
def test_full_labels_are_preferred(tmp_path, write_csv, kind):
    rows = {"train": full_rows(0, 180), "test": full_rows(1000, 36)}
    for split, of in rows.items():
        columns = {name: [row[at] for row in of] for at, name in enumerate(FULL)}
        if kind == "csv":
            write_csv(tmp_path / f"{split}.csv", FULL, of)
            continue
        half = len(of) // 2
        parts = {
            "parquet": {f"{split}.parquet": slice(None)},
            "shards": {
                f"data/{split}-00000-of-00002.parquet": slice(half),
                f"data/{split}-00001-of-00002.parquet": slice(half, None),
            },
            "converted": {f"default/{split}/0000.parquet": slice(None)},
        }[kind]
        for name, part in parts.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            pyarrow.parquet.write_table(pyarrow.table({k: v[part] for k, v in columns.items()}), tmp_path / name)
    write_jsonl(tmp_path / "EMGSD_binary.jsonl", [("not to be read", 1)])
    data = registry.load("emgsd", data_dir=tmp_path)
    train = {e.text: e for e in (*data.splits["train"], *data.splits["valid"])}
    assert set(train) == {row[1] for row in rows["train"]}
    for type_, text, _, category, _, _ in rows["train"]:
        assert train[text].about.single == f"x-emgsd-{TYPES[type_]}"
        assert train[text].label == (category == "stereotype")
    assert [e.text for e in data.splits["test"]] == [row[1] for row in rows["test"]]

    many = registry.load("emgsd-multiclass", data_dir=tmp_path)
    assert many.labels == KINDS
    assert len(KINDS) == 13
    expected = Counter(
        "unrelated" if r[3] == "unrelated" else f"{r[3]}_{TYPES[r[0]]}" for of in rows.values() for r in of
    )
    assert Counter(many.labels[e.label] for e in many) == expected


def test_multiclass_leaves_out_what_is_not_known(binary_layout):
    data = registry.load("emgsd-multiclass", data_dir=binary_layout)
    assert {e.text for split in ("train", "valid") for e in data.splits.get(split, ())} == {
        "mgsd stereotype",
        "mgsd unrelated",
        "mgsd unrelated job",
        "augmented",
        "only seegull",
        "wino",
    }
    assert "303 rows left out because their category or type is not known." in data.notes


def test_variants_of_a_sentence_stay_together(tmp_path, write_csv):
    rows = [full_row("gender", "neutral", f"{invented(at)} were {word}") for at in range(60) for word in ADJECTIVES[:3]]
    write_csv(tmp_path / "train.csv", FULL, rows)
    variant = full_row("gender", "neutral", f"{invented(7)} were blue")
    write_csv(tmp_path / "test.csv", FULL, [variant, *full_rows(100, 3)])
    data = registry.load("emgsd", data_dir=tmp_path)
    sides = {e.text: (split, e.group) for split in ("train", "valid") for e in data.splits[split]}
    for at in range(60):
        assert len({sides[f"{invented(at)} were {word}"] for word in ADJECTIVES[:3]}) == 1
    assert len({group for _, group in sides.values()}) == 60
    assert [e.tag("variant_in_train") for e in data.splits["test"]] == ["yes", "no", "no", "no"]
    assert [note for note in data.notes if note.startswith("1 of 4 test rows")]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("label", "stereotype_gender", "D32"),
        ("label", "", "D32"),
        ("category", "Stereotype", "D11"),
        ("stereotype_type", "lgbtq", "D11"),
        ("text", " ", "D10"),
        ("data_source", "", "D10"),
    ],
)
def test_broken_test_rows(tmp_path, write_csv, field, value, code):
    rows = full_rows(0, 30)
    for at in range(len(rows)):
        if value == rows[at][FULL.index(field)]:
            continue
        broken = [list(row) for row in rows]
        broken[at][FULL.index(field)] = value
        write_csv(tmp_path / "test.csv", FULL, broken)
        with pytest.raises(CalmError) as caught:
            registry.load("emgsd", data_dir=tmp_path)
        assert (caught.value.code, caught.value.row, caught.value.field) == (code, at + 2, field)
        assert caught.value.shown is None


def test_broken_binary_labels(tmp_path):
    for label in (2, -1, "stereotype", ""):
        write_jsonl(tmp_path / "EMGSD_binary.jsonl", [("fine", 1), ("secret words", label)])
        with pytest.raises(CalmError, match="D11") as caught:
            registry.load("emgsd", data_dir=tmp_path)
        assert caught.value.row == 2


def test_empty_files_hold_no_split(tmp_path):
    (tmp_path / "EMGSD_binary.jsonl").write_text("\n")
    with pytest.raises(CalmError, match="D31"):
        registry.load("emgsd", data_dir=tmp_path)


def test_real_counts(data_dir):
    data = registry.load("emgsd", data_dir=data_dir)
    assert len(data.splits["test"]) == 5685
    assert len(data.splits["train"]) + len(data.splits["valid"]) == 45743 - 21 - 68
    assert "21 train rows dropped because their text stands in test." in data.notes
    assert "68 repeated train rows dropped; the first is kept." in data.notes
    assert Counter(e.tag("category") for e in data.splits["test"]) == {
        "stereotype": 1927,
        "neutral": 1837,
        "unrelated": 1921,
    }
    types = Counter(e.about.single.removeprefix("x-emgsd-") for e in data.splits["test"])
    assert types == {"nationality": 2511, "profession": 1916, "gender": 650, "lgbtq": 345, "religion": 216, "race": 47}
    assert not {e.text for e in data.splits["test"]} & {e.text for s in ("train", "valid") for e in data.splits[s]}
    assert not {e.group for e in data.splits["train"]} & {e.group for e in data.splits["valid"]}
    assert 0.08 < len(data.splits["valid"]) / 45654 < 0.12
    assert Counter(e.tag("variant_in_train") for e in data.splits["test"])["no"] > 500


def test_released_predictions_score_as_published(data_dir):
    """Macro F1 of the authors' ALBERT-v2 predictions on the rows here: a check of the file and of the score."""
    from sklearn.metrics import f1_score

    table = read_table(
        data_dir / "emgsd" / "full_results_albertv2.csv", ("actual_label", "predicted_label"), secret=True
    )
    truth, guess = ([int(row[field]) for row in table.rows] for field in ("actual_label", "predicted_label"))
    assert len(truth) == 10_314
    assert round(100 * f1_score(truth, guess, average="macro"), 2) == 81.39
    assert round(100 * macro_f1(truth, guess, 2), 2) == 81.39
