"""What a local model can do beside answering: give a text as a vector."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from calm_lm.stats.arrays import Floats

if TYPE_CHECKING:  # it loads torch, which asking itself does not need
    from calm_lm.lm.protocol import LanguageModel

MAX_TOKENS = 256
BATCH_TOKENS = 4_096
CHARACTERS_A_TOKEN = 3  # a guess that only sorts texts into batches


@runtime_checkable
class Embedder(Protocol):
    """A model that gives vectors of texts.

    Attributes:
        embedding: what such a vector is, in words; part of the cache key.
    """

    embedding: str

    def embed(self, texts: Sequence[str]) -> Floats:
        """A vector of each text [N, d]."""
        ...


@dataclass(frozen=True, slots=True)
class Embedding:
    """A text's vector, kept in single precision."""

    vector: Floats

    def value(self) -> dict[str, Any]:
        """As it is stored."""
        return {"float32": base64.b64encode(self.vector.astype("<f4").tobytes()).decode("ascii")}

    @classmethod
    def of(cls, value: dict[str, Any]) -> Embedding:
        """From what was stored."""
        return cls(np.frombuffer(base64.b64decode(value["float32"]), "<f4").astype(np.float64))


def mean_states(lm: LanguageModel, layer: int, texts: Sequence[str]) -> Floats:
    """The mean state of each text's tokens at a layer [N, d_model]."""
    from calm_lm.lm.batching import length_sorted_batches

    found: dict[int, Floats] = {}
    for batch in length_sorted_batches([len(text) // CHARACTERS_A_TOKEN + 2 for text in texts], BATCH_TOKENS):
        out = lm.hidden_states([texts[i] for i in batch], [layer], max_length=MAX_TOKENS)
        mask = out.mask.unsqueeze(-1)
        means = (out.states[0].float() * mask).sum(1) / mask.sum(1)
        found |= zip(batch, means.double().cpu().numpy(), strict=True)
    return np.stack([found[i] for i in range(len(texts))])
