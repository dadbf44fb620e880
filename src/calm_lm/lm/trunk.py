"""The stack of layers inside a pretrained model, run whole or in part.

Hidden states of layer k are computed by running blocks 0..k-1 only, and a later part of the stack can be
run on states computed (or cached) earlier. Both are the same code: a shallow copy of the trunk that holds
a slice of its blocks, and an identity in place of the final norm unless the slice ends the stack.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from calm_lm.errors import CalmError

BLOCKS = ("layers", "h", "decoder.layers", "encoder.layer", "encoder.layers", "transformer.layer", "layer")
NORMS = ("norm", "final_layer_norm", "final_layernorm", "ln_f", "decoder.final_layer_norm")
PROBE_TOKENS = 4


class Trunk:
    """The transformer stack of a model from transformers, without its head.

    Args:
        model: a pretrained model, with or without a head.

    Attributes:
        module: the stack itself; shared with `model`, never copied.
        blocks_name: where its list of blocks lies, None where it is not found.
        norm_name: where its final norm lies, None where there is none.
        n_layers: number of blocks.
        resumable: whether the stack may be run in parts; tried once, here.
    """

    def __init__(self, model: Any) -> None:
        self.module: Any = model.base_model
        self.n_layers = int(self.module.config.get_text_config().num_hidden_layers)
        self.blocks_name = self._find(BLOCKS)
        self.norm_name = self._find(NORMS)
        self.resumable = self._try_in_parts()

    @property
    def blocks(self) -> nn.ModuleList | None:
        """The list of blocks, where there is one as long as the model is deep."""
        found = None if self.blocks_name is None else self.module.get_submodule(self.blocks_name)
        return found if isinstance(found, nn.ModuleList) and len(found) == self.n_layers else None

    @property
    def norm(self) -> nn.Module | None:
        """The final norm."""
        return None if self.norm_name is None else self.module.get_submodule(self.norm_name)

    def states(self, ids: Tensor, mask: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """Hidden states [B, T, d_model] of each layer asked for; blocks above the highest are not run.

        Models that cannot be run in parts are run whole.
        """
        return (self._states_in_parts if self.resumable else self._states_of_whole)(ids, mask, layers)

    def run(self, states: Tensor, mask: Tensor, first: int, last: int) -> Tensor:
        """Run blocks first..last-1 (from 0) on states of layer `first`; the final norm too if that ends the stack.

        Args:
            states: [B, T, d_model], right-padded.
            mask: [B, T] bool.
            first: layer of `states`.
            last: layer wanted, `first <= last <= n_layers`.

        Returns:
            States of layer `last` [B, T, d_model], differentiable.

        Raises:
            CalmError: L17 for a model that cannot be run in parts, L18 for layers that are not there.
        """
        if not self.resumable:
            raise CalmError(
                "L17",
                "this model cannot be run from a middle layer (positions are not rotary, or the input is rescaled).",
                value=type(self.module).__name__,
                fix="use a decoder with rotary positions (Llama, Qwen, Mistral, SmolLM2), or adapt no layers.",
            )
        if not 0 <= first <= last <= self.n_layers:
            raise CalmError(
                "L18",
                f"the model has layers 0 to {self.n_layers}.",
                field="layers",
                value=f"{first} to {last}",
                fix="choose first <= last within them.",
            )
        return self._run(states, mask, first, last)

    def _run(self, states: Tensor, mask: Tensor, first: int, last: int) -> Tensor:
        if first == last:
            return states
        output = self._slice(first, last)(inputs_embeds=states, attention_mask=mask, use_cache=False)
        result: Tensor = output.last_hidden_state
        return result

    def _states_in_parts(self, ids: Tensor, mask: Tensor, layers: Sequence[int]) -> list[Tensor]:
        known = {0: self.module.get_input_embeddings()(ids)}
        reached = 0
        for layer in sorted(set(layers)):
            known[layer] = self._run(known[reached], mask, reached, layer)
            reached = layer
        return [known[layer] for layer in layers]

    def _states_of_whole(self, ids: Tensor, mask: Tensor, layers: Sequence[int]) -> list[Tensor]:
        takes_cache = "use_cache" in inspect.signature(self.module.forward).parameters
        options = {"use_cache": False} if takes_cache else {}
        output = self.module(input_ids=ids, attention_mask=mask, output_hidden_states=True, **options)
        return [output.hidden_states[layer] for layer in layers]

    def _try_in_parts(self) -> bool:
        """Whether the stack has rotary positions and gives the same states in parts as whole.

        A model that adds position embeddings to its input, or scales it, would do so again on states of
        a middle layer. Whether this one does is not guessed from its name but tried on four tokens.
        """
        if self.blocks_name != "layers" or self.blocks is None or self.norm_name not in NORMS[:3]:
            return False
        if not hasattr(self.module, "rotary_emb"):
            return False
        ids = torch.arange(PROBE_TOKENS, device=self._device()).unsqueeze(0)
        mask = torch.ones_like(ids, dtype=torch.bool)
        wanted = sorted({0, 1, self.n_layers // 2, self.n_layers})
        with torch.no_grad():
            whole = self._states_of_whole(ids, mask, wanted)
            parts = self._states_in_parts(ids, mask, wanted)
        return all(
            torch.allclose(a.float(), b.float(), rtol=1e-3, atol=1e-4, equal_nan=True)
            for a, b in zip(whole, parts, strict=True)
        )

    def _slice(self, first: int, last: int) -> Any:
        """A shallow copy of the trunk with blocks first..last-1; parameters and buffers are shared."""
        view = copy.copy(self.module)
        view._modules = dict(self.module._modules)
        view._modules[self.blocks_name] = self.blocks[first:last] if self.blocks is not None else None
        if last < self.n_layers:
            view._modules[self.norm_name] = nn.Identity()
        view.config = copy.copy(self.module.config)
        view.config.num_hidden_layers = last - first
        if getattr(view.config, "layer_types", None) is not None:  # which blocks see a sliding window only
            view.config.layer_types = list(self.module.config.layer_types[first:last])
        return view

    def _find(self, names: Sequence[str]) -> str | None:
        known = {name for name, _ in self.module.named_modules()}
        return next((name for name in names if name in known), None)

    def _device(self) -> torch.device:
        parameter: Tensor = next(iter(self.module.parameters()))
        return parameter.device
