"""How far cultures disagree about the same posts, and how far they would by chance of the draw of annotators.

A few votes per post and culture are a noisy panel: two panels from one population disagree too. The null shuffles
each post's votes across its cultures, so that culture carries nothing and panel sizes stay; only what is observed
above it is culture.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Ints, as_ids, as_labels, require_same, seeded_generator
from calm_lm.stats.bootstrap import Interval, percentile_interval


class Disagreement(NamedTuple):
    """Share of shared posts on which two cultures' majority labels differ.

    Attributes:
        mean: unweighted mean over pairs of cultures.
        by_pair: value by pair of culture ids, in order of the ids; a pair that shares no post is absent.
    """

    mean: float
    by_pair: dict[tuple[str, str], float]


class ShuffledDisagreement(NamedTuple):
    """`Disagreement.mean` with culture taken away: its mean over shuffles, and where most shuffles lie."""

    mean: float
    interval: Interval


@dataclass(frozen=True)
class _Votes:
    """Votes sorted by post: place of each vote's post, culture and label in their sorted ids `[V]`."""

    posts: Ints
    cultures: Ints
    labels: Ints
    culture_ids: tuple[str, ...]

    def majorities(self, labels: Ints) -> Ints:
        """Majority label `[P, C]` if the votes were `labels` `[V]`; -1 for a tie or no vote."""
        shape = (int(self.posts[-1]) + 1, len(self.culture_ids), int(self.labels.max()) + 1)
        cells = np.ravel_multi_index((self.posts, self.cultures, labels), shape)
        counts = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)
        most = counts.max(axis=2)
        single = (counts == most[..., None]).sum(axis=2) == 1
        return np.where(single & (most > 0), counts.argmax(axis=2), -1)


def culture_disagreement(groups: npt.ArrayLike, cultures: npt.ArrayLike, labels: npt.ArrayLike) -> Disagreement:
    """How often the majority labels of two cultures differ on the posts both have one for.

    A culture whose votes on a post are tied has no majority there, and the post does not count for its pairs.

    Args:
        groups: post id of each vote `[V]`.
        cultures: culture id of each vote `[V]`.
        labels: label of each vote `[V]`; answers that do not count ("don't know") are left out before. A data set
            with one label per post and culture gives each as one vote.

    Raises:
        CalmError: S15 when no two cultures share a post.
    """
    votes = _sort_votes(groups, cultures, labels)
    return _compare(votes.majorities(votes.labels), votes.culture_ids)


def shuffled_disagreement(
    groups: npt.ArrayLike,
    cultures: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    n: int = 100,
    seed: int,
    level: float = 0.95,
) -> ShuffledDisagreement:
    """`culture_disagreement` after shuffling the votes of each post across its cultures, `n` times.

    Args:
        groups: post id of each vote `[V]`.
        cultures: culture id of each vote `[V]`.
        labels: label of each vote `[V]`.
        n: shuffles.
        seed: of the shuffles, from 0.
        level: of the interval over shuffles, between 0 and 1.
    """
    generator = seeded_generator(n, seed)
    votes = _sort_votes(groups, cultures, labels)
    means = np.empty(n)
    for i in range(n):
        # votes are sorted by post, so a fraction added to the post's place reorders within posts only
        within = np.argsort(votes.posts + generator.random(len(votes.posts)))
        means[i] = _compare(votes.majorities(votes.labels[within]), votes.culture_ids).mean
    return ShuffledDisagreement(float(means.mean()), percentile_interval(means, level))


def _sort_votes(groups: npt.ArrayLike, cultures: npt.ArrayLike, labels: npt.ArrayLike) -> _Votes:
    posts, readers, given = as_ids(groups, "groups"), as_ids(cultures, "cultures"), as_labels(labels, "labels")
    require_same("cultures", readers.shape, "groups", posts.shape)
    require_same("labels", given.shape, "groups", posts.shape)
    post = np.unique(posts, return_inverse=True)[1]
    names, culture = np.unique(readers, return_inverse=True)
    order = np.argsort(post, kind="stable")
    return _Votes(post[order], culture[order], given[order], tuple(str(name) for name in names))


def _compare(majorities: Ints, culture_ids: tuple[str, ...]) -> Disagreement:
    by_pair: dict[tuple[str, str], float] = {}
    for i, j in combinations(range(len(culture_ids)), 2):
        shared = (majorities[:, i] >= 0) & (majorities[:, j] >= 0)
        if shared.any():
            by_pair[culture_ids[i], culture_ids[j]] = float(np.mean(majorities[shared, i] != majorities[shared, j]))
    if not by_pair:
        raise CalmError(
            "S15",
            "no two cultures share a post that both have a majority for.",
            field="cultures",
            value=culture_ids,
            fix="give votes of at least two cultures on the same posts.",
        )
    return Disagreement(float(np.mean(list(by_pair.values()))), by_pair)
