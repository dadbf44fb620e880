"""Controls that a claim about culture must pass: permuted readers, and votes shuffled across readers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from calm_lm.data.example import Dataset, Example


def shuffle_votes(dataset: Dataset, seed: int) -> Dataset:
    """The same posts and panel sizes, with every post's votes dealt to its readers at random.

    What remains between readers is chance, so a gain from knowing the reader on such data is a null result.
    Labels become the majority of the dealt votes; a tie keeps the label's old value.
    """
    rng = np.random.default_rng(seed)
    return replace(dataset, splits={split: _deal(rows, rng) for split, rows in dataset.splits.items()})


def _deal(rows: tuple[Example, ...], rng: np.random.Generator) -> tuple[Example, ...]:
    by_text: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row.votes is not None:
            by_text[row.text].append(place)
    dealt = list(rows)
    for places in by_text.values():
        panels = [rows[place].votes or () for place in places]
        pool = rng.permutation(np.repeat(np.arange(len(panels[0])), np.sum(panels, axis=0)))
        start = 0
        for place, panel in zip(places, panels, strict=True):
            drawn = pool[start : start + sum(panel)]
            start += sum(panel)
            votes = np.bincount(drawn, minlength=len(panel))
            tied = (votes == votes.max()).sum() > 1
            label = rows[place].label if tied else int(votes.argmax())
            dealt[place] = replace(rows[place], votes=tuple(int(v) for v in votes), label=label)
    return tuple(dealt)
