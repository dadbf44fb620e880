"""What asking has come to: questions, time and tokens, task by task and model by model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from calm_lm.lm.usage import Usage


class Speaker(NamedTuple):
    """Who is billed."""

    title: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What answering took."""

    seconds: float = 0.0
    tokens: Usage = field(default_factory=Usage)

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, self.tokens + other.tokens)

    def value(self) -> dict[str, Any]:
        """As it is stored."""
        told = self.tokens
        return {"seconds": self.seconds, "read": told.read, "written": told.written, "unstated": told.unstated}

    @classmethod
    def of(cls, value: Any, answers: int) -> Spent:
        """From what was stored; nothing from what is no bill.

        Args:
            value: what lies in the cache.
            answers: how many it is for. A bill from before tokens were counted states those of none.
        """
        try:
            tokens = Usage(int(value.get("read", 0)), int(value.get("written", 0)), int(value.get("unstated", answers)))
            return cls(float(value["seconds"]), tokens)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return cls()


@dataclass(slots=True)
class Cost:
    """A bill that grows.

    Attributes:
        questions: different ones, over all calls.
        from_cache: how many of them were known already.
        undelivered: to how many of them an endpoint delivered nothing at all.
        seconds: that answering all of them took.
        tokens: that answering all of them took, by who answered.
    """

    questions: int = 0
    from_cache: int = 0
    undelivered: int = 0
    seconds: float = 0.0
    tokens: dict[Speaker, Usage] = field(default_factory=dict)

    def add(self, speaker: Speaker, spent: Spent) -> None:
        """Put what a model took on the bill."""
        self.seconds += spent.seconds
        self.tokens[speaker] = self.tokens.get(speaker, Usage()) + spent.tokens

    def copy(self) -> Cost:
        """As it stands now."""
        return replace(self, tokens=dict(self.tokens))

    def since(self, before: Cost) -> dict[str, Any]:
        """What has come on top, as the report tells it; models that spent nothing are left out."""
        more = {who: usage - before.tokens.get(who, Usage()) for who, usage in self.tokens.items()}
        return {
            "questions": self.questions - before.questions,
            "from_cache": self.from_cache - before.from_cache,
            "undelivered": self.undelivered - before.undelivered,
            "seconds": round(self.seconds - before.seconds, 3),
            "tokens": [who._asdict() | usage.told() for who, usage in more.items() if usage != Usage()],
        }
