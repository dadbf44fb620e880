"""A subject whose answers are planted: what the scorers are fed in tests. It implements the whole protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer, Likelihood, Open, OpenAnswer
from calm_lm.lm.protocol import ModelIdentity
from calm_lm.lm.usage import Usage


class Scripted:
    """Answers by functions, and remembers what it was asked.

    Args:
        choose: from a presentation to its answer.
        write: from an open question to its texts.
        likelihood: from a text to its log-probability.
    """

    title = "scripted"
    exact = True

    def __init__(
        self,
        choose: Callable[[Choice], ChoiceAnswer] | None = None,
        write: Callable[[Open], Sequence[str]] | None = None,
        likelihood: Callable[[str], float] | None = None,
        *,
        languages: tuple[str, ...] = ("en",),
        name: str = "scripted",
    ) -> None:
        self._choose, self._write, self._likelihood = choose, write, likelihood
        self.identity = ModelIdentity(name, None, f"fingerprint of {name}", languages, "Apache-2.0")
        self.settings: dict[str, Any] = {}
        self.asked: list[Any] = []
        self.usage = Usage()

    def choose(self, questions: Sequence[Choice]) -> list[ChoiceAnswer]:
        assert self._choose is not None
        self.asked += questions
        return [self._choose(question) for question in questions]

    def write(self, questions: Sequence[Open]) -> list[OpenAnswer]:
        assert self._write is not None
        self.asked += questions
        return [OpenAnswer(tuple(self._write(question))) for question in questions]

    def likelihood(self, texts: Sequence[str]) -> list[Likelihood]:
        assert self._likelihood is not None
        self.asked += texts
        return [Likelihood(self._likelihood(text), len(text.split()), len(text.encode())) for text in texts]


def uniform(question: Choice) -> ChoiceAnswer:
    """Every option alike."""
    return ChoiceAnswer((1 / len(question.texts),) * len(question.texts), mass=1.0)


def silent(*_: object) -> None:
    """Progress that nobody watches."""
