"""Token sequences that share their beginnings, laid out so that a shared token is computed as seldom as pays.

Sequences are sorted, so those that share a beginning stand together. Neighbours are first joined into rows: a row
is a tree of tokens in depth-first order, and a token sees its ancestors only (the mask follows from where each
token's subtree ends). Rows that share a long beginning are then joined into groups, whose prefix is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

Span = TypeVar("Span")

ROW_TOKENS = 256  # tokens of a row past what all its sequences share: attention grows with the row's square
PASS_TOKENS = 32  # what one more forward pass costs, in tokens


class Read(NamedTuple):
    """Token ids that a model has to read, and the first position (from 0) whose prediction is wanted."""

    ids: tuple[int, ...]
    first: int


class Group(NamedTuple):
    """Rows of sequences (indices in sorted order) behind one prefix of `prefix` tokens, which may be none."""

    prefix: int
    rows: list[range]


class Tree(NamedTuple):
    """A row: the distinct tokens of some sequences behind their prefix, a parent before its children.

    Attributes:
        tokens: ids.
        depths: position of each token in its sequences, counted from the start of the prefix.
        ends: where each token's subtree ends; token i is seen by itself and by j if `i < j < ends[i]`.
        where: for each sequence, its tokens in this row from position `first` on.
    """

    tokens: list[int]
    depths: list[int]
    ends: list[int]
    where: list[list[int]]


def plan_rows(
    reads: Sequence[Read], *, most: int, row_tokens: int = ROW_TOKENS, pass_tokens: int = PASS_TOKENS
) -> list[Group]:
    """Which sequences share a row, and which rows a prefix, so that few tokens are computed.

    Neighbours that share most are joined first, for as long as it saves tokens (our choice: what shares a row has
    half of its tokens in common, and at most `row_tokens` apart; a group has to save more than `pass_tokens`). A prefix
    ends before the first position that any of its sequences asks for.

    Args:
        reads: distinct sequences, sorted by their ids.
        most: bound on the tokens of a row with its prefix, no shorter than the longest sequence.
        row_tokens: bound on the tokens of a row past what all its sequences share; one sequence may be longer.
        pass_tokens: what a group with a prefix costs beyond its tokens.

    Returns:
        Groups that hold every sequence once; rows without a prefix are all in one group.
    """
    shared = [common_length(a.ids, b.ids) for a, b in pairwise(reads)]

    def into_row(a: _Row, b: _Row, common: int) -> _Row | None:
        tokens = a.tokens + b.tokens - common
        little = 2 * common < min(a.tokens, b.tokens)  # a row of double length is padding for the others
        if little or tokens - common > row_tokens or tokens > most:
            return None
        return _Row(range(a.reads.start, b.reads.stop), tokens)

    def into_group(a: _Candidate, b: _Candidate, common: int) -> _Candidate | None:
        limit = min(a.limit, b.limit)
        prefix = min(common, limit)
        rows, tokens = a.rows + b.rows, a.tokens + b.tokens
        cost = tokens - (len(rows) - 1) * prefix + pass_tokens
        return _Candidate(rows, tokens, limit, prefix, cost) if cost < a.cost + b.cost else None

    rows = _join_neighbours([_Row(range(i, i + 1), len(read.ids)) for i, read in enumerate(reads)], shared, into_row)
    alone = [_Candidate([row.reads], row.tokens, min(reads[i].first for i in row.reads), 0, row.tokens) for row in rows]
    groups = _join_neighbours(alone, [shared[row.reads.stop - 1] for row in rows[:-1]], into_group)
    without = [row for group in groups if not group.prefix for row in group.rows]
    return [Group(0, without)] * bool(without) + [Group(group.prefix, group.rows) for group in groups if group.prefix]


def lay_out(reads: Sequence[Read], prefix: int) -> Tree:
    """The tree of some sequences behind the `prefix` tokens that they share.

    Args:
        reads: sorted neighbours; each asks for no position before `prefix`.
        prefix: tokens that are left out.
    """
    tree = Tree([], [], [], [])
    path: list[int] = []  # the tokens of the sequence at hand, as indices into the tree
    before: tuple[int, ...] = ()
    for ids, first in reads:
        kept = max(common_length(before, ids) - prefix, 0)
        for node in path[kept:]:
            tree.ends[node] = len(tree.tokens)
        del path[kept:]
        for depth in range(prefix + kept, len(ids)):
            path.append(len(tree.tokens))
            tree.tokens.append(ids[depth])
            tree.depths.append(depth)
            tree.ends.append(0)
        tree.where.append(path[first - prefix :])
        before = ids
    for node in path:
        tree.ends[node] = len(tree.tokens)
    return tree


def common_length(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two sequences share from their start."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


class _Row(NamedTuple):
    """Sequences of one row and the number of their distinct tokens."""

    reads: range
    tokens: int


class _Candidate(NamedTuple):
    """Rows with their tokens in all, the longest prefix they allow, and what they cost behind the prefix they have."""

    rows: list[range]
    tokens: int
    limit: int
    prefix: int
    cost: int


def _join_neighbours(
    spans: Sequence[Span], shared: Sequence[int], join: Callable[[Span, Span, int], Span | None]
) -> list[Span]:
    """Join neighbours, those that share most first and from the left, wherever `join` gives their union.

    Args:
        spans: in order.
        shared: tokens that spans i and i + 1 share, one fewer than spans.
        join: of two neighbours and the tokens they share; None keeps them apart.
    """
    found = list(spans)
    leader = list(range(len(found)))  # of the spans joined so far, the leftmost stands for all

    def leader_of(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    for at in sorted(range(len(shared)), key=lambda i: -shared[i]):
        left, right = leader_of(at), leader_of(at + 1)
        union = join(found[left], found[right], shared[at])
        if union is not None:
            found[left] = union
            leader[right] = left
    return [span for i, span in enumerate(found) if leader[i] == i]
