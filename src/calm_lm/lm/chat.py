"""What may be asked of a chat model, and the typed replies: the same for an endpoint and for a local model.

A request that got no answer is a reply too (`finish="failed"`), so that it is counted and never mistaken for text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from calm_lm.errors import CalmError

if TYPE_CHECKING:  # it loads torch, which an endpoint does not need
    from calm_lm.lm.protocol import ModelIdentity
    from calm_lm.lm.usage import Usage

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", "filter", "failed"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Raises:
        CalmError: L40 for another role, L41 for a content that is not valid Unicode.
    """

    role: Role
    content: str

    def __post_init__(self) -> None:
        _require(self.role in get_args(Role), "role", self.role, "system, user or assistant")
        try:
            self.content.encode("utf-8")
        except UnicodeEncodeError as error:
            raise CalmError(
                "L41",
                f"a message is not valid Unicode (character {error.start}).",
                field="content",
                fix="remove the lone surrogate from the text.",
            ) from error


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation to be continued by the model's turn.

    Attributes:
        messages: the turns so far, at least one.
        max_tokens: bound on the new tokens, from 1.
        temperature: from 0; 0 is the likeliest token at every step.
        top_p: share of the probability that may be drawn from, in (0, 1].
        seed: of the draws, from 0; another seed is another answer to the same question.

    Raises:
        CalmError: L40 for a value out of its range.
    """

    messages: tuple[Message, ...]
    max_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        _require(len(self.messages) > 0, "messages", len(self.messages), "at least one")
        _require(self.max_tokens >= 1, "max_tokens", self.max_tokens, "a whole number from 1")
        _require(0 <= self.temperature < math.inf, "temperature", self.temperature, "a number from 0")
        _require(0 < self.top_p <= 1, "top_p", self.top_p, "a number in (0, 1]")
        _require(self.seed >= 0, "seed", self.seed, "a whole number from 0")

    def as_json(self) -> dict[str, Any]:
        """The request under the names of the OpenAI protocol, the model not named; equal requests give equal JSON."""
        return {
            "messages": [{"role": message.role, "content": message.content} for message in self.messages],
            "max_tokens": int(self.max_tokens),
            "temperature": float(self.temperature),
            "top_p": float(self.top_p),
            "seed": int(self.seed),
        }


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What came of a request.

    Attributes:
        text: the model's turn; the refusal's text, or nothing, on `filter`; nothing on `failed`.
        finish: `stop` where the model ended its turn, `length` where `max_tokens` did, `filter` where a moderation
            filter or a refusal field stands in place of an answer, `failed` where no answer was to be had.
        prompt_tokens: of the request, None where the server does not say.
        completion_tokens: of the answer, None where the server does not say.
        seconds: from the first attempt to the reply.
        attempts: how often it was asked, from 1.
        error: why it failed; None for every other finish.
    """

    text: str
    finish: Finish
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    attempts: int
    error: str | None


OnReply = Callable[[int, ChatReply], None]
"""Told each reply with the index of its request, in the caller's thread, in the order of arrival."""


class ChatModel(Protocol):
    """Anything that answers conversations."""

    @property
    def identity(self) -> ModelIdentity:
        """Who answers."""
        ...

    @property
    def usage(self) -> Usage:
        """Tokens that its answers have come to; an answer that was kept costs none."""
        ...

    def chat(self, requests: Sequence[ChatRequest], *, on_reply: OnReply | None = None) -> list[ChatReply]:
        """Answer every request; replies come in the order of the requests."""
        ...


def user(text: str, system: str | None = None) -> tuple[Message, ...]:
    """The messages of one question, behind a system turn where one is given."""
    question = Message("user", text)
    return (question,) if system is None else (Message("system", system), question)


def _require(holds: bool, field: str, value: object, expected: str) -> None:
    if not holds:
        raise CalmError("L40", f"must be {expected}.", field=field, value=value, fix="correct the chat request.")
