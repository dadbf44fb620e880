"""Any causal language model or encoder of the Hugging Face libraries, behind the protocol of this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import Parameter

from calm_lm.errors import CalmError
from calm_lm.lm.embedded import EMBEDDED, NAME, Notify, be_silent, embedded_backbone_folder
from calm_lm.lm.folders import find_and_identify, identify_tensors
from calm_lm.lm.generation import drop_sampling_defaults, generate
from calm_lm.lm.loading import load_tokenizer, load_weights
from calm_lm.lm.lora import Lora
from calm_lm.lm.options import score_options
from calm_lm.lm.protocol import Injection, ModelIdentity, OptionScores, TokenStates
from calm_lm.lm.shared_prefix import shared_reach
from calm_lm.lm.tokens import apply_chat, read_window, tokenize, tokenize_prompts
from calm_lm.lm.trunk import Trunk
from calm_lm.lm.usage import Usage


class HuggingFaceLM:
    """A pretrained model with its tokenizer, frozen and in evaluation mode; only added LoRA layers train.

    Args:
        model: a model of transformers; taken over (frozen, its sampling defaults dropped).
        tokenizer: its fast tokenizer.
        identity: who it is; computed from the tensors where not given.

    Attributes:
        identity: name, fingerprint, languages, licence of the frozen weights.
        d_model: width of the hidden states.
        window: most tokens it can read at once.
        n_layers: number of blocks; layers are counted 0 (embedding) to n_layers (after the final norm).
        usage: tokens that it has read and written since it was loaded.
    """

    def __init__(self, model: Any, tokenizer: Any, identity: ModelIdentity | None = None) -> None:
        self.model, self.tokenizer = model.eval().requires_grad_(False), tokenizer
        self.trunk = Trunk(model)
        config = self.trunk.module.config.get_text_config()
        self.d_model, self.n_layers = int(config.hidden_size), self.trunk.n_layers
        self.window = read_window(model, tokenizer)
        self.identity = identity or identify_tensors(
            type(model).__name__, model.state_dict(), tokenizer.backend_tokenizer.to_str()
        )
        self.usage = Usage()
        self._lora: Lora | None = None
        drop_sampling_defaults(model)

    @classmethod
    def load(
        cls,
        name: str,
        *,
        revision: str | None = None,
        device: str = "cpu",
        dtype: str = "float32",
        local_files_only: bool = False,
        notify: Notify | None = None,
    ) -> Self:
        """Load a model by hub name, local path, or `embedded`.

        Args:
            name: what to load.
            revision: branch, tag or commit on the hub.
            device: as torch names it.
            dtype: float32, bfloat16, float16 or float64.
            local_files_only: never ask the hub.
            notify: told in one line what takes long.

        Raises:
            CalmError: L01 to L13: not installed, not found, unreadable, incomplete, unknown dtype or device.
        """
        notify = notify or be_silent
        folder, identity = find_and_identify(
            name,
            embedded=partial(embedded_backbone_folder, notify=notify),
            revision=revision,
            local_files_only=local_files_only,
            notify=notify,
        )
        return cls(load_weights(folder.path, device=device, dtype=dtype), load_tokenizer(folder.path), identity)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        parameter: Tensor = next(iter(self.model.parameters()))
        return parameter.device

    @property
    def dtype(self) -> torch.dtype:
        """Number type of the weights and of the hidden states."""
        parameter: Tensor = next(iter(self.model.parameters()))
        return parameter.dtype

    @property
    def title(self) -> str:
        """The name to print: the embedded model is never called by the name of the unquantised one."""
        return NAME if self.identity.name == EMBEDDED else self.identity.name

    def hidden_states(self, texts: Sequence[str], layers: Sequence[int], *, max_length: int = 256) -> TokenStates:
        """States of the given layers for one batch of texts, without gradient.

        Args:
            texts: N texts; each is cut to `max_length` tokens or the model's window.
            layers: 0..n_layers, as in `output_hidden_states`. Blocks above the highest are not run where the
                model has rotary positions; other architectures run whole.
            max_length: bound on the tokens of a text.

        Returns:
            States [L, N, T, d_model] in the model's dtype, mask and spans, on the model's device.

        Raises:
            CalmError: L14 and L15 for unreadable or empty texts, L19 for a layer that is not there.
        """
        outside = [layer for layer in layers if not 0 <= layer <= self.n_layers]
        if outside:
            raise CalmError(
                "L19",
                f"the model has layers 0 to {self.n_layers}.",
                field="layers",
                value=outside[0],
                fix="choose one.",
            )
        batch = tokenize(self.tokenizer, texts, min(max_length, self.window))
        self.usage += Usage(read=int(batch.mask.sum()))
        ids, mask = batch.ids.to(self.device), batch.mask.to(self.device)
        with torch.no_grad():
            states = torch.stack(self.trunk.states(ids, mask, layers))
        return TokenStates(states, mask, batch.spans.to(self.device))

    def run_layers(self, states: Tensor, mask: Tensor, first: int, last: int) -> Tensor:
        """Run the blocks between two layers on given states.

        `run_layers(hidden_states(t, [a]).states[0], mask, a, b)` is `hidden_states(t, [b]).states[0]`. Gradients
        follow the caller's grad mode, so LoRA layers in between train from cached states of layer `first`.

        Args:
            states: states of layer `first`, [B, T, d_model], right-padded.
            mask: [B, T] bool, True on real tokens.
            first: layer of `states`.
            last: layer wanted.

        Returns:
            States of layer `last`, [B, T, d_model].

        Raises:
            CalmError: L17 for architectures that cannot be resumed, L18 for layers that are not there.
        """
        return self.trunk.run(states, mask, first, last)

    def score_options(
        self, prompts: Sequence[str], options: Sequence[Sequence[str]], *, batch_tokens: int = 2048
    ) -> list[OptionScores]:
        """Summed log-probability of each option's tokens after its prompt; see `calm_lm.lm.options`.

        What the prompts and options of one call share is read once, if a first try shows that this model gives
        the same numbers then (`calm_lm.lm.shared_prefix`).

        Args:
            prompts: N prompts.
            options: for each prompt, its options.
            batch_tokens: bound on a batch's padded tokens.

        Returns:
            For each prompt the sums and token counts of its options [n_options], on the CPU.

        Raises:
            CalmError: L14, L25, L26 for unreadable, empty or too long texts, L30 for a model without a head.
        """
        self._require_head()
        scores = score_options(
            self.model,
            self.tokenizer,
            prompts,
            options,
            window=self.window,
            reach=self._shared_reach,
            batch_tokens=batch_tokens,
        )
        self.usage += Usage(read=sum(each.prompt_tokens + int(each.tokens.sum()) for each in scores))
        return scores

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int = 64,
        chat: bool = False,
        inject: Injection | None = None,
        batch_tokens: int = 2048,
    ) -> list[str]:
        """Greedy continuations, prompts not repeated; see `calm_lm.lm.generation`.

        Args:
            prompts: N prompts.
            max_new_tokens: bound on the new tokens of a prompt.
            chat: put each prompt into the model's chat template as a user's turn.
            inject: shift of every token's state at one layer's output, delta [N, d_model].
            batch_tokens: bound on a batch's padded tokens, new ones counted.

        Raises:
            CalmError: L14, L16, L27 to L29 for prompts, template or injection, L30 for a model without a head.
        """
        self._require_head()
        rows = apply_chat(self.tokenizer, prompts) if chat else tokenize_prompts(self.tokenizer, prompts)
        answers = generate(
            self.model,
            self.tokenizer,
            self.trunk,
            rows,
            max_new_tokens=max_new_tokens,
            inject=inject,
            window=self.window,
            batch_tokens=batch_tokens,
        )
        self.usage += Usage(sum(map(len, rows)), sum(map(len, answers)))
        return [self.tokenizer.decode(answer, skip_special_tokens=True) for answer in answers]

    def add_lora(
        self,
        layers: range,
        *,
        r: int = 8,
        alpha: float = 16.0,
        dropout: float = 0.0,
        targets: Sequence[str] = ("q_proj", "v_proj"),
        seed: int = 0,
    ) -> list[Parameter]:
        """Add LoRA to blocks `layers` (counted from 0; block i turns layer i into layer i + 1) and return what trains.

        States of layers up to `layers[0]` do not change, so they may be cached and `run_layers` run from there.

        Raises:
            CalmError: L20 and L21 for blocks or targets that are not there, L31 where there is LoRA already.
        """
        if self._lora is not None:
            raise CalmError("L31", "the model has LoRA layers already.", fix="call remove_lora first.")
        self._lora = Lora(self.trunk, layers, r=r, alpha=alpha, dropout=dropout, targets=targets, seed=seed)
        return self._lora.parameters()

    def lora_state(self) -> dict[str, Tensor]:
        """A copy of the LoRA deltas on the CPU, by name; empty without LoRA."""
        return {} if self._lora is None else self._lora.state()

    def load_lora_state(self, state: Mapping[str, Tensor]) -> None:
        """Replace the LoRA deltas, all or none.

        Raises:
            CalmError: L22 to L24 for names, shapes or numbers that do not fit, L32 without LoRA layers.
        """
        if self._lora is None:
            raise CalmError("L32", "the model has no LoRA layers to load into.", fix="call add_lora first.")
        self._lora.load(state)

    def remove_lora(self) -> None:
        """Take the LoRA layers out; nothing happens without them."""
        if self._lora is not None:
            self._lora.remove()
            self._lora = None

    def train_lora(self, mode: bool = True) -> None:
        """Switch the dropout of the LoRA layers; everything frozen stays in evaluation mode."""
        if self._lora is not None:
            self._lora.train(mode)

    def without_lora(self) -> AbstractContextManager[None]:
        """A block in which the model is the pretrained one; its states may be cached under the frozen weights' name."""
        return nullcontext() if self._lora is None else self._lora.paused()

    @cached_property
    def _shared_reach(self) -> int:
        """Up to how many tokens shared tokens may be read once; tried on the first use."""
        return shared_reach(self.model, self.tokenizer, self.window)

    def _require_head(self) -> None:
        if self.model.get_output_embeddings() is None:
            raise CalmError(
                "L30",
                "this model has no language-model head, so it can neither score nor generate.",
                value=self.identity.name,
                fix="use a causal model.",
            )
