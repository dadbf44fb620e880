"""Texts as token ids with the characters they stand for, and as the model expects a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calm_lm.errors import CalmError
from calm_lm.lm.batching import pad_tokens


class TokenBatch(NamedTuple):
    """Right-padded token ids [B, T] int64, their mask [B, T] bool, and spans [B, T, 2] int64 (characters)."""

    ids: Tensor
    mask: Tensor
    spans: Tensor


def tokenize(tokenizer: Any, texts: Sequence[str], max_length: int) -> TokenBatch:
    """Token ids with the tokenizer's own special tokens, cut to `max_length`.

    Raises:
        CalmError: L14 for a text that is not valid Unicode, L15 for one that yields no token.
    """
    check_texts(texts)
    coded = tokenizer(
        list(texts),
        truncation=True,
        max_length=max_length,
        padding=False,
        return_attention_mask=False,
        return_offsets_mapping=True,
    )
    rows: list[list[int]] = coded["input_ids"]
    for i, row in enumerate(rows):
        if not row:
            raise CalmError("L15", "a text yields no token.", value=texts[i], fix="leave empty texts out.")
    ids, mask = pad_tokens(rows, pad_id(tokenizer))
    spans = torch.zeros((*ids.shape, 2), dtype=torch.long)
    for i, offsets in enumerate(coded["offset_mapping"]):
        spans[i, : len(offsets)] = torch.tensor(offsets, dtype=torch.long)
    spans[spans[..., 0] == spans[..., 1]] = 0  # a token without characters has no place in the text
    return TokenBatch(ids, mask, spans)


def tokenize_prompts(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """Token ids of texts that are to be continued: begun as the tokenizer begins a text, never ended or cut.

    Raises:
        CalmError: L14 for a prompt that is not valid Unicode.
    """
    check_texts(prompts)
    begin = _begin(tokenizer)
    coded = tokenizer(
        list(prompts), add_special_tokens=False, truncation=False, padding=False, return_attention_mask=False
    )
    return [begin + row for row in coded["input_ids"]]


def apply_chat(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """Token ids of each prompt as a user's turn in the model's chat template, the answer's turn opened.

    Raises:
        CalmError: L14 for a prompt that is not valid Unicode, L16 where the model has no chat template.
    """
    check_texts(prompts)
    if not tokenizer.chat_template:
        raise CalmError(
            "L16", "the model has no chat template.", field="chat", fix="use an instruction-tuned model, or no chat."
        )
    turns = [[{"role": "user", "content": prompt}] for prompt in prompts]
    coded = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=True)
    return [list(row) for row in coded["input_ids"]]


def pad_id(tokenizer: Any) -> int:
    """The id that fills padding; masked everywhere, so any valid id will do where the tokenizer names none."""
    return int(tokenizer.pad_token_id or 0)


def read_window(model: Any, tokenizer: Any) -> int:
    """Most tokens that model and tokenizer both say they can read."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(min(tokenizer.model_max_length, positions or tokenizer.model_max_length))


def check_texts(texts: Sequence[str]) -> None:
    """Refuse texts that no tokenizer can read (lone surrogates).

    Raises:
        CalmError: L14.
    """
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise CalmError(
                "L14",
                f"a text is not valid Unicode (character {error.start}).",
                value=text,
                fix="remove the lone surrogate from the text.",
            ) from error


def _begin(tokenizer: Any) -> list[int]:
    """The special tokens that the tokenizer puts before a text: those of an empty text up to a closing one."""
    specials: list[int] = tokenizer("")["input_ids"]
    closing = {tokenizer.eos_token_id, tokenizer.sep_token_id} - {tokenizer.bos_token_id, None}
    return [token for token in specials if token not in closing]
