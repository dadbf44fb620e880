"""Rows of one split that stand in another: the same group, the same text, or nearly the same text.

Near duplicates are exact, not sampled: two texts are near when the Jaccard similarity of their sets of
character 5-grams reaches a threshold. Candidates come from a prefix filter: if each text's 5-grams are ordered
from the rarest on, two texts with similarity t or more share one of the first |x| - ceil(t |x|) + 1 of them, so
only texts that share a rare 5-gram are compared.
source: Bayardo, Ma and Srikant, "Scaling up all pairs similarity search" (WWW 2007), section 4; the bound is the
one for Jaccard of Chaudhuri, Ganti and Kaushik, "A primitive operator for similarity joins" (ICDE 2006).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calm_lm.data.example import Example
from calm_lm.data.splits import normalise_text
from calm_lm.errors import CalmError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Kind = Literal["group", "exact", "near"]
NEAR = 0.7  # a word or two changed in a sentence of a hundred characters
EDGE = "\x02"  # stands before and after a text; not white space, of which the vectoriser merges runs
BLOCK = 2000  # texts of the later split compared at a time, which bounds the memory


class Pair(NamedTuple):
    """Two rows, by id, that stand on two sides of a split, and how alike their texts are (0 to 1)."""

    first: str
    second: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a later split shares with an earlier one.

    Attributes:
        kind: `group` (the same group), `exact` (the same text after normalisation), `near` (alike, not exact).
        first: the earlier split, usually what is trained on.
        second: the later split, usually what is judged on.
        rows: ids of all rows of `second` that have a counterpart in `first`.
        pairs: the first few pairs, most alike first; ids only, so that no offensive text is repeated.
    """

    kind: Kind
    first: str
    second: str
    rows: tuple[str, ...]
    pairs: tuple[Pair, ...]


def find_leakage(
    splits: Mapping[str, Sequence[Example]], *, threshold: float = NEAR, shown: int = 5
) -> tuple[Overlap, ...]:
    """Every overlap between two splits, earlier splits first; kinds without a single row are left out.

    45,000 texts against 5,700 take about seven seconds on one core.

    Args:
        splits: split name to rows; the order of the names says which split is the earlier one.
        threshold: Jaccard similarity of character 5-grams from which two texts are near, in (0, 1].
        shown: how many pairs each overlap lists.

    Raises:
        CalmError: D78 when the threshold is outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise CalmError(
            "D78", "a similarity is above 0 and at most 1.", field="threshold", value=threshold, fix="use 0.7."
        )
    texts = {name: _ids_by(rows, lambda row: normalise_text(row.text)) for name, rows in splits.items()}
    groups = {name: _ids_by(rows, lambda row: row.group) for name, rows in splits.items()}
    numbers = {text: number for number, text in enumerate(sorted({t for held in texts.values() for t in held}))}
    grams = _grams(list(numbers)) if len(texts) > 1 else None
    found = []
    for first, second in combinations(splits, 2):
        found.append(_same("group", first, second, groups, shown))
        found.append(_same("exact", first, second, texts, shown))
        if grams is not None:
            found.append(_near(first, second, texts, numbers, grams, threshold, shown))
    return tuple(overlap for overlap in found if overlap.rows)


def _ids_by(rows: Sequence[Example], key: Any) -> dict[str, list[str]]:
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        ids[key(row)].append(row.id)
    return dict(ids)


def _same(kind: Kind, first: str, second: str, keys: Mapping[str, dict[str, list[str]]], shown: int) -> Overlap:
    earlier, later = keys[first], keys[second]
    shared = [key for key in later if key in earlier]
    return Overlap(
        kind,
        first,
        second,
        rows=tuple(row for key in shared for row in later[key]),
        pairs=tuple(Pair(earlier[key][0], later[key][0], 1.0) for key in shared[:shown]),
    )


def _near(
    first: str,
    second: str,
    texts: Mapping[str, dict[str, list[str]]],
    numbers: Mapping[str, int],
    grams: csr_matrix,
    threshold: float,
    shown: int,
) -> Overlap:
    earlier, later = list(texts[first]), list(texts[second])
    alike: dict[int, None] = {}
    best: list[tuple[float, int, int]] = []
    for left, right, similarity in _similar(
        grams[[numbers[text] for text in earlier]], grams[[numbers[text] for text in later]], threshold
    ):
        pairs = [
            (float(s), int(i), int(j))
            for i, j, s in zip(left, right, similarity, strict=True)
            if earlier[i] != later[j]
        ]
        alike.update(dict.fromkeys(sorted(j for _, _, j in pairs)))
        best = sorted(best + pairs, key=lambda pair: (-pair[0], pair[1:]))[:shown]
    return Overlap(
        "near",
        first,
        second,
        rows=tuple(row for j in alike for row in texts[second][later[j]]),
        pairs=tuple(Pair(texts[first][earlier[i]][0], texts[second][later[j]][0], round(s, 3)) for s, i, j in best),
    )


def _grams(texts: Sequence[str]) -> csr_matrix | None:
    """Character 5-grams as 0/1, [n_texts, n_grams]; columns run from the rarest 5-gram to the most common."""
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer="char", ngram_range=(5, 5), binary=True, lowercase=False, dtype=np.int32)
    padded = [f"{EDGE * 2}{text}{EDGE * 3}" for text in texts]  # so that even no text at all has a 5-gram
    if not padded:
        return None
    grams = counter.fit_transform(padded).tocsr()
    rarest_first = np.argsort(np.bincount(grams.indices, minlength=grams.shape[1]), kind="stable")
    ordered = grams[:, rarest_first].tocsr()
    ordered.sort_indices()
    return ordered


def _similar(
    earlier: csr_matrix, later: csr_matrix, threshold: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """Pairs at or above the threshold, block by block: rows of `earlier`, rows of `later`, similarities."""
    size_earlier, size_later = np.diff(earlier.indptr), np.diff(later.indptr)
    rare_earlier, rare_later = _prefix(earlier, threshold), _prefix(later, threshold)
    for start in range(0, later.shape[0], BLOCK):
        candidates = (rare_later[start : start + BLOCK] @ rare_earlier.T).tocoo()
        right, left = candidates.row.astype(np.int64) + start, candidates.col.astype(np.int64)
        small, large = (
            np.minimum(size_earlier[left], size_later[right]),
            np.maximum(size_earlier[left], size_later[right]),
        )
        keep = small >= threshold * large - 1e-9
        right, left = right[keep], left[keep]
        for at in range(0, len(left), 50 * BLOCK):
            i, j = left[at : at + 50 * BLOCK], right[at : at + 50 * BLOCK]
            shared = np.asarray(earlier[i].multiply(later[j]).sum(axis=1)).ravel()
            similarity = shared / (size_earlier[i] + size_later[j] - shared)
            near = similarity >= threshold
            yield i[near], j[near], similarity[near]


def _prefix(grams: csr_matrix, threshold: float) -> csr_matrix:
    """The first |x| - ceil(t |x|) + 1 entries of each row, which any row of similarity t must meet."""
    from scipy.sparse import csr_matrix

    size = np.diff(grams.indptr)
    kept = size - np.ceil(threshold * size - 1e-9).astype(np.int64) + 1
    place = np.arange(grams.nnz) - np.repeat(grams.indptr[:-1], size)
    row = np.repeat(np.arange(grams.shape[0]), size)
    chosen = place < np.repeat(kept, size)
    return csr_matrix(
        (np.ones(int(chosen.sum()), dtype=np.int32), (row[chosen], grams.indices[chosen])), shape=grams.shape
    )
