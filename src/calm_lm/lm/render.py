"""A user's turn as the one string that a model reads before it answers."""

from __future__ import annotations

from typing import Any, NamedTuple

from calm_lm.lm.tokens import check_texts


class Rendered(NamedTuple):
    """A prompt, and what stands between it and an answer that is appended (a space, or nothing after a template)."""

    prompt: str
    glue: str


def render_turn(tokenizer: Any, user: str) -> Rendered:
    """The turn in the model's chat template with the answer's turn opened; followed by `Answer:` where it has none.

    The start token that a template writes out is left off where the tokenizer adds one itself.

    Raises:
        CalmError: L14 for invalid Unicode.
    """
    check_texts([user])
    if not tokenizer.chat_template:
        return Rendered(f"{user}\nAnswer:", " ")
    prompt: str = tokenizer.apply_chat_template(
        [{"role": "user", "content": user}], add_generation_prompt=True, tokenize=False
    )
    start = tokenizer.bos_token
    adds = bool(start) and tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]
    return Rendered(prompt.removeprefix(start) if adds else prompt, "")
