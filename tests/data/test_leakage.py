from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calm_lm.data import leakage
from calm_lm.data.example import Example
from calm_lm.data.leakage import find_leakage
from calm_lm.data.splits import normalise_text
from calm_lm.errors import CalmError


def rows(texts: list[str], name: str) -> tuple[Example, ...]:
    return tuple(Example(text=text, id=f"{name}{at}", group=f"{name}{at}", label=0) for at, text in enumerate(texts))


def grams(text: str) -> set[str]:
    padded = f"<<{normalise_text(text)}>>>"
    return {padded[at : at + 5] for at in range(len(padded) - 4)}


def jaccard(left: str, right: str) -> float:
    return len(grams(left) & grams(right)) / len(grams(left) | grams(right))


WORDS = ["tea", "coffee", "with", "milk", "and", "bread", "at", "noon", "or", "night"]  # few: near pairs are common
texts = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(texts, texts, st.sampled_from([0.3, 0.5, 0.7, 0.9, 1.0]))
def test_exact_and_near_pairs_are_those_of_brute_force(first, second, threshold):
    found = {
        overlap.kind: overlap
        for overlap in find_leakage(
            {"train": rows(first, "a"), "test": rows(second, "b")}, threshold=threshold, shown=99
        )
    }
    exact = {f"b{j}" for j, right in enumerate(second) if right in first}
    near = {
        f"b{j}"
        for j, right in enumerate(second)
        if any(left != right and jaccard(left, right) >= threshold for left in first)
    }
    assert set(found["exact"].rows if "exact" in found else ()) == exact
    assert set(found["near"].rows if "near" in found else ()) == near
    for pair in found["near"].pairs if "near" in found else ():
        left, right = first[int(pair.first[1:])], second[int(pair.second[1:])]
        assert pair.similarity == pytest.approx(jaccard(left, right), abs=5.1e-4)


def test_blocks_do_not_change_the_answer(monkeypatch):
    generator = np.random.default_rng(0)
    made = [" ".join(generator.choice(WORDS, 8)) for _ in range(60)]
    splits = {"train": rows(made[:30], "a"), "test": rows(made[30:], "b")}
    whole = find_leakage(splits, threshold=0.4)
    monkeypatch.setattr(leakage, "BLOCK", 1)
    assert find_leakage(splits, threshold=0.4) == whole
    assert whole


def test_every_row_of_a_shared_text_counts_and_kinds_are_told_apart():
    train = rows(["Shoes stay at the door here.", "Lunch is at one."], "a")
    test = (
        *rows(["shoes stay  at the door HERE.", "shoes stay at the door here.", "Shoes stay at the door, here."], "b"),
        Example(text="something else", id="c", group="a1", label=1),
    )
    found = {overlap.kind: overlap for overlap in find_leakage({"train": train, "test": test})}
    assert set(found["exact"].rows) == {"b0", "b1"}
    assert found["near"].rows == ("b2",)
    assert found["near"].pairs[0][:2] == ("a0", "b2")
    assert found["group"].rows == ("c",)


def test_no_text_in_what_is_returned():
    overlaps = find_leakage({"train": rows(["secret words here"], "a"), "test": rows(["Secret words here"], "b")})
    assert overlaps
    assert "ecret" not in repr(overlaps)


def test_three_splits_are_compared_pairwise_and_one_with_nothing():
    same = ["the very same text"]
    found = find_leakage({"train": rows(same, "a"), "valid": rows(same, "b"), "test": rows(same, "c")})
    assert [(o.kind, o.first, o.second) for o in found] == [
        ("exact", "train", "valid"),
        ("exact", "train", "test"),
        ("exact", "valid", "test"),
    ]
    assert find_leakage({"train": rows(same, "a")}) == ()
    assert find_leakage({}) == ()
    assert find_leakage({"train": (), "test": rows(same, "a")}) == ()


@pytest.mark.parametrize("threshold", [0, -1, 1.1, float("nan")])
def test_a_threshold_that_is_none(threshold):
    with pytest.raises(CalmError, match="D78"):
        find_leakage({"a": rows(["x"], "a"), "b": rows(["x"], "b")}, threshold=threshold)


@pytest.mark.slow
def test_emgsd_in_under_a_minute(data_dir: Path):
    from calm_lm.data import registry

    dataset = registry.load("emgsd", data_dir=data_dir)
    start = time.process_time()
    found = {(o.kind, o.first, o.second): o for o in find_leakage(dataset.splits)}
    assert time.process_time() - start < 60
    train = {normalise_text(row.text): None for row in dataset.splits["train"]}
    near = set(found["near", "train", "test"].rows)
    chosen = np.random.default_rng(0).choice(len(dataset.splits["test"]), 4, replace=False)
    for row in (dataset.splits["test"][at] for at in chosen):
        alike = [text for text in train if text != normalise_text(row.text) and jaccard(text, row.text) >= leakage.NEAR]
        assert (row.id in near) == bool(alike)
