"""The conditions under which every question is asked, and their cross product.

A framing says who is meant to answer: `neutral` (nobody is named), `persona` (the model is to answer as a person
from the place), `observer` (it is to say how people there would answer). Culture prompting says what it is told of the
place: `none`, `country` (its name), `profile` (all that is known of the respondents), `norms` (norm records in the
context). Framings after MENAValues (arXiv 2510.13154); the four levels of culture prompting are our choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from calm_lm.errors import CalmError

Framing = Literal["neutral", "persona", "observer"]
Culture = Literal["none", "country", "profile", "norms"]
FRAMINGS: tuple[Framing, ...] = get_args(Framing)
CULTURES: tuple[Culture, ...] = get_args(Culture)
LONGEST = 40


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """One way of asking.

    Attributes:
        framing: who is meant to answer.
        culture: what is said of the place.
        language: BCP 47, of the question.
        reasoning: let the model write its reasons before it answers.

    Raises:
        CalmError: E30 for a persona or an observer without a culture.
    """

    framing: Framing = "neutral"
    culture: Culture = "none"
    language: str = "en"
    reasoning: bool = False

    def __post_init__(self) -> None:
        if self.framing != "neutral" and self.culture == "none":
            raise CalmError(
                "E30", "a persona or an observer needs a place to be from.", field="condition", value=self.framing,
                fix=f"write {self.framing}+country, {self.framing}+profile or {self.framing}+norms.",
            )  # fmt: skip

    @property
    def name(self) -> str:
        """As written on the command line: `neutral`, `persona+country`, `neutral@ar`, `neutral!reasoning`."""
        culture = "" if self.culture == "none" else f"+{self.culture}"
        language = "" if self.language == "en" else f"@{self.language}"
        return f"{self.framing}{culture}{language}{'!reasoning' * self.reasoning}"

    @property
    def title(self) -> str:
        """As a reader says it."""
        named = {("neutral", "none"): "neutral", ("neutral", "country"): "country prompt"}
        told = {"country": "", "profile": ", full profile", "norms": ", norms in context", "none": ""}[self.culture]
        who = named.get((self.framing, self.culture), f"{self.framing}{told}")
        extra = [self.language] * (self.language != "en") + ["with reasoning"] * self.reasoning
        return ", ".join([who, *extra])

    @property
    def names_culture(self) -> bool:
        """Whether the prompt differs from place to place."""
        return self.culture != "none"


NEUTRAL = Condition()
COUNTRY_PROMPT = Condition(culture="country")
PERSONA = Condition("persona", "country")
OBSERVER = Condition("observer", "country")


def parse_condition(text: str) -> Condition:
    """A condition by its name.

    Raises:
        CalmError: E30 as in `Condition`, E31 for a name that is none.
    """
    rest, mark, ending = text.strip().partition("!")
    rest, at, language = rest.partition("@")
    framing, plus, culture = rest.partition("+")
    culture = culture if plus else "none"
    whole = (not mark or ending == "reasoning") and (not at or language)
    known = framing in FRAMINGS and culture in CULTURES and whole
    if not known or len(text) > LONGEST:
        raise CalmError(
            "E31", "is no condition.", field="--conditions", value=text,
            fix=f"write a framing ({', '.join(FRAMINGS)}), then +country, +profile or +norms, then @LANGUAGE, "
            "then !reasoning; for example persona+country@ar.",
        )  # fmt: skip
    if language:
        from calm_lm.culture.ids import check_id, kind

        if kind(check_id(language, field="--conditions")) != "language":
            raise CalmError(
                "E32",
                "is no language.",
                field="--conditions",
                value=language,
                fix="write a BCP 47 language, as in @ar.",
            )
    return Condition(framing, culture, language or "en", bool(mark))  # type: ignore[arg-type]


def cross(
    framings: Sequence[Framing] = FRAMINGS,
    cultures: Sequence[Culture] = ("none", "country"),
    languages: Sequence[str] = ("en",),
    reasoning: Sequence[bool] = (False,),
) -> tuple[Condition, ...]:
    """Every combination that makes sense; a persona or an observer of nowhere does not."""
    return tuple(
        Condition(framing, culture, language, thinks)
        for thinks in reasoning
        for language in languages
        for culture in cultures
        for framing in framings
        if framing == "neutral" or culture != "none"
    )


def parse_conditions(texts: Iterable[str]) -> tuple[Condition, ...]:
    """Conditions by name, each once, in the order given."""
    return tuple(dict.fromkeys(parse_condition(text) for text in texts))
