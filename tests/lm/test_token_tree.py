"""Rows and groups: every sequence once, nothing lost in the tree, and few tokens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from calm_lm.lm.token_tree import Group, Read, common_length, lay_out, plan_rows

IDS = st.lists(st.integers(1, 3), min_size=1, max_size=12).map(tuple)
PERSONA = tuple(range(1000, 1300))


@st.composite
def some_reads(draw):
    """Sorted different sequences over three tokens, so that many share a beginning."""
    start = draw(IDS)
    found = draw(st.sets(st.one_of(IDS, IDS.map(lambda ids: start + ids)), min_size=1, max_size=20))
    return [Read(ids, draw(st.integers(0, len(ids) - 1))) for ids in sorted(found)]


def positions(reads, groups):
    """Token positions that a plan computes."""
    trees = [(group.prefix, lay_out([reads[i] for i in row], group.prefix)) for group in groups for row in group.rows]
    return sum(group.prefix for group in groups) + sum(len(tree.tokens) for _, tree in trees)


@given(some_reads(), st.integers(0, 60), st.integers(0, 20), st.integers(24, 60))
def test_a_plan_holds_every_sequence_once_and_its_trees_give_them_back(reads, row_tokens, pass_tokens, most):
    groups = plan_rows(reads, most=most, row_tokens=row_tokens, pass_tokens=pass_tokens)
    assert sorted(i for group in groups for row in group.rows for i in row) == list(range(len(reads)))
    for prefix, rows in groups:
        assert prefix == 0 or len(rows) > 1
        shared = reads[rows[0][0]].ids[:prefix]
        for row in rows:
            chosen = [reads[i] for i in row]
            tree = lay_out(chosen, prefix)
            assert len(tree.tokens) + prefix <= most
            assert tree.depths[0] == prefix
            for read, where in zip(chosen, tree.where, strict=True):
                last = where[-1]
                seen = [i for i in range(len(tree.tokens)) if i <= last < tree.ends[i]]
                assert shared + tuple(tree.tokens[i] for i in seen) == read.ids
                assert [tree.depths[i] for i in seen] == list(range(prefix, len(read.ids)))
                assert [tree.depths[i] for i in where] == list(range(read.first, len(read.ids)))
            assert len({(tree.depths[i], tuple(chain(tree, i))) for i in range(len(tree.tokens))}) == len(tree.tokens)
    assert positions(reads, groups) <= sum(len(read.ids) for read in reads)


def chain(tree, node):
    return [tree.tokens[i] for i in range(node + 1) if i <= node < tree.ends[i]]


@given(some_reads())
def test_a_roomy_row_computes_each_distinct_beginning_once(reads):
    long = [Read(tuple(range(10, 310)) + ids, first + 300) for ids, first in reads]
    beginnings = {ids[:n] for ids, _ in long for n in range(1, len(ids) + 1)}
    assert positions(long, plan_rows(long, most=10_000, row_tokens=10_000)) == len(beginnings)


def test_questions_behind_one_persona_share_it_and_orders_of_one_question_share_a_row():
    stems = [tuple(range(2000 + 100 * q, 2050 + 100 * q)) for q in range(20)]
    reads = [Read(PERSONA + stem + (order, *range(20)), 370) for stem in stems for order in range(6)]
    groups = plan_rows(reads, most=8192)
    assert [(group.prefix, len(group.rows)) for group in groups] == [(300, 20)]
    assert positions(reads, groups) == 300 + 20 * (50 + 6 * 21)


def test_two_personas_are_two_groups_and_strangers_stand_alone():
    other = tuple(range(5000, 5400))
    reads = [Read(start + (q,) * 150, 400) for start in (PERSONA, other) for q in range(4)]
    reads += [Read((9000 + q,) * 30, 29) for q in range(3)]
    groups = plan_rows(reads, most=8192)
    assert groups[0] == Group(0, [range(8, 9), range(9, 10), range(10, 11)])
    assert [(group.prefix, len(group.rows)) for group in groups[1:]] == [(300, 4), (400, 4)]


def test_a_prefix_ends_before_what_is_asked_and_is_not_made_where_it_saves_little():
    reads = [Read(PERSONA + (q,) * 200, 250) for q in range(3)]
    assert [group.prefix for group in plan_rows(reads, most=8192)] == [250]
    assert plan_rows(reads, most=8192, pass_tokens=600) == [Group(0, [range(0, 1), range(1, 2), range(2, 3)])]
    assert plan_rows([], most=1) == []


def test_common_length():
    assert [common_length(*pair) for pair in (((), (1,)), ((1, 2), (1, 2)), ((1, 2), (1, 3, 2)))] == [0, 2, 1]
