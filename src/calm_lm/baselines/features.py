"""Fixed vectors of texts: the mean state at the read layer, the sentence view, or both side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from calm_lm.baselines.protocol import BaselineInput
from calm_lm.errors import CalmError
from calm_lm.model.layers import StateScale, weighted_mean
from calm_lm.training.material import CachedViews, Rows

View = Literal["states", "sentence", "both"]
TEXTS_AT_ONCE = 256

# Several baselines read the same means; they are kept as long as their store of states lives.
_means: WeakKeyDictionary[CachedViews, dict[str, Tensor]] = WeakKeyDictionary()


def mean_states(views: CachedViews, texts: Sequence[str]) -> Tensor:
    """Mean over a text's tokens of the states at the read layer, [U, d_model]."""
    known = _means.setdefault(views, {})
    todo = [text for text in dict.fromkeys(texts) if text not in known]
    for start in range(0, len(todo), TEXTS_AT_ONCE):
        chunk = todo[start : start + TEXTS_AT_ONCE]
        stored = views.tokens.get(chunk)
        known.update(zip(chunk, weighted_mean(stored.states, stored.mask).unbind(), strict=True))
    return torch.stack([known[text] for text in texts])


def text_vectors(given: BaselineInput, texts: Sequence[str], view: View) -> Tensor:
    """The chosen view of texts, [U, d]; `both` is the states alone where there is no sentence encoder.

    Raises:
        CalmError: B03 for the sentence view without a sentence encoder.
    """
    if view == "states":
        return mean_states(given.views, texts)
    if view == "sentence" and given.views.sentences is None:
        raise CalmError(
            "B03",
            "the run has no sentence view.",
            field="backbone.sentence",
            fix="leave this baseline out, or train with a sentence encoder.",
        )
    sentence = given.views.sentence_views(texts)
    return sentence if view == "sentence" else torch.cat([mean_states(given.views, texts), sentence], 1)


def fit_scale(vectors: Tensor) -> StateScale:
    """Mean and spread of training vectors [U, d]."""
    scale = StateScale(vectors.size(1))
    scale.fit(vectors)
    return scale


def row_vectors(given: BaselineInput, rows: Rows, at: Tensor, view: View) -> Tensor:
    """The view of each of some rows, [B, d]."""
    return text_vectors(given, [rows.texts[i] for i in rows.text_of[at].tolist()], view)
