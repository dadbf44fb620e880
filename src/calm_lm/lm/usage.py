"""What a model has read and written, in tokens, and of how many answers a server did not say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from calm_lm.lm.chat import ChatReply


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens so far; two of them are added and subtracted.

    A model in this process is billed like an endpoint: the whole prompt of every question, also where a beginning that
    several share is computed once, and no padding.

    Attributes:
        read: of prompts, of options that were scored, and of texts.
        written: of answers.
        unstated: replies of a server that did not state both, failed ones too; what it stated of them is counted.
    """

    read: int = 0
    written: int = 0
    unstated: int = 0

    @classmethod
    def of(cls, reply: ChatReply) -> Self:
        """Of one reply."""
        read, written = reply.prompt_tokens, reply.completion_tokens
        return cls(read or 0, written or 0, int(read is None or written is None))

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.read + other.read, self.written + other.written, self.unstated + other.unstated)

    def __sub__(self, other: Usage) -> Usage:
        return Usage(self.read - other.read, self.written - other.written, self.unstated - other.unstated)

    def told(self) -> dict[str, int | None]:
        """As a report tells it: null, and not 0, where no reply stated a number."""
        return {
            "read": None if self.unstated and not self.read else self.read,
            "written": None if self.unstated and not self.written else self.written,
            "replies_not_stated": self.unstated,
        }
