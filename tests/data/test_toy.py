"""The toy world's generator: what it says is planted is what its texts, votes and records hold."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from calm_lm.culture.blend import Blend
from calm_lm.culture.mentions import find_mentions
from calm_lm.data.toy import SHARPNESS, build_toy_world, cue_shares
from calm_lm.errors import CalmError


@pytest.fixture(scope="module")
def world():
    return build_toy_world(5, n_texts=400, annotators=201)


def test_same_seed_same_world_and_another_seed_another():
    first, again, other = (build_toy_world(seed, n_texts=30).dataset() for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("wave", [1, 2])
def test_votes_are_drawn_from_the_planted_shares(world, wave):
    rows = [row for part in world.dataset(wave).splits.values() for row in part]
    share = np.array([world.vote_share(row.group, row.reader) for row in rows])
    drawn = np.array([row.votes[1] / sum(row.votes) for row in rows])
    distance = (drawn - share) / np.sqrt(share * (1 - share) / 201)
    assert abs(distance.mean()) < 4 / np.sqrt(len(rows))
    assert 0.9 < distance.std() < 1.1
    assert all(row.label == (row.votes[1] > row.votes[0]) for row in rows)


def test_opposite_stances_differ_by_twice_the_norm(world):
    """Kinship cancels: the logits of one topic, author and reader differ by 2 * sharpness * norm."""
    logits = {}
    for s in world.statements[1]:
        share = world.vote_share(s.id, "x-toy-b")
        logits[s.topic, s.author, s.stance] = np.log(share / (1 - share))
    pairs = [(key, logits[*key, 1] - logits[*key, -1]) for key in {k[:2] for k in logits if (*k[:2], -k[2]) in logits}]
    assert pairs
    for (topic, _), difference in pairs:
        assert difference == pytest.approx(2 * SHARPNESS * world.norm_of("x-toy-b", topic))


def test_a_text_stays_on_one_side_and_has_every_reader(world):
    splits = world.dataset().splits
    groups = {name: {row.group for row in rows} for name, rows in splits.items()}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["valid"]
    assert {len(rows) / len(groups[name]) for name, rows in splits.items()} == {6.0}
    assert sum(map(len, groups.values())) == 400


def test_explicit_names_stand_where_they_are_said_to_and_nowhere_else(world):
    for statements in world.statements.values():
        for s in statements:
            assert len(find_mentions(s.text)) == s.named
            assert set(s.cues) == {word for word in s.text.rstrip(".").split() if world.cue_of(word)}


def test_author_posterior_is_calibrated_and_cues_are_shared_with_neighbours(world):
    unnamed = [s for statements in world.statements.values() for s in statements if not s.named]
    best = [world.author_posterior(s.id) for s in unnamed]
    right = np.mean([world.cultures[int(p.argmax())] == s.author for p, s in zip(best, unnamed, strict=True)])
    assert right == pytest.approx(np.mean([p.max() for p in best]), abs=0.07)
    shares = cue_shares(world.distances())
    assert shares.sum(1) == pytest.approx(1)
    assert (np.argsort(shares[0])[::-1] == np.argsort(world.distances()[0])).all()


def test_a_blend_reads_as_its_parts_weighted(world):
    text = world.statements[1][0].id
    parts = [world.vote_share(text, c) for c in ("x-toy-a", "x-toy-c")]
    assert world.vote_share(text, Blend.parse("x-toy-a=0.25,x-toy-c=0.75")) == pytest.approx(
        np.dot([0.25, 0.75], parts)
    )


def test_values_move_by_the_planted_drift():
    still = build_toy_world(3, n_texts=20, drift=0)
    moved = build_toy_world(3, n_texts=20, drift=2)
    assert sorted(map(moved.drift_of, moved.cultures)) == pytest.approx([0, 0.4, 0.8, 1.2, 1.6, 2])
    assert not any(map(still.drift_of, still.cultures))
    text = still.statements[2][0].id
    assert still.vote_share(text, "x-toy-a", wave=1) == still.vote_share(text, "x-toy-a")


def test_one_record_holds_per_culture_and_topic_on_any_day(world):
    store = world.norms()
    for day in (world.date_of(1), world.date_of(2) - datetime.timedelta(days=1), world.date_of(2)):
        in_force = [(r.culture, r.situation) for r in store if r.holds(day)]
        assert len(in_force) == len(set(in_force)) == 6 * 4
    s = world.statements[2][0]
    found = store.search(s.text, Blend.of("x-toy-a"), on=world.date_of(2))
    assert [hit.record.id for hit in found] == [f"x-toy-a-topic-{s.topic}-wave-2"]


def test_authors_are_shown_without_a_reader(world):
    row = world.dataset(contrast="author").splits["test"][0]
    assert row.reader is None
    assert sum(row.votes) == 6 * 201
    assert row.author == Blend.of(world.statement(row.group).author)


@pytest.mark.parametrize(
    ("code", "ask"),
    [
        ("D45", lambda world: world.dataset(wave=3)),
        ("D46", lambda world: world.value_of("x-toy-z")),
        ("D47", lambda world: world.vote_share("toy-9-00000", "x-toy-a")),
        ("D48", lambda world: build_toy_world(0, n_cultures=7)),
    ],
)
def test_what_is_not_there_is_refused(world, code, ask):
    with pytest.raises(CalmError) as caught:
        ask(world)
    assert caught.value.code == code
