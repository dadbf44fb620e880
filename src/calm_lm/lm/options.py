"""Which of several continuations a causal model finds likelier, by exact log-probability."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calm_lm.errors import CalmError
from calm_lm.lm.batching import length_sorted_batches, pad_tokens
from calm_lm.lm.tokens import pad_id, tokenize_prompts


class _Row(NamedTuple):
    """One prompt with one option: its token ids, of which those from `start` on are scored."""

    ids: list[int]
    start: int


def score_options(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    *,
    window: int,
    batch_tokens: int,
) -> list[Tensor]:
    """Summed log-probability of each option's tokens after its prompt.

    Prompt and option are tokenised as one text, as the model would have read them, because a tokenizer may
    merge across their border. The option's tokens are those of the joint text after the longest prefix of
    tokens that it shares with the prompt alone; where the border was merged, that includes the prompt's
    last characters, so write the space before a word into the option (" yes"), not after the prompt.

    Args:
        model: a causal model with its head.
        tokenizer: its tokenizer.
        prompts: N prompts.
        options: for each prompt, its options; as many as it likes.
        window: most tokens the model can read.
        batch_tokens: bound on a batch's padded tokens.

    Returns:
        N tensors float32 [n_options] on the CPU, in nats, not normalised by length.

    Raises:
        CalmError: L14 for invalid Unicode, L25 for a prompt or an option without tokens, L26 for a text above
            the window; nothing is cut silently.
        ValueError: not one list of options for each prompt.
    """
    rows = [
        _join(tokenizer, prompt, option, window)
        for prompt, choices in zip(prompts, options, strict=True)
        for option in choices
    ]
    scores = torch.zeros(len(rows))
    for batch in length_sorted_batches([len(row.ids) for row in rows], batch_tokens):
        with torch.no_grad():
            scores[batch] = _score_batch(model, [rows[i] for i in batch], pad_id(tokenizer))
    return list(torch.split(scores, [len(choices) for choices in options]))


def _join(tokenizer: Any, prompt: str, option: str, window: int) -> _Row:
    alone, joint = tokenize_prompts(tokenizer, [prompt, prompt + option])
    start = next((i for i, (a, b) in enumerate(zip(alone, joint, strict=False)) if a != b), min(len(alone), len(joint)))
    if start == 0 or start == len(joint):
        raise CalmError(
            "L25",
            "a prompt or an option yields no token of its own.",
            field="option" if start else "prompt",
            value=option if start else prompt,
            fix="give text for both; a model without a start token cannot score from nothing.",
        )
    if len(joint) > window:
        raise CalmError(
            "L26",
            f"prompt and option are {len(joint)} tokens, the model reads {window}.",
            field="prompt",
            value=prompt,
            fix="shorten the prompt.",
        )
    return _Row(joint, start)


def _score_batch(model: Any, rows: Sequence[_Row], fill: int) -> Tensor:
    """[B] sums of log-probabilities, logits computed only from the first scored position on."""
    ids, mask = (part.to(model.device) for part in pad_tokens([row.ids for row in rows], fill))
    first = min(row.start for row in rows) - 1  # the logits at position i predict token i + 1
    kept = torch.arange(first, ids.shape[1] - 1, device=ids.device)
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=kept).logits
    else:
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, kept]
    sums = []
    for i, row in enumerate(rows):
        scored = slice(row.start - 1 - first, len(row.ids) - 1 - first)
        log_p = logits[i, scored].float().log_softmax(-1)
        sums.append(log_p.gather(-1, ids[i, row.start : len(row.ids), None]).sum())
    return torch.stack(sums).cpu()
