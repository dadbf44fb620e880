"""One question of a survey with its answers, kept apart from the codes that are no answer.

"Don't know", "refused" and the negative codes of the big surveys are `missing`: they are counted, and they are never
an option that a model could choose, because people who gave them have no place on the scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from calm_lm.errors import CalmError, UnavailableError
from calm_lm.stats.arrays import Floats

Scale = Literal["ordinal", "nominal"]


@dataclass(frozen=True, slots=True)
class Option:
    """An answer as it is coded and as it is read out; where only the ends are labelled, the text is the code."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Translation:
    """An item in another language: the question and the texts of its options, in the order of the item's."""

    text: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SurveyItem:
    """A question with its valid answers.

    Attributes:
        id: unique in its instrument.
        text: the question without its options.
        options: the valid answers, in the order of the scale (as asked, for nominal items).
        scale: `ordinal` where the order of options means more or less of something.
        missing: codes that are no answer (don't know, refused, not asked), with their texts.
        reversed: the first option is the high end of what the item measures.
        topic: the part of the instrument, empty where it names none.
        source: the wave or file it comes from.
        translations: by BCP 47 language, as published; empty where there are none.

    Raises:
        CalmError: V01 fewer than two options, V02 a code that stands twice, V03 an empty question or option,
            V04 a translation with another number of options, V25 two options of one text.
    """

    id: str
    text: str
    options: tuple[Option, ...]
    scale: Scale = "ordinal"
    missing: tuple[Option, ...] = ()
    reversed: bool = False
    topic: str = ""
    source: str = ""
    translations: Mapping[str, Translation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.options) < 2:
            raise CalmError(
                "V01",
                "an item needs at least two options.",
                field=self.id,
                value=[option.text for option in self.options],
                fix="give the valid answers; missing codes do not count.",
            )
        codes = [option.code for option in (*self.options, *self.missing)]
        for code in codes:
            if codes.count(code) > 1:
                raise CalmError(
                    "V02",
                    "an option's code stands twice.",
                    field=self.id,
                    value=code,
                    fix="give every answer, also the missing ones, a code of its own.",
                )
        for text in (self.text, *(option.text for option in self.options)):
            if not text.strip():
                raise CalmError(
                    "V03", "a question or an option is empty.", field=self.id, value=text, fix="give its text."
                )
        texts = [" ".join(option.text.split()).casefold() for option in self.options]
        for option, text in zip(self.options, texts, strict=True):
            if texts.count(text) > 1:
                raise CalmError(
                    "V25",
                    "two options have one text, so that no answer could tell them apart.",
                    field=self.id,
                    value=option.text,
                    fix="merge them, or say what is different.",
                )
        for language, translation in self.translations.items():
            translated = (translation.text, *translation.options)
            if len(translation.options) != len(self.options) or not all(text.strip() for text in translated):
                raise CalmError(
                    "V04",
                    f"a translation needs the question and all {len(self.options)} options.",
                    field=f"{self.id}, {language}",
                    value=len(translation.options),
                    fix="translate every option, in the order of the item's.",
                )

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the valid answers, in order."""
        return tuple(option.code for option in self.options)

    @property
    def positions(self) -> Floats:
        """Where each option lies from 0 (least of what is measured) to 1, equally spaced [K]; no meaning if nominal."""
        line = np.linspace(0.0, 1.0, len(self.options))
        return line[::-1].copy() if self.reversed else line

    def speaks(self, language: str) -> bool:
        """Whether the item can be asked in a language."""
        return language == "en" or language in self.translations

    def in_language(self, language: str) -> Translation:
        """The item as asked in a language; English where the item itself is English.

        Raises:
            UnavailableError: V05 where no translation was published.
        """
        if language == "en":
            return Translation(self.text, tuple(option.text for option in self.options))
        if language not in self.translations:
            raise UnavailableError(
                "V05",
                "the item has no translation into this language.",
                field=self.id,
                value=language,
                fix=f"ask in {', '.join(['en', *sorted(self.translations)])}, or add a translation.",
            )
        return self.translations[language]
