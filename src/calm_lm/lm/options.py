"""Which of several continuations a causal model finds likelier, by exact log-probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from calm_lm.errors import CalmError
from calm_lm.lm.plain_scores import Path, plain_sums
from calm_lm.lm.protocol import OptionScores
from calm_lm.lm.shared_prefix import shared_sums
from calm_lm.lm.token_tree import common_length
from calm_lm.lm.tokens import pad_id, tokenize_prompts


def score_options(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    *,
    window: int,
    reach: int,
    batch_tokens: int,
) -> list[OptionScores]:
    """Summed log-probability of each option's tokens after its prompt.

    Prompt and option are tokenised as one text, as the model would have read them, because a tokenizer may
    merge across their border. The option's tokens are those of the joint text after the longest prefix of
    tokens that it shares with the prompt alone; where the border was merged, that includes the prompt's
    last characters, so write the space before a word into the option (" yes"), not after the prompt.

    What prompts and options share is read once within a call, so give prompts with a common beginning together.

    Args:
        model: a causal model with its head.
        tokenizer: its tokenizer.
        prompts: N prompts.
        options: for each prompt, its options; as many as it likes.
        window: most tokens the model can read.
        reach: up to how many tokens of a text shared tokens may be read once (`shared_reach`); longer texts are
            scored one row for each option.
        batch_tokens: bound on a batch's padded tokens.

    Returns:
        N results on the CPU.

    Raises:
        CalmError: L14 for invalid Unicode, L25 for a prompt or an option without tokens, L26 for a text above
            the window; nothing is cut silently.
        ValueError: not one list of options for each prompt.
    """
    asked = [
        (row, prompt, option)
        for row, (prompt, choices) in enumerate(zip(prompts, options, strict=True), start=1)
        for option in choices
    ]
    texts = list(dict.fromkeys(text for _, prompt, option in asked for text in (prompt, prompt + option)))
    coded = dict(zip(texts, tokenize_prompts(tokenizer, texts), strict=True)) if texts else {}
    paths = [_path(coded, row, prompt, option, window) for row, prompt, option in asked]
    different = list(dict.fromkeys(paths))
    fill = pad_id(tokenizer)
    short = [path for path in different if len(path.ids) <= reach]
    long = [path for path in different if len(path.ids) > reach]
    by_path = [
        *zip(short, shared_sums(model, short, reach=reach, fill=fill, batch_tokens=batch_tokens).tolist(), strict=True),
        *zip(long, plain_sums(model, long, fill=fill, batch_tokens=batch_tokens).tolist(), strict=True),
    ]
    found = dict(by_path)
    sizes = [len(choices) for choices in options]
    sums = torch.split(torch.tensor([found[path] for path in paths], dtype=torch.float32), sizes)
    counts = torch.split(torch.tensor([len(path.ids) - path.start for path in paths], dtype=torch.int64), sizes)
    before = [len(coded[prompt]) if choices else 0 for prompt, choices in zip(prompts, options, strict=True)]
    return [OptionScores(*each) for each in zip(sums, counts, before, strict=True)]


def _path(coded: Mapping[str, Sequence[int]], row: int, prompt: str, option: str, window: int) -> Path:
    alone, joint = coded[prompt], coded[prompt + option]
    start = common_length(alone, joint)
    if start == 0 or start == len(joint):
        raise CalmError(
            "L25",
            "a prompt or an option yields no token of its own.",
            row=row,
            field="option" if start else "prompt",
            value=option if start else prompt,
            fix="give text for both; a model without a start token cannot score from nothing.",
        )
    if len(joint) > window:
        raise CalmError(
            "L26",
            f"prompt and option are {len(joint)} tokens, the model reads {window}.",
            row=row,
            field="prompt",
            fix="shorten the prompt.",
        )
    return Path(tuple(joint), start)
