"""Splits and folds in which no group stands on two sides, whatever the order of the rows.

A group's place is decided by a keyed hash of its name, so the same rows in another order, in another
process or on another machine are split alike, and the seed alone changes the split.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from calm_lm.data.example import Example
from calm_lm.errors import CalmError

SHARES: Mapping[str, float] = {"train": 0.7, "valid": 0.1, "test": 0.2}


def normalise_text(text: str) -> str:
    """`text` as two texts are compared: NFKC, case folded, runs of white space as one blank, none at the ends.

    Folding can undo a composition, so NFKC is applied again after it; the result is a fixed point.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def order_key(group: str, seed: int) -> bytes:
    """Sixteen bytes that order groups at random but alike everywhere: BLAKE2b of the name, keyed by the seed."""
    return hashlib.blake2b(
        group.encode("utf-8", "surrogatepass"), digest_size=16, key=str(seed).encode("ascii")
    ).digest()


def grouped_split(
    examples: Sequence[Example], shares: Mapping[str, float] = SHARES, seed: int = 0
) -> dict[str, tuple[Example, ...]]:
    """Cut examples into named splits by whole groups.

    Groups are taken in the order of their hash. The first ones fill each split once, largest share first,
    so that three groups are enough for three splits; each further group goes to the split that lacks most rows.

    Args:
        examples: the rows, in any order; their order is kept inside each split.
        shares: split name to its share of the rows, positive, summing to one.
        seed: another seed is another split.

    Returns:
        Split name to rows, in the order of `shares`; a split that no group is left for is absent.

    Raises:
        CalmError: D76 when the shares are not positive numbers that sum to one.
    """
    if any(not share > 0 for share in shares.values()) or not math.isclose(sum(shares.values()), 1.0, abs_tol=1e-6):
        raise CalmError(
            "D76", "shares of a split are above zero and sum to one.", value=dict(shares), fix="write 0.7, 0.1, 0.2."
        )
    size = Counter(row.group for row in examples)
    held = dict.fromkeys(sorted(shares, key=lambda name: (-shares[name], name)), 0)
    waiting = list(held)
    side: dict[str, str] = {}
    for group in _hash_order(size, seed):
        name = waiting.pop(0) if waiting else max(held, key=lambda name: shares[name] * len(examples) - held[name])
        side[group] = name
        held[name] += size[group]
    cut = {name: tuple(row for row in examples if side[row.group] == name) for name in shares}
    return {name: rows for name, rows in cut.items() if rows}


def grouped_folds(examples: Sequence[Example], k: int = 5, seed: int = 0) -> list[tuple[list[int], list[int]]]:
    """K folds by whole groups, balanced by label.

    Groups with the same counts of labels are dealt to the folds like cards, one kind after the other, in the
    order of their hash. Folds of posts judged by the same number of readers thus differ by at most one group
    in size and, kind by kind, in labels.

    Returns:
        For each fold the indices into `examples` of its training rows and of its held-out rows, ascending.
        Every row is held out exactly once.

    Raises:
        CalmError: D77 when k is below two or above the number of groups.
    """
    labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in examples:
        labels[row.group][str(row.label)] += 1
    if not 2 <= k <= len(labels):
        raise CalmError(
            "D77",
            f"folds number from 2 to the number of groups ({len(labels)}).",
            field="k",
            value=k,
            fix="choose fewer.",
        )
    kind = {group: (sum(counts.values()), sorted(counts.items())) for group, counts in labels.items()}
    dealt = sorted(_hash_order(labels, seed), key=lambda group: kind[group])
    fold = {group: place % k for place, group in enumerate(dealt)}
    return [
        (
            [i for i, row in enumerate(examples) if fold[row.group] != held],
            [i for i, row in enumerate(examples) if fold[row.group] == held],
        )
        for held in range(k)
    ]


def _hash_order(groups: Mapping[str, object], seed: int) -> list[str]:
    return sorted(groups, key=lambda group: (order_key(group, seed), group))
