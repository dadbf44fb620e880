"""What is put to a model, and what came back, as data that can be stored and scored without the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.parse import reply_words

Style = Literal["letters", "numbers", "words"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads.

    Attributes:
        user: the question.
        setting: what is said before it about who answers and where. It stands in the user's turn, before the question:
            a system turn would replace the default one of many templates, and conditions would differ in that too.
    """

    user: str
    setting: str = ""

    @property
    def text(self) -> str:
        """The user's turn as a whole."""
        return f"{self.setting}\n\n{self.user}" if self.setting else self.user

    def parts(self) -> dict[str, str]:
        """As it enters a cache key."""
        return {"prompt": self.text}


@dataclass(frozen=True, slots=True)
class Choice:
    """One presentation of a question with its options.

    Attributes:
        id: of the question it presents; several presentations share it and are averaged.
        prompt: what is read, options listed.
        texts: the options' texts in the question's own order.
        labels: what stands before each option in the prompt, in the question's own order; empty strings where the
            options are to be answered in words.
        order: the options as listed: indices into the question's own order.
        reasoning: let the model write its reasons first.
        language: of the prompt's own sentences.
        text_language: of the question in the prompt where that is another one; who answers must read it.
    """

    id: str
    prompt: Prompt
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    order: tuple[int, ...]
    reasoning: bool = False
    language: str = "en"
    text_language: str | None = None

    @property
    def asked_in(self) -> str:
        """The language that decides who answers, and in which a reply is read beside English."""
        return self.text_language or self.language

    @property
    def answers(self) -> tuple[str, ...]:
        """What the model is to say for each option, in the question's own order."""
        return tuple(label or text for label, text in zip(self.labels, self.texts, strict=True))

    def parts(self) -> dict[str, Any]:
        """As it enters a cache key."""
        words = reply_words(self.asked_in)
        read = {} if words is None else {"replies": words.mark}
        return {**self.prompt.parts(), "answers": list(self.answers), "reasoning": self.reasoning, **read}


@dataclass(frozen=True, slots=True)
class ChoiceAnswer:
    """What one presentation, or the mean of several, came to.

    Attributes:
        shares: over the options in the question's own order, summing to one; empty where no valid answer was given.
        refused: share that declined to answer: of samples, or of the probability that either answers or declines.
        unparsed: share of samples that were neither an option nor a refusal.
        failed: share of samples that the endpoint did not deliver.
        mass: probability that the model's next words are one of the options; None where it was sampled.
        samples: how many were drawn; 0 where probabilities were read exactly.
        top: of the declined part, the share that the likeliest option has when the model is held to the options
            ("logit leakage"); None where nothing was declined or probabilities cannot be read.
    """

    shares: tuple[float, ...]
    refused: float = 0.0
    unparsed: float = 0.0
    failed: float = 0.0
    mass: float | None = None
    samples: int = 0
    top: float | None = None

    @property
    def no_answer(self) -> float:
        """Share without a valid answer, whatever the reason."""
        return min(1.0, self.refused + self.unparsed + self.failed)

    def value(self) -> dict[str, Any]:
        """As it is stored."""
        return {name: getattr(self, name) for name in self.__slots__} | {"shares": list(self.shares)}

    @classmethod
    def of(cls, value: dict[str, Any]) -> ChoiceAnswer:
        """From what was stored."""
        return cls(**{**value, "shares": tuple(value["shares"])})


@dataclass(frozen=True, slots=True)
class Open:
    """A question that is answered in the model's own words.

    Attributes:
        id: its own.
        prompt: what is read.
        samples: how many texts are drawn; the first is greedy where only one is.
        max_tokens: bound on a text.
        temperature: of the draws; 0 is greedy.
        language: of the question.
    """

    id: str
    prompt: Prompt
    samples: int = 1
    max_tokens: int = 64
    temperature: float = 0.0
    language: str = "en"

    def __post_init__(self) -> None:
        if self.samples > 1 and self.temperature == 0:
            raise CalmError(
                "E33", "several greedy samples are all the same.", field="temperature", value=self.temperature,
                fix="give a temperature above 0, or one sample.",
            )  # fmt: skip

    @property
    def asked_in(self) -> str:
        """The language that decides who answers."""
        return self.language

    def parts(self) -> dict[str, Any]:
        """As it enters a cache key."""
        return {**self.prompt.parts(), "samples": self.samples, "max_tokens": self.max_tokens,
                "temperature": self.temperature}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """The texts drawn; a sample that was refused or not delivered is counted and has no text."""

    texts: tuple[str, ...]
    refused: int = 0
    failed: int = 0

    def value(self) -> dict[str, Any]:
        """As it is stored."""
        return {"texts": list(self.texts), "refused": self.refused, "failed": self.failed}

    @classmethod
    def of(cls, value: dict[str, Any]) -> OpenAnswer:
        """From what was stored."""
        return cls(tuple(value["texts"]), value["refused"], value["failed"])


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How probable a model finds a whole text."""

    log_prob: float
    tokens: int
    bytes: int

    def value(self) -> dict[str, Any]:
        """As it is stored."""
        return {"log_prob": self.log_prob, "tokens": self.tokens, "bytes": self.bytes}

    @classmethod
    def of(cls, value: dict[str, Any]) -> Likelihood:
        """From what was stored."""
        return cls(**value)
