"""What the rest of the package may ask of a language model, and the typed values it answers with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:  # who only asks an endpoint needs no torch
    from torch import Tensor


class TokenStates(NamedTuple):
    """Hidden states of a batch of texts, right-padded.

    Attributes:
        states: [L, B, T, d_model], one slice per layer asked for, in the order asked.
        mask: [B, T] bool, True on real tokens.
        spans: [B, T, 2] int64, start and end character of each token in its text; (0, 0) for tokens that
            stand for no character (padding, special tokens).
    """

    states: Tensor
    mask: Tensor
    spans: Tensor


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which weights answered: enough to refuse others on loading.

    Attributes:
        name: hub name, local path or `embedded`.
        revision: commit on the hub, None for a path or the embedded model.
        fingerprint: sha256 over the weights and the tokenizer.
        languages: BCP 47 ids it is claimed to read; empty where unknown.
        licence: SPDX id, or `undeclared`.
    """

    name: str
    revision: str | None
    fingerprint: str
    languages: tuple[str, ...]
    licence: str


class OptionScores(NamedTuple):
    """How likely a model finds each option after its prompt.

    Attributes:
        sums: float32 [n_options], log-probability of the option's tokens, summed, in nats, 0 or below.
        tokens: int64 [n_options], how many tokens were summed, at least 1.
        prompt_tokens: of the prompt alone.
    """

    sums: Tensor
    tokens: Tensor
    prompt_tokens: int = 0

    def per_token(self) -> Tensor:
        """Mean log-probability of an option's tokens, float32 [n_options].

        Normalised by the model's own tokens, not by bytes or characters, so it is comparable between the options
        of one model, not between tokenizers. Where the border to the prompt was merged, the merged token counts.
        """
        return self.sums / self.tokens


class Injection(NamedTuple):
    """A shift of every token's state at the output of one layer.

    Attributes:
        layer: 1..n_layers, counted as in `hidden_states` (`n_layers`: after the final norm).
        delta: [B, d_model], one row for each prompt.
    """

    layer: int
    delta: Tensor


class LanguageModel(Protocol):
    """A causal language model or an encoder.

    Layers are counted as in `output_hidden_states`: 0 is the embedding, `n_layers` the last layer's
    output after the final norm; block i (from 0) turns the state of layer i into that of layer i + 1.
    """

    identity: ModelIdentity
    d_model: int
    n_layers: int

    def hidden_states(self, texts: Sequence[str], layers: Sequence[int], *, max_length: int = 256) -> TokenStates:
        """States of the given layers for one batch of texts; layers above the highest are not run."""
        ...

    def score_options(self, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> list[OptionScores]:
        """For each prompt, the summed log-probability of each option's tokens after it."""
        ...

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int = 64,
        chat: bool = False,
        inject: Injection | None = None,
    ) -> list[str]:
        """Greedy continuations, the prompt not repeated; `chat` wraps each prompt in the chat template."""
        ...


class SentenceEncoder(Protocol):
    """A model that turns a text into one vector."""

    identity: ModelIdentity
    d_embed: int

    def embed(self, texts: Sequence[str], *, batch_size: int = 32) -> Tensor:
        """Unit-length embeddings, float32 [N, d_embed]."""
        ...
