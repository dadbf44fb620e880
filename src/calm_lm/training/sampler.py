"""Batches for the contrastive window: culture-balanced, every anchor with a valid positive, cultures mismatched.

A unit is a text with all its rows (one post read by five countries is five rows), so work on the text is
shared and the other readers of the same post are hard negatives. The batch of step n is a pure function of
(seed, n): a resumed run needs no replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calm_lm.errors import CalmError


class Units(NamedTuple):
    """Texts and their rows.

    Attributes:
        rows: per text, its row numbers.
        cultures: per text, the culture number of each of those rows (-1 for none).
        groups: per text, the number of its group; a positive comes from another group.
        neighbours: per text, similar texts that share a culture with it (may be empty).
    """

    rows: list[list[int]]
    cultures: list[list[int]]
    groups: list[int]
    neighbours: list[list[int]]


class PairedRows(NamedTuple):
    """One batch: row numbers [B]; per row the batch position of its positive or -1, [B]; rows of each text in turn."""

    rows: Tensor
    partner: Tensor
    lengths: tuple[int, ...]

    def cut(self, parts: int) -> list[int]:
        """Where the rows are cut between processes: `parts` sizes, about equal, no text on two sides.

        Raises:
            CalmError: T06 when there are fewer texts than parts.
        """
        if len(self.lengths) < parts:
            raise CalmError(
                "T06",
                f"a batch of {len(self.lengths)} texts cannot be shared by {parts} processes.",
                field="train.batch_rows",
                fix="raise it, or launch fewer processes.",
            )
        ends = np.cumsum(self.lengths)
        bounds = [0]
        for part in range(1, parts):
            wanted = int(np.abs(ends - ends[-1] * part / parts).argmin()) + 1
            bounds.append(min(max(wanted, bounds[-1] + 1), len(ends) - parts + part))
        at = [0, *(int(ends[bound - 1]) for bound in bounds[1:]), int(ends[-1])]
        return [stop - start for start, stop in pairwise(at)]


def nearest_same_culture(
    views: Tensor, cultures: Sequence[Sequence[int]], groups: Sequence[int], count: int = 5
) -> list[list[int]]:
    """The `count` most similar texts that share a culture and are of another group. views [U, d] -> U lists.

    Cosine of frozen views (PF-b says "semantically similar"; encoder and count are ours). A near-exact
    duplicate (cosine above 0.999) is no positive.
    """
    unit = torch.nn.functional.normalize(views, dim=-1)
    strata: dict[tuple[int, ...], list[int]] = {}
    for index, present in enumerate(cultures):
        strata.setdefault(tuple(sorted({c for c in present if c >= 0})), []).append(index)
    group = torch.tensor(list(groups))
    found: list[list[int]] = [[] for _ in cultures]
    for present, members in strata.items():
        pool = [i for other, part in strata.items() if set(other) & set(present) for i in part]
        if not present or len(pool) < 2:
            continue
        columns = torch.tensor(pool)
        for block in torch.split(torch.tensor(members), 1024):
            cosine = unit[block] @ unit[columns].t()
            cosine[(cosine > 0.999) | (group[block][:, None] == group[columns][None, :])] = -2.0
            best = cosine.topk(min(count, len(pool)), dim=1)
            for row, text in enumerate(block.tolist()):
                near = best.indices[row][best.values[row] > -2.0]
                found[text] = columns[near].tolist()
    return found


class CultureBalancedSampler:
    """Draws the batch of any step.

    Args:
        units: the texts.
        batch_rows: anchor rows a batch should hold (64 in the paper); positives come on top.
        balance: 0 draws texts as they come, 1 draws every set of cultures equally often.
        seed: decides everything.
        contrast: pair anchors with positives and insist on at least `min(8, cultures)` cultures.
    """

    def __init__(self, units: Units, batch_rows: int, *, balance: float, seed: int, contrast: bool) -> None:
        self.units, self.seed, self.contrast = units, seed, contrast
        mean_rows = sum(map(len, units.rows)) / len(units.rows)
        self.texts_per_batch = max(1, round(batch_rows / mean_rows))
        strata: dict[tuple[int, ...], list[int]] = {}
        for index, present in enumerate(units.cultures):
            strata.setdefault(tuple(sorted(set(present))), []).append(index)
        self.strata = [np.array(part) for _, part in sorted(strata.items())]
        sizes = np.array([len(part) for part in self.strata], dtype=float)
        self.shares = sizes ** (1 - balance) / (sizes ** (1 - balance)).sum()
        self._laps: dict[int, tuple[int, NDArray[np.int64]]] = {}
        self.n_cultures = len({c for present in units.cultures for c in present if c >= 0})
        self.required = min(8, self.n_cultures)
        if contrast and self.n_cultures < 2:
            raise CalmError(
                "T02",
                f"the contrastive window needs at least two cultures, the training rows have {self.n_cultures}.",
                fix="turn it off (train.weights.contrast=0), or add rows of another culture.",
            )

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which about as many anchors are drawn as there are texts."""
        return max(1, len(self.units.rows) // self.texts_per_batch)

    def draw(self, step: int) -> PairedRows:
        """The batch of one step."""
        rng = np.random.default_rng((self.seed, step))
        anchors = self._anchors(step, rng)
        texts = dict.fromkeys(anchors)
        positives: dict[int, int] = {}
        if self.contrast:
            for anchor in anchors:
                near = self.units.neighbours[anchor]
                if near:  # one from outside the batch where there is one, so that every pair is another
                    positives[anchor] = int(rng.choice([t for t in near if t not in texts] or near))
                    texts[positives[anchor]] = None
        return self._lay_out(list(texts), positives)

    def _anchors(self, step: int, rng: np.random.Generator) -> list[int]:
        """Distinct anchor texts; texts of a stratum are visited in shuffled order, epoch by epoch."""
        wanted = min(self.texts_per_batch, len(self.units.rows))
        # Low-discrepancy counts: over many steps every stratum gets its share exactly, whatever the step.
        before = np.floor(self.shares * wanted * step + self._offset()).astype(int)
        after = np.floor(self.shares * wanted * (step + 1) + self._offset()).astype(int)
        counts = after - before
        counts[int(np.argmax(self.shares))] += wanted - int(counts.sum())
        chosen: dict[int, None] = {}
        for number, (stratum, first, count) in enumerate(zip(self.strata, before, counts, strict=True)):
            for place in range(int(first), int(first) + max(int(count), 0)):
                lap, position = divmod(place, len(stratum))
                chosen[int(stratum[self._order(number, lap)[position]])] = None
        return self._enough_cultures(list(chosen), rng)

    def _order(self, stratum: int, lap: int) -> NDArray[np.int64]:
        """The order in which one lap visits a stratum; the last one is kept, neighbouring steps ask again."""
        if self._laps.get(stratum, (-1,))[0] != lap:
            rng = np.random.default_rng((self.seed, 7, stratum, lap))
            self._laps[stratum] = (lap, rng.permutation(len(self.strata[stratum])))
        return self._laps[stratum][1]

    def _offset(self) -> NDArray[np.float64]:
        return np.random.default_rng((self.seed, 3)).random(len(self.shares))

    def _enough_cultures(self, chosen: list[int], rng: np.random.Generator) -> list[int]:
        """Add a text of a missing culture until the batch has as many cultures as the window needs."""
        if not self.contrast:
            return chosen
        present = {c for text in chosen for c in self.units.cultures[text] if c >= 0}
        for stratum in sorted(self.strata, key=lambda _: rng.random()):
            if len(present) >= self.required:
                break
            text = int(rng.choice(stratum))
            fresh = {c for c in self.units.cultures[text] if c >= 0} - present
            if fresh:
                chosen.append(text)
                present |= fresh
        return chosen

    def _lay_out(self, texts: list[int], positives: dict[int, int]) -> PairedRows:
        """Rows of all texts, and for each anchor row the row of its positive with the same culture."""
        rows: list[int] = []
        at: dict[tuple[int, int], int] = {}
        for text in texts:
            for row, culture in zip(self.units.rows[text], self.units.cultures[text], strict=True):
                at.setdefault((text, culture), len(rows))
                rows.append(row)
        pairs = {
            at[anchor, culture]: at[positive, culture]
            for anchor, positive in positives.items()
            for culture in self.units.cultures[anchor]
            if culture >= 0 and (positive, culture) in at
        }
        backwards = {there: here for here, there in pairs.items()}  # a positive that is no anchor itself looks back
        partner = [pairs.get(row, backwards.get(row, -1)) for row in range(len(rows))]
        return PairedRows(torch.tensor(rows), torch.tensor(partner), tuple(len(self.units.rows[t]) for t in texts))
