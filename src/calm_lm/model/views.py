"""From texts to what the network reads: token states, which tokens name a culture, the sentence view."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from calm_lm.culture.mentions import find_mentions, mention_mask
from calm_lm.lm.protocol import LanguageModel, SentenceEncoder
from calm_lm.model.batch import TextBatch


class Views(Protocol):
    """Anything that turns texts into a `TextBatch`: live from the backbone, or from cached states."""

    def __call__(self, texts: Sequence[str]) -> TextBatch:
        """The views of a batch of texts, padded to the longest."""
        ...


class Adapted(Protocol):
    """A language model whose upper layers can be run on given states (LoRA's place)."""

    def run_layers(self, states: Tensor, mask: Tensor, first: int, last: int) -> Tensor:
        """States [B, T, d_model] of layer `first` to those of layer `last`."""
        ...


class LiveViews:
    """Runs the backbone up to `layer` and the sentence encoder, if there is one."""

    def __init__(self, lm: LanguageModel, encoder: SentenceEncoder | None, layer: int, max_length: int) -> None:
        self.lm, self.encoder, self.layer, self.max_length = lm, encoder, layer, max_length

    def __call__(self, texts: Sequence[str]) -> TextBatch:
        """The views of a batch of texts."""
        return self.with_spans(texts)[0]

    def with_spans(self, texts: Sequence[str]) -> tuple[TextBatch, Tensor]:
        """The same with the characters of every token, [U, T, 2] int64, from one pass of the backbone."""
        out = self.lm.hidden_states(texts, [self.layer], max_length=self.max_length)
        sentence = self.encoder.embed(texts) if self.encoder else torch.zeros(len(texts), 0)
        tokens = out.states[0].float()
        views = TextBatch(tokens, out.mask, explicit_tokens(texts, out.spans), sentence.to(tokens.device))
        return views, out.spans


def explicit_tokens(texts: Sequence[str], spans: Tensor) -> Tensor:
    """Which tokens overlap an explicit cultural mention. spans [U, T, 2] -> [U, T] bool."""
    mask = torch.zeros(spans.shape[:2], dtype=torch.bool)
    for row, text in enumerate(texts):
        if mentions := _mentions(text):
            pairs = [(int(start), int(stop)) for start, stop in spans[row].tolist()]
            mask[row] = torch.tensor(mention_mask(pairs, mentions))
    return mask.to(spans.device)


_mentions = lru_cache(maxsize=65_536)(find_mentions)
