"""How probable a causal model finds whole texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from calm_lm.errors import CalmError
from calm_lm.lm.batching import length_sorted_batches, pad_tokens
from calm_lm.lm.tokens import pad_id, tokenize_prompts
from calm_lm.lm.usage import Usage

if TYPE_CHECKING:
    from calm_lm.lm.hf import HuggingFaceLM


class TextScore(NamedTuple):
    """Sum of log-probabilities in nats, and over how many tokens."""

    log_prob: float
    tokens: int


def score_texts(lm: HuggingFaceLM, texts: Sequence[str], *, batch_tokens: int = 2048) -> list[TextScore]:
    """Log-probability of every token of a text given those before it.

    A model whose tokenizer puts a start token before a text scores all tokens; another scores all but the first,
    because nothing stands before it.

    Raises:
        CalmError: L14 for invalid Unicode, L38 for a text of fewer than two tokens or above the window.
    """
    rows = tokenize_prompts(lm.tokenizer, texts)
    for place, row in enumerate(rows, start=1):
        if not 2 <= len(row) <= lm.window:
            raise CalmError(
                "L38", f"a text to score has 2 to {lm.window} tokens; this one has {len(row)}.", row=place,
                fix="split it, or leave it out.",
            )  # fmt: skip
    found: list[TextScore] = [TextScore(0.0, 0)] * len(rows)
    for batch in length_sorted_batches([len(row) for row in rows], batch_tokens):
        ids, mask = (part.to(lm.device) for part in pad_tokens([rows[i] for i in batch], pad_id(lm.tokenizer)))
        with torch.no_grad():
            logits = lm.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        for place, i in enumerate(batch):
            n = len(rows[i])
            log_p = logits[place, : n - 1].float().log_softmax(-1).gather(-1, ids[place, 1:n, None])
            found[i] = TextScore(float(log_p.double().sum()), n - 1)
            lm.usage += Usage(read=n)
    return found
