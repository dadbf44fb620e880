from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.training.sampler import CultureBalancedSampler, PairedRows, Units, nearest_same_culture


def make_units(cultures: list[list[int]], groups: list[int] | None = None, neighbours=None) -> Units:
    """Rows numbered through; by default every text is its own group and is near all texts that share a culture."""
    rows, count = [], 0
    for part in cultures:
        rows.append(list(range(count, count + len(part))))
        count += len(part)
    groups = list(range(len(cultures))) if groups is None else groups
    if neighbours is None:
        known = [{c for c in part if c >= 0} for part in cultures]
        neighbours = [
            [j for j in range(len(cultures)) if groups[i] != groups[j] and known[i] & known[j]]
            for i in range(len(cultures))
        ]
    return Units(rows, cultures, groups, neighbours)


def sampler(units: Units, batch_rows=8, *, balance=0.5, seed=0, contrast=True) -> CultureBalancedSampler:
    return CultureBalancedSampler(units, batch_rows, balance=balance, seed=seed, contrast=contrast)


culture_sets = st.lists(
    st.lists(st.integers(-1, 5), min_size=1, max_size=4, unique=True), min_size=4, max_size=40
).filter(lambda sets: len({c for part in sets for c in part if c >= 0}) > 1)


@settings(max_examples=60)
@given(culture_sets, st.integers(0, 200), st.sampled_from([0.0, 0.5, 1.0]), st.integers(2, 32), st.data())
def test_every_batch_keeps_the_rules(cultures, step, balance, batch_rows, data):
    groups = [data.draw(st.integers(0, 5)) for _ in cultures]
    units = make_units(cultures, groups)
    drawn = sampler(units, batch_rows, balance=balance).draw(step)
    text = {row: i for i, members in enumerate(units.rows) for row in members}
    culture = {row: c for m, part in zip(units.rows, cultures, strict=True) for row, c in zip(m, part, strict=True)}
    rows = drawn.rows.tolist()
    assert len(set(rows)) == len(rows)
    assert sum(drawn.lengths) == len(rows)
    for here, there in enumerate(drawn.partner.tolist()):
        if there < 0:
            continue
        assert culture[rows[here]] == culture[rows[there]] >= 0
        assert text[rows[here]] != text[rows[there]]
        assert groups[text[rows[here]]] != groups[text[rows[there]]]
    present = {culture[row] for row in rows} - {-1}
    assert len(present) >= min(8, len({c for part in cultures for c in part if c >= 0}))
    at = np.cumsum((0, *drawn.lengths))
    for start, stop in pairwise(at):  # a text comes with all its rows, in one piece
        assert rows[start:stop] == units.rows[text[rows[start]]]


def test_a_batch_depends_on_seed_and_step_alone():
    units = make_units([[i % 3, 3] for i in range(30)])
    one, other = sampler(units), sampler(units)
    ahead = [one.draw(step) for step in range(20)]
    for step in (19, 3, 11, 0):
        for a, b in zip(ahead[step], other.draw(step), strict=True):
            assert torch.equal(torch.as_tensor(a), torch.as_tensor(b))
    assert ahead[0].rows.tolist() != sampler(units, seed=1).draw(0).rows.tolist()
    assert ahead[0].rows.tolist() != ahead[1].rows.tolist()


def test_one_stratum_is_covered_exactly_once_an_epoch():
    units = make_units([[0, 1]] * 24, neighbours=[[] for _ in range(24)])
    drawing = sampler(units, 8)  # four texts a step
    assert drawing.steps_per_epoch == 6
    for epoch in range(3):
        seen = Counter(row for s in range(6) for row in drawing.draw(epoch * 6 + s).rows.tolist())
        assert set(seen.values()) == {1}
        assert len(seen) == 48
    orders = [tuple(drawing.draw(e * 6).rows.tolist()) for e in range(3)]
    assert len(set(orders)) == 3


@settings(max_examples=20)
@given(st.integers(60, 150), st.integers(25, 45), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 10_000))
def test_cultures_come_as_often_as_the_balance_says(large, small, balance, start):
    """Two strata of unequal size: shares are proportional to size ** (1 - balance) over many steps."""
    cultures = [[0]] * large + [[1]] * small
    units = make_units(cultures, neighbours=[[] for _ in cultures])
    drawing = sampler(units, 10, balance=balance, contrast=False)
    steps = 60
    seen = Counter(int(row >= large) for s in range(start, start + steps) for row in drawing.draw(s).rows.tolist())
    expected = small ** (1 - balance) / (small ** (1 - balance) + large ** (1 - balance))
    assert seen[1] / seen.total() == pytest.approx(expected, abs=0.03)


