"""Disagreement between cultures and what shuffled votes leave of it."""

from __future__ import annotations

import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from calm_lm.errors import CalmError
from calm_lm.stats.agreement import culture_disagreement, shuffled_disagreement

Votes = tuple[np.ndarray, np.ndarray, np.ndarray]


def cast_votes(taste: float, seed: int, posts: int = 400, panel: int = 5) -> Votes:
    """Votes of three cultures whose chance of label 1 differs by up to `taste` from the post's own."""
    rng = np.random.default_rng(seed)
    chance = np.clip(rng.uniform(size=(posts, 1)) + taste * rng.uniform(-1, 1, size=(posts, 3)), 0, 1)
    labels = rng.random((posts, 3, panel)) < chance[:, :, None]
    post, culture, _ = np.indices(labels.shape)
    order = rng.permutation(labels.size)
    return post.ravel()[order], np.array(["AU", "SG", "ZA"])[culture.ravel()[order]], labels.ravel()[order]


def test_by_hand_with_a_tie_and_an_absent_pair() -> None:
    votes = [
        ("p1", "AU", 1), ("p1", "AU", 1), ("p1", "AU", 0), ("p1", "SG", 0),
        ("p2", "AU", 1), ("p2", "AU", 0), ("p2", "SG", 1),
        ("p3", "AU", 2), ("p3", "SG", 2),
        ("p4", "ZA", 0),
    ]  # fmt: skip
    found = culture_disagreement(*zip(*votes, strict=True))
    assert found.by_pair == {("AU", "SG"): 0.5}
    assert found.mean == 0.5
    with pytest.raises(CalmError, match="S15"):
        culture_disagreement(*zip(*votes[-2:], strict=True))
    with pytest.raises(CalmError, match="S15"):
        culture_disagreement([1, 2], ["AU", "SG"], [0, 0])


def test_it_equals_a_plain_count() -> None:
    posts, cultures, labels = cast_votes(0.5, seed=0, posts=40)
    rates = []
    for one, other in combinations(["AU", "SG", "ZA"], 2):
        differ = [
            (labels[(posts == p) & (cultures == one)].mean() > 0.5)
            != (labels[(posts == p) & (cultures == other)].mean() > 0.5)
            for p in range(40)
        ]
        rates.append(np.mean(differ))
    found = culture_disagreement(posts, cultures, labels)
    assert list(found.by_pair.values()) == pytest.approx(rates)
    assert found.mean == pytest.approx(np.mean(rates))


def test_shuffling_finds_nothing_where_culture_is_nothing_and_much_where_it_is_planted() -> None:
    blind = cast_votes(0.0, seed=1)
    null = shuffled_disagreement(*blind, n=60, seed=0)
    assert culture_disagreement(*blind).mean == pytest.approx(null.mean, abs=0.04)
    assert null.interval.low < null.mean < null.interval.high
    tasteful = cast_votes(0.6, seed=1)
    null = shuffled_disagreement(*tasteful, n=60, seed=0)
    assert culture_disagreement(*tasteful).mean > null.interval.high + 0.05


def test_a_shuffle_keeps_each_post_and_each_panel() -> None:
    posts, cultures = np.repeat([0, 1], 6), ["AU", "AU", "AU", "SG", "SG", "SG"] * 2
    unanimous = np.repeat([0, 1], 6)
    assert shuffled_disagreement(posts, cultures, unanimous, n=20, seed=0).mean == 0.0
    # one dissenter in each panel of three; majorities differ when a shuffle puts both into one panel, which is so
    # for 2 * 3 of the 15 pairs of places
    split = np.tile([0, 0, 1], 4)
    null = shuffled_disagreement(posts, cultures, split, n=3000, seed=0)
    assert null.mean == pytest.approx(6 / 15, abs=0.03)
    assert null == shuffled_disagreement(posts, cultures, split, n=3000, seed=0)


def test_crehate_disagrees_little_more_than_shuffled_votes(data_dir: Path) -> None:
    with (data_dir / "crehate" / "CREHate_raw_annotations.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = [(row["ID"], row["nationality"], int(row["annotation"])) for row in csv.DictReader(stream)]
    posts, cultures, labels = zip(*[row for row in rows if row[2] < 2], strict=True)
    observed = culture_disagreement(posts, cultures, labels)
    null = shuffled_disagreement(posts, cultures, labels, n=20, seed=0)
    assert len(observed.by_pair) == 10
    assert observed.mean == pytest.approx(0.212, abs=0.004)
    assert null.mean == pytest.approx(0.190, abs=0.004)
    assert observed.mean > null.interval.high
