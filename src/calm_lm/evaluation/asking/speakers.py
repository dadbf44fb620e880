"""Which model answers in which language: the one under test, and those that were named for languages it cannot read.

A route holds for every variety of a language (`pt` also for `pt-BR`). What another model than the one under test
answers says nothing about the one under test, so a report marks it wherever it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from calm_lm.errors import CalmError, UnavailableError

if TYPE_CHECKING:  # it loads torch, which naming a route does not need
    from calm_lm.evaluation.asking.subject import Subject

OPTION = "--language-model"


def parse_routes(texts: Sequence[str]) -> dict[str, str]:
    """Models as a user writes them, by language.

    Args:
        texts: each `LANGUAGES=MODEL`, languages comma-separated: `ar,fr=openai:MODEL@URL`.

    Raises:
        CalmError: E70 for what is no route, E71 for what is no language, E72 for a language that is routed twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        before, mark, model = text.partition("=")
        languages = [each.strip() for each in before.split(",") if each.strip()]
        if not mark or not languages or not model.strip():
            raise CalmError(
                "E70", "is no route from languages to a model.", field=OPTION, value=text,
                fix="write LANGUAGES=MODEL, as in ar,fr=openai:MODEL@URL.",
            )  # fmt: skip
        for language in languages:
            _check_language(language)
            if language in found:
                raise CalmError(
                    "E72", "the language is routed twice.", field=OPTION, value=language,
                    fix="name one model for each language.",
                )  # fmt: skip
            found[language] = model.strip()
    return found


def _check_language(language: str) -> None:
    from calm_lm.culture.ids import kind, languages, suggest_ids

    if language not in languages():
        near = [each for each in suggest_ids(language) if kind(each) == "language"]
        hint = f"did you mean {' or '.join(near)}? Otherwise " if near else ""
        raise CalmError(
            "E71", "is no language that can be routed.", field=OPTION, value=language,
            fix=f"{hint}write the BCP 47 code of a whole language, as in ar or pt; its varieties go with it.",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who is asked in each language.

    Attributes:
        main: the model under test, asked in every language that is not routed.
        routed: other models by primary language subtag.
    """

    main: Subject
    routed: Mapping[str, Subject] = field(default_factory=dict)

    def of(self, language: str) -> Subject:
        """Who answers in a language."""
        return self.routed.get(primary(language), self.main)

    def other(self, language: str) -> Subject | None:
        """Who answers in a language, where that is not the model under test; None where it is."""
        speaker = self.of(language)
        return None if speaker.identity.fingerprint == self.main.identity.fingerprint else speaker

    def unread(self, languages: Sequence[str]) -> dict[str, Subject]:
        """The languages that who would answer does not claim to read, and who that is; no claim at all claims any."""
        found = {}
        for language in dict.fromkeys(languages):
            speaker = self.of(language)
            claimed = {primary(each) for each in speaker.identity.languages}
            if claimed and primary(language) not in claimed:
                found[language] = speaker
        return found

    def check(self, languages: Sequence[str], *, allow: bool) -> list[str]:
        """Languages that are asked in although who answers does not claim to read them.

        Raises:
            UnavailableError: E35 unless that was allowed.
        """
        beyond = self.unread(languages)
        if beyond and not allow:
            speaker = next(iter(beyond.values()))
            claimed = ", ".join(sorted({primary(each) for each in speaker.identity.languages}))
            raise UnavailableError(
                "E35", f"{speaker.title} reads {claimed}; what it answers in another language means little.",
                field="language", value=", ".join(each for each, who in beyond.items() if who is speaker),
                fix=f"name a model that reads it with {OPTION} LANGUAGES=MODEL, or add --allow-unsupported-language: "
                "the report marks it.",
            )  # fmt: skip
        return list(beyond)


def primary(language: str) -> str:
    """The language without script and region, in small letters: `pt` of `pt-BR`."""
    return language.split("-")[0].lower()
