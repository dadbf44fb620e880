"""What a trust-and-safety engineer asks of a detector, per community."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from calm_lm.culture.mentions import has_identity_term, identity_swaps
from calm_lm.evaluation.system import answer_split
from calm_lm.evaluation.truth import Truth
from calm_lm.model.calm import CalmModel
from calm_lm.stats.moderation import false_positive_rate, false_positive_rate_at_recall, swap_sensitivity
from calm_lm.training.material import CachedViews, Progress, Rows

Floats = npt.NDArray[np.float64]
RECALL = 0.8
SWAPPED_TEXTS = 100


def moderation_scores(systems: Sequence[Floats], rows: Rows, truth: Truth) -> dict[str, Any]:
    """False positives at fixed recall, and on negative texts that name an identity, per culture and overall."""
    named_text = {text: has_identity_term(text) for text in rows.texts}
    named = np.array([named_text[e.text] for e in rows.examples])
    result: dict[str, Any] = {"recall": RECALL, "false_positive_rate_at_recall": {}, "false_positive_rate_identity": {}}
    parts = {name: truth.cultures == i for i, name in enumerate(truth.names)} | {"overall": truth.labels >= -1}
    for name, part in parts.items():
        known = part & (truth.labels >= 0)
        positive = (truth.labels[known] == truth.positive).astype(int)
        if positive.min(initial=1) == positive.max(initial=0):
            continue
        points = [false_positive_rate_at_recall(positive, p[known, truth.positive], RECALL) for p in systems]
        result["false_positive_rate_at_recall"][name] = float(np.mean([point.false_positive_rate for point in points]))
        spared = known & named & (truth.labels != truth.positive)
        if spared.any():
            rates = [_flag_rate(p[spared], truth.positive) for p in systems]
            result["false_positive_rate_identity"][name] = float(np.mean(rates))
    return result


def _flag_rate(p: Floats, positive: int) -> float:
    return float(false_positive_rate(np.zeros(len(p), dtype=int), (p.argmax(1) == positive).astype(int)))


def swap_scores(model: CalmModel, rows: Rows, views: CachedViews, progress: Progress) -> dict[str, Any]:
    """How much the answer moves when an identity term is replaced by another of its kind.

    The first texts that name an identity are read in their own form and with each swap, by the same reader.
    """
    pairs: list[tuple[int, str]] = []
    used: set[str] = set()
    for row, example in enumerate(rows.examples):
        if example.text in used or len(used) >= SWAPPED_TEXTS:
            continue
        if variants := identity_swaps(example.text, 2):
            used.add(example.text)
            pairs += [(row, variant) for variant in variants]
    if not pairs:
        return {"texts": 0, "mean_change": None, "flipped": None}
    views.prepare([variant for _, variant in pairs], progress)
    chosen = torch.tensor([row for row, _ in pairs])
    original = answer_split(model, _picked(rows, chosen, None), views, None).shares
    swapped = answer_split(model, _picked(rows, chosen, [v for _, v in pairs]), views, None).shares
    positive = model.manifest.positive
    found = swap_sensitivity(original[:, positive], swapped[:, positive])
    return {"texts": len(used), "mean_change": found.mean_change, "flipped": found.flipped}


def _picked(rows: Rows, chosen: torch.Tensor, texts: Sequence[str] | None) -> Rows:
    """Some rows, with their texts replaced where `texts` gives new ones."""
    names = [rows.examples[i].text for i in chosen.tolist()] if texts is None else list(texts)
    different = tuple(dict.fromkeys(names))
    number = {text: i for i, text in enumerate(different)}
    return Rows(
        tuple(rows.examples[i] for i in chosen.tolist()), different, torch.tensor([number[n] for n in names]),
        rows.readers[chosen], rows.shares[chosen], rows.known[chosen], rows.labels[chosen], rows.votes[chosen],
        rows.cultures[chosen],
    )  # fmt: skip