def test_every_text_is_visited_under_any_balance():
    cultures = [[0]] * 50 + [[1]] * 7 + [[0, 1]] * 13 + [[2]] * 2
    units = make_units(cultures, neighbours=[[] for _ in cultures])
    drawing = sampler(units, 12, balance=0.5, contrast=False)
    seen = Counter(row for s in range(20 * drawing.steps_per_epoch) for row in drawing.draw(s).rows.tolist())
    assert set(seen) == set(range(sum(map(len, cultures))))
    common = [seen[row] for row in range(50)]
    assert max(common) - min(common) <= 0.5 * np.mean(common)


def test_positives_come_from_outside_the_batch_where_they_can():
    units = make_units([[0, 1]] * 20)
    drawn = sampler(units, 8).draw(0)
    assert len(drawn.lengths) == 8  # four anchors, four positives
    partner = drawn.partner.tolist()
    assert all(partner[partner[here]] == here for here in range(len(partner)))
    assert all(abs(here - there) >= 2 for here, there in enumerate(partner))


def test_a_batch_of_all_texts_still_has_positives():
    """Few texts: nothing is left outside the batch, so a positive is found inside it."""
    drawn = sampler(make_units([[0], [0], [1], [1]]), 64).draw(0)
    assert len(drawn.rows) == 4
    assert (drawn.partner >= 0).all()


def test_a_text_without_neighbours_is_no_anchor():
    units = make_units([[0], [1], [1]], neighbours=[[], [2], [1]])
    drawn = sampler(units, 3).draw(0)
    partner = dict(zip(drawn.rows.tolist(), drawn.partner.tolist(), strict=True))
    assert partner[0] == -1
    assert partner[1] >= 0


@pytest.mark.parametrize("cultures", [[[0], [0]], [[-1], [-1]], [[0], [-1]]])
def test_contrast_is_refused_below_two_cultures(cultures):
    with pytest.raises(CalmError, match=r"\[T02\].*train.weights.contrast=0"):
        sampler(make_units(cultures))
    assert (sampler(make_units(cultures), contrast=False).draw(0).partner == -1).all()


def brute_force(views, cultures, groups):
    """Per text the allowed positives with their cosine, one pair at a time."""
    found = []
    for i, own in enumerate(cultures):
        scored = []
        for j, other in enumerate(cultures):
            a, b = views[i].double().numpy(), views[j].double().numpy()
            cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            if groups[i] != groups[j] and cosine <= 0.999 and ({*own} - {-1}) & ({*other} - {-1}):
                scored.append((j, cosine))
        found.append(dict(scored))
    return found


@settings(max_examples=40)
@given(st.integers(2, 25), st.integers(1, 6), st.integers(0, 1000))
def test_neighbours_equal_brute_force(size, count, seed):
    rng = np.random.default_rng(seed)
    views = torch.tensor(rng.normal(size=(size, 5)), dtype=torch.float32)
    views[size // 2] = 3 * views[0]  # a duplicate, differently scaled
    cultures = [rng.choice(4, size=rng.integers(1, 4), replace=False).tolist() for _ in range(size)]
    cultures = [[c - 1 for c in part] for part in cultures]
    groups = rng.integers(0, max(2, size // 2), size=size).tolist()
    found = nearest_same_culture(views, cultures, groups, count)
    for near, allowed in zip(found, brute_force(views, cultures, groups), strict=True):
        assert len(near) == len(set(near)) == min(count, len(allowed))
        best = sorted(allowed.values(), reverse=True)[:count]
        assert [allowed[j] for j in near] == pytest.approx(best, abs=1e-5)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=30), st.integers(1, 6))
def test_a_batch_is_cut_between_texts(lengths, parts):
    drawn = PairedRows(torch.arange(sum(lengths)), torch.full((sum(lengths),), -1), tuple(lengths))
    if len(lengths) < parts:
        with pytest.raises(CalmError, match=r"\[T06\].*batch_rows"):
            drawn.cut(parts)
        return
    sizes = drawn.cut(parts)
    assert len(sizes) == parts
    assert sum(sizes) == sum(lengths)
    assert min(sizes) > 0
    assert set(np.cumsum(sizes)) <= set(np.cumsum(lengths))
    if len(set(lengths)) == 1 and len(lengths) % parts == 0:
        assert len(set(sizes)) == 1
