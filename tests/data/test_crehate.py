"""CREHate in the authors' layout: readers, votes, splits, and nothing about annotators."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from calm_lm.data import registry
from calm_lm.data.sources.crehate import READERS
from calm_lm.errors import CalmError
from calm_lm.stats.classification import accuracy

COUNTRIES = list(READERS)
RAW_HEADER = [
    "ID",
    "annotator_id",
    "nationality",
    "age",
    "education",
    "ethnicity",
    "gender",
    "politic",
    "religion",
    "gender_sexual_orientation",
    "annotation",
]
SECRETS = (
    "person-77",
    "age-of-99",
    "school-of-stars",
    "of-the-moon",
    "gender-q",
    "party-z",
    "faith-y",
    "orientation-w",
)


def split_header(first: str) -> list[str]:
    others = [country for country in COUNTRIES if country != first]
    return ["ID", "Text", *(f"{country.replace(' ', '_')}_Hate" for country in (first, *others))]


def labels_of(post: int) -> dict[str, int]:
    return {country: (post >> at) & 1 for at, country in enumerate(COUNTRIES)}


def raw_rows(posts):
    """Five answers a post and country: the label three times, the other once, and one third answer."""
    for post, country in ((post, country) for post in posts for country in COUNTRIES):
        label = labels_of(post)[country]
        for answer in (label, 1 - label, label, 2, label):
            yield [f"SBIC-{post}", SECRETS[0], country, *SECRETS[1:], answer]


def write_layout(write_csv, folder, splits, splits_folder="splits", raw_folder="."):
    at = 0
    for split, size in splits.items():
        # Australia comes first in the split files, the United States in the others
        header = split_header("Australia" if split != "test" else "United States")
        rows = []
        for post in range(at, at + size):
            cells = {f"{c.replace(' ', '_')}_Hate": f"{label}.0" for c, label in labels_of(post).items()}
            rows.append([f"SBIC-{post}", f"invented sentence {post}", *(cells[column] for column in header[2:])])
        write_csv(folder / splits_folder / f"CREHate_{split}.csv", header, rows)
        at += size
    return write_csv(folder / raw_folder / "CREHate_raw_annotations.csv", RAW_HEADER, raw_rows(range(at)))


@pytest.mark.parametrize(
    ("splits_folder", "raw_folder"), [("splits", "."), ("finetune/data_splits", "data"), (".", ".")]
)
def test_the_complete_layout(tmp_path, write_csv, splits_folder, raw_folder):
    write_layout(write_csv, tmp_path, {"train": 20, "valid": 5, "test": 7}, splits_folder, raw_folder)
    data = registry.load("crehate", data_dir=tmp_path)
    assert {split: len(rows) for split, rows in data.splits.items()} == {"train": 100, "valid": 25, "test": 35}
    assert data.cultures("reader") == ("AU", "GB", "SG", "US", "ZA")
    assert (data.contrast, data.offensive, data.notes) == ("reader", True, ())
    for example in data:
        post = int(example.group.removeprefix("SBIC-"))
        country = next(name for name, code in READERS.items() if code == example.reader.single)
        assert example.label == labels_of(post)[country]
        assert example.votes == ((1, 3) if example.label else (3, 1))
        assert example.text == f"invented sentence {post}"
    assert len({example.id for example in data}) == 160


def test_nothing_else_of_the_annotators_is_kept(tmp_path, write_csv):
    write_layout(write_csv, tmp_path, {"train": 6})
    shown = repr(registry.load("crehate", data_dir=tmp_path))
    assert not [secret for secret in SECRETS if secret in shown]


def test_a_shifted_row_does_not_tell_on_its_annotator(tmp_path, write_csv):
    raw = write_layout(write_csv, tmp_path, {"train": 1})
    rows = [["SBIC-0", "7", "Australia", *SECRETS[1:], SECRETS[5]], ["SBIC-0", "7", SECRETS[3], *SECRETS[1:], 1]]
    for row in rows:
        write_csv(raw, RAW_HEADER, [row])
        with pytest.raises(CalmError, match="D11") as caught:
            registry.load("crehate", data_dir=tmp_path)
        assert not [secret for secret in SECRETS if secret in str(caught.value)]


def test_without_raw_annotations_votes_are_unknown(tmp_path, write_csv):
    write_layout(write_csv, tmp_path, {"train": 3}).unlink()
    data = registry.load("crehate", data_dir=tmp_path)
    assert {example.votes for example in data} == {None}
    assert [note for note in data.notes if "votes are unknown" in note]
    assert [note for note in data.notes if "no test split" in note]


def test_votes_against_the_label_and_missing_votes_are_counted(tmp_path, write_csv):
    raw = write_layout(write_csv, tmp_path, {"train": 4})
    rows = [row for row in raw_rows(range(4)) if (row[0], row[2]) != ("SBIC-3", "Singapore")]
    flipped = [[*row[:-1], 1 - row[-1]] if row[0] == "SBIC-2" and row[-1] < 2 else row for row in rows]
    write_csv(raw, RAW_HEADER, flipped)
    data = registry.load("crehate", data_dir=tmp_path)
    assert "1 of 20 (post, country) pairs have no countable vote in CREHate_raw_annotations.csv." in data.notes
    assert "the majority of the votes is not the published label for 5 (post, country) pairs." in data.notes


def test_posts_with_one_text_share_a_group(tmp_path, write_csv):
    rows = [["SBIC-1", "same", *"01010"], ["ZA-Reddit-1", "same", *"11111"], ["SBIC-2", "other", *"00000"]]
    write_csv(tmp_path / "CREHate_train.csv", split_header("Australia"), rows)
    data = registry.load("crehate", data_dir=tmp_path)
    assert Counter(example.group for example in data) == {"SBIC-1": 10, "SBIC-2": 5}
    assert Counter(example.source for example in data) == {"SBIC": 10, "CP": 5}


def test_broken_rows_are_named_without_their_text(tmp_path, write_csv):
    """Four kinds of damage at any of 250 places."""
    rng = random.Random(0)
    good = [[f"SBIC-{at}", f"secret words {at}", *"01010"] for at in range(250)]
    for at in range(250):
        kind = ("label", "text", "id", "width")[rng.randrange(4)]
        rows = [list(row) for row in good]
        if kind == "label":
            rows[at][2 + rng.randrange(5)] = rng.choice(["", "2", "nan", "secret words", "0.5"])
        elif kind == "text":
            rows[at][1] = " " * rng.randrange(3)
        elif kind == "id":
            rows[at][0] = rows[at - 1][0]
        else:
            rows[at].append("secret words")
        write_csv(tmp_path / "CREHate_valid.csv", split_header("Australia"), rows)
        with pytest.raises(CalmError) as caught:
            registry.load("crehate", data_dir=tmp_path)
        error = caught.value
        expected = {"label": "D11", "text": "D10", "id": "D30", "width": "D17"}[kind]
        assert (error.code, error.row) == (expected, (250 + 1 if kind == "id" and at == 0 else at + 2))
        assert "secret words" not in str(error)


def test_no_split_file(tmp_path):
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "CREHate_other.csv").write_text("")
    with pytest.raises(CalmError, match="D29"):
        registry.load("crehate", data_dir=tmp_path)


@pytest.mark.parametrize(("hateful", "published"), [(712, 54.9), (629, 60.2)], ids=["GB", "US"])
def test_always_not_hate_scores_as_published_on_all_posts(hateful, published):
    """The hate counts of all 1,580 posts, of which the test split is not here."""
    votes = np.arange(1580) < hateful
    assert round(100 * accuracy(votes.astype(int), np.zeros(1580, dtype=int)), 1) == published


def test_real_counts(data_dir):
    """The figures of the project's copy, which lacks the test split: posts, hate shares, majority baselines, votes."""
    data = registry.load("crehate", data_dir=data_dir)
    rows = [*data.splits["train"], *data.splits["valid"]]
    assert {split: len({e.group for e in data.splits[split]}) for split in ("train", "valid")} == {
        "train": 1106,
        "valid": 237,
    }
    hate = {reader: [e.label for e in rows if e.reader.single == reader] for reader in data.cultures("reader")}
    share = {reader: round(100 * sum(labels) / len(labels), 1) for reader, labels in hate.items()}
    assert share == {"US": 40.4, "AU": 47.4, "GB": 45.2, "ZA": 43.3, "SG": 49.0}
    majority = {reader: 100 * labels.count(0) / len(labels) for reader, labels in hate.items()}
    assert (round(majority["GB"], 1), round(majority["US"], 1)) == (54.8, 59.6)
    assert all(e.votes is not None and (e.votes[1] > e.votes[0]) == bool(e.label) for e in rows)
    assert sum(sum(e.votes) for e in rows) == 18430 + 15131
    assert not [note for note in data.notes if "majority" in note or "countable" in note]
