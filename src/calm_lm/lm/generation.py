"""Greedy continuation in left-padded batches, with an optional shift of one layer's states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from calm_lm.errors import CalmError
from calm_lm.lm.batching import length_sorted_batches, pad_tokens
from calm_lm.lm.protocol import Injection
from calm_lm.lm.quiet import quiet_libraries
from calm_lm.lm.tokens import pad_id
from calm_lm.lm.trunk import Trunk

Choose = Callable[[Tensor, Tensor], Tensor]


def generate(
    model: Any,
    tokenizer: Any,
    trunk: Trunk,
    rows: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    inject: Injection | None,
    window: int,
    batch_tokens: int,
) -> list[list[int]]:
    """Continue each row of token ids with the likeliest token at every step, until its end token.

    Args:
        model: a causal model with its head.
        tokenizer: its tokenizer.
        trunk: the model's stack of layers.
        rows: N prompts as token ids.
        max_new_tokens: bound on the new tokens of a prompt.
        inject: shift of every token's state (prompt and answer) at one layer's output, [N, d_model].
        window: most tokens the model can read.
        batch_tokens: bound on a batch's padded tokens, new ones counted.

    Returns:
        N answers as token ids in the order given, prompts not repeated, each up to its end token.

    Raises:
        CalmError: L27 for a prompt that is empty or, with its answer, above the window; L28 for an injection
            that does not fit.
    """
    for i, row in enumerate(rows):
        if not row or len(row) + max_new_tokens > window:
            raise CalmError(
                "L27",
                f"a prompt must have 1 to {window - max_new_tokens} tokens, so that {max_new_tokens} new ones fit.",
                row=i + 1,
                field="prompts",
                value=f"{len(row)} tokens",
                fix="shorten the prompt or ask for fewer new tokens.",
            )
    if inject is not None:
        _check_injection(inject, trunk, len(rows))
    found: list[list[int]] = [[]] * len(rows)
    for batch in length_sorted_batches([len(row) + max_new_tokens for row in rows], batch_tokens):
        shift = None if inject is None else Injection(inject.layer, inject.delta[batch])
        with injected(trunk, shift):
            answers = continue_batch(model, [rows[i] for i in batch], max_new_tokens, pad_id(tokenizer))
        for i, answer in zip(batch, answers, strict=True):
            found[i] = answer
    return found


def drop_sampling_defaults(model: Any) -> None:
    """Keep only the special tokens of a model's generation settings: a repetition penalty is not greedy."""
    from transformers import GenerationConfig

    settings: Any = GenerationConfig
    kept = getattr(model, "generation_config", None)
    if kept is not None:
        model.generation_config = settings(
            bos_token_id=kept.bos_token_id, eos_token_id=kept.eos_token_id, pad_token_id=kept.pad_token_id
        )


@contextmanager
def injected(trunk: Trunk, injection: Injection | None) -> Iterator[None]:
    """While the context lasts, every forward pass adds `delta` [B, d_model] to the layer's output [B, T, d_model].

    The hook is removed on any exit. A delta of zero changes no bit of the states' values.
    """
    if injection is None:
        yield
        return

    def shift(module: nn.Module, args: object, output: Any) -> Any:
        states = output[0] if isinstance(output, tuple) else output
        moved = states + injection.delta.to(states).unsqueeze(1)
        return (moved, *output[1:]) if isinstance(output, tuple) else moved

    handle = _place(trunk, injection.layer).register_forward_hook(shift)
    try:
        yield
    finally:
        handle.remove()


def _place(trunk: Trunk, layer: int) -> nn.Module:
    """The module whose output is the state of a layer: its last block, or the final norm at the end."""
    if trunk.blocks is None or not 1 <= layer <= trunk.n_layers:
        raise CalmError(
            "L28",
            f"states can be shifted at layers 1 to {trunk.n_layers} of a decoder.",
            field="inject",
            value=f"layer {layer}",
            fix="choose one.",
        )
    if layer == trunk.n_layers and trunk.norm is not None:
        return trunk.norm
    return trunk.blocks[layer - 1]


def _check_injection(inject: Injection, trunk: Trunk, n: int) -> None:
    _place(trunk, inject.layer)
    width = int(trunk.module.config.get_text_config().hidden_size)
    if tuple(inject.delta.shape) != (n, width):
        raise CalmError(
            "L29",
            f"an injection needs one row for each prompt, ({n}, {width}).",
            field="inject",
            value=f"{tuple(inject.delta.shape)}",
            fix="give a delta of that shape.",
        )


def continue_batch(
    model: Any, rows: Sequence[Sequence[int]], max_new_tokens: int, fill: int, choose: Choose | None = None
) -> list[list[int]]:
    """New token ids of each row of a batch, up to its end token.

    Args:
        model: a causal model with its head.
        rows: prompts as token ids; padded on the left, so the new tokens of all begin at the longest row's length.
        max_new_tokens: bound on the new tokens of a row.
        fill: id of padding.
        choose: from the ids so far [B, T] and the scores [B, V] to the scores whose greatest is chosen.
    """
    ids, mask = pad_tokens(rows, fill, left=True)
    with torch.no_grad(), quiet_libraries():
        output = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.long().to(model.device),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=fill,
            logits_processor=[] if choose is None else [choose],
        )
    ends = end_tokens(model)
    return [_until_end(row, ends) for row in output[:, ids.shape[1] :].tolist()]


def end_tokens(model: Any) -> set[int]:
    """The tokens that end a model's answer."""
    ends = model.generation_config.eos_token_id
    return set(ends if isinstance(ends, list) else [] if ends is None else [ends])


def _until_end(tokens: list[int], ends: set[int]) -> list[int]:
    """A row's own tokens up to its end token; what follows pads it to its neighbours' length."""
    end = next((place for place, token in enumerate(tokens) if token in ends), None)
    return tokens if end is None else tokens[: end + 1]
