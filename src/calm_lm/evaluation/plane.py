"""The readers of a model in the plane: where its identity states put them, and what that picture rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Example
from calm_lm.model.calm import CalmModel
from calm_lm.model.views import Views

Floats = npt.NDArray[np.float64]
TEXTS_AT_ONCE = 16
PERMUTATIONS = 999


@dataclass(frozen=True, slots=True)
class Point:
    """A reader in the plane; `blend` tells a mixture from a single culture."""

    name: str
    x: float
    y: float
    blend: bool


@dataclass(frozen=True, slots=True)
class Plane:
    """Readers as points.

    Attributes:
        points: single cultures first, then blends.
        explained: share of the single cultures' spread that each axis shows.
        texts: over how many texts the states were averaged.
        agreement: Spearman correlation, over pairs of cultures, between the distance of their full (not flattened)
            states and the share of training texts they label differently; None for fewer than four cultures.
        p: of that correlation, two-sided, by renaming the cultures at random (Mantel 1967).
        label: the label whose share among a culture's training rows the first axis follows most; None like `agreement`.
        follows: the correlation of the two, from -1 to 1.
    """

    points: tuple[Point, ...]
    explained: tuple[float, float]
    texts: int
    agreement: float | None
    p: float | None
    label: int | None
    follows: float | None


def reader_states(model: CalmModel, texts: Sequence[str], views: Views, readers: Sequence[Blend]) -> Floats:
    """Mean identity state of each reader over texts, after each text's mean over the single cultures. [R, d]."""
    weights = model.reader_weights(list(readers))
    single = np.array([reader.single is not None for reader in readers])
    total = np.zeros((len(readers), model.manifest.model.width))
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        batch = views(texts[start : start + TEXTS_AT_ONCE])
        count = len(batch.tokens)
        encoding, _ = model.answer(batch, weights.repeat(count, 1), torch.arange(count).repeat_interleave(len(readers)))
        states = encoding.state.double().cpu().numpy().reshape(count, len(readers), -1)
        total += (states - states[:, single].mean(1, keepdims=True)).sum(0)
    return total / len(texts)


def lay_out(states: Floats, readers: Sequence[Blend], train: Sequence[Example], texts: int) -> Plane:
    """Principal axes of the single cultures [R, d]; blends are put where the same axes put them.

    Each axis is turned so that the culture farthest out on it lies on its positive side.
    """
    single = [place for place, reader in enumerate(readers) if reader.single is not None]
    centre = states[single].mean(0)
    _, spread, axes = np.linalg.svd(states[single] - centre, full_matrices=False)
    flat = (states - centre) @ axes[:2].T
    flat *= np.sign(flat[single][np.abs(flat[single]).argmax(0), [0, 1]])
    order = [*single, *(place for place in range(len(readers)) if place not in single)]
    points = tuple(
        Point(str(readers[place]), float(flat[place, 0]), float(flat[place, 1]), readers[place].single is None)
        for place in order
    )
    explained = (spread**2 / (spread**2).sum())[:2]
    names = [str(readers[place]) for place in single]
    if len(names) < 4:
        return Plane(points, (float(explained[0]), float(explained[1])), texts, None, None, None, None)
    agreement, p = _agreement(states[single], names, train)
    label, follows = _label_of_axis(flat[single, 0], names, train)
    return Plane(points, (float(explained[0]), float(explained[1])), texts, agreement, p, label, follows)


def _agreement(states: Floats, names: Sequence[str], train: Sequence[Example]) -> tuple[float, float]:
    """Spearman correlation of distance and disagreement over pairs, and its two-sided p by renaming cultures."""
    from scipy.stats import rankdata

    first, second = np.triu_indices(len(names), 1)
    apart = rankdata(np.linalg.norm(states[:, None] - states[None], axis=-1)[first, second])
    ranks = np.zeros((len(names), len(names)))
    ranks[first, second] = ranks[second, first] = rankdata(_disagreement(names, train)[first, second])

    def correlation(order: npt.NDArray[np.int64]) -> float:
        return float(np.corrcoef(apart, ranks[order][:, order][first, second])[0, 1])

    found = correlation(np.arange(len(names)))
    rng = np.random.default_rng(0)
    chance = [correlation(rng.permutation(len(names))) for _ in range(PERMUTATIONS)]
    reached = sum(abs(each) >= abs(found) - 1e-12 for each in chance)
    return found, (reached + 1) / (PERMUTATIONS + 1)


def _label_of_axis(axis: Floats, names: Sequence[str], train: Sequence[Example]) -> tuple[int, float]:
    """The label whose share per culture an axis [C] follows most, and the correlation."""
    counts = np.zeros((len(names), 1 + max(row.label or 0 for row in train)))
    place = {name: i for i, name in enumerate(names)}
    for row in train:
        if row.label is not None and str(row.reader) in place:
            counts[place[str(row.reader)], row.label] += 1
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    found = [float(np.corrcoef(axis, share)[0, 1]) if np.ptp(share) > 0 else 0.0 for share in shares.T]
    best = max(range(len(found)), key=lambda label: abs(found[label]))
    return best, found[best]


def _disagreement(names: Sequence[str], train: Sequence[Example]) -> Floats:
    """Share of texts that two cultures label differently, [C, C]."""
    place = {name: i for i, name in enumerate(names)}
    number: dict[str, int] = {}
    for row in train:
        number.setdefault(row.text, len(number))
    table = np.full((len(number), len(names)), -1)
    for row in train:
        if row.reader is not None and str(row.reader) in place and row.label is not None:
            table[number[row.text], place[str(row.reader)]] = row.label
    known = (table >= 0).astype(float)
    both = np.einsum("ti,tj->ij", known, known)
    differ = np.stack(
        [((table != column[:, None]) & (table >= 0) & (column[:, None] >= 0)).sum(0) for column in table.T]
    )
    shares: Floats = differ / np.maximum(both, 1)
    return shares
