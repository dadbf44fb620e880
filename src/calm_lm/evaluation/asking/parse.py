"""Which option a reply names, strictly; what declines to answer is told apart from what cannot be read.

A reply counts as an option only if it is the option's label or text, with at most a lead such as "The answer is",
brackets, a full stop, or the option's text after its label. The first number or letter somewhere in a sentence is not
an answer: reading it as one is how the field scored "10" as 1 and "I would say a..." as A. Leads and refusals of other
languages than English stand in `replies.json`; replies in those languages are read with the English words too, because
models fall back on them. This file needs nothing but that one, so that both can be written out for other harnesses.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

Reading = int | Literal["refused", "unparsed"]

_LEAD = re.compile(
    r"^(?:(?:my|the|their|her|his)\s+)?(?:final\s+|best\s+)?(?:answer|choice|option|response)\s*"
    r"(?:is|would be|:|-)?\s*:?\s*|^(?:i(?:'d| would)?\s+(?:choose|say|answer|pick|select))\s*:?\s*(?:option\s+)?",
    re.IGNORECASE,
)
_REFUSALS = re.compile(
    r"\b(?:i\s*(?:'m|am)\s+(?:sorry|unable|not able)|sorry\b.{0,40}\b(?:can|unable)|"
    r"i\s+(?:can(?:no|')t|cannot|won't|will not|do not|don't)\s+"
    r"(?:answer|assist|help|provide|give|choose|share|offer|express|have\s+(?:an?\s+|any\s+)?(?:personal\s+)?"
    r"(?:opinion|view|belief|preference|feeling|stance|experience))|"
    r"as\s+an?\s+(?:ai|artificial intelligence|language model|assistant)|i\s+am\s+an?\s+ai|i'm\s+an?\s+ai|"
    r"(?:prefer|rather)\s+not\s+(?:to\s+)?(?:say|answer)|decline\s+to\s+(?:answer|say)|"
    r"(?:not|isn't)\s+appropriate\s+(?:for me\s+)?to|no\s+(?:personal\s+)?opinion)",
    re.IGNORECASE,
)
REFUSAL_OPENINGS = ("I cannot", "I'm sorry", "As an AI", "I don't have", "Sorry,", "I am unable", "I'm not able")
"""How refusals begin in English; their probability beside the options' is the refused share where it can be read."""

EVENNESS = 1  # of `even`; another number asks again what was read with an older one
_DOTTED = str.maketrans({"İ": "i", "I": "i", "ı": "i"})
_PERSIAN = str.maketrans({"ی": "ي", "ک": "ك"})
_ALEFS = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ـ": ""})
_MARKS = str.maketrans(
    {"’": "'", "«": '"', "»": '"', "“": '"', "”": '"', "¿": "", "¡": "", "،": ",", "؛": ";", "؟": "?"}
)
_VOWEL_SIGNS = re.compile("[\u064b-\u0652\u0670]")


class ReplyWords(NamedTuple):
    """How replies open and decline in one language.

    Attributes:
        lead: one or more leads at the beginning of an even text.
        tail: what may end an even text in a language whose verb stands last; None for others.
        refusal: a refusal anywhere in an even text.
        openings: of refusals, as a model writes them.
        mark: of all of it; it enters the cache key of questions that are read with it.
    """

    lead: re.Pattern[str]
    tail: re.Pattern[str] | None
    refusal: re.Pattern[str]
    openings: tuple[str, ...]
    mark: str


def read_reply(reply: str, labels: Sequence[str], texts: Sequence[str], language: str = "en") -> Reading:
    """The option that a reply names.

    Args:
        reply: what the model wrote.
        labels: label of each option, empty strings where options have none.
        texts: text of each option.
        language: of the question; a reply may be in it, or in English.

    Returns:
        The option's index, `refused` or `unparsed`. A reply that names two options, or one label with another
        option's text, is unparsed.
    """
    words = reply_words(language)
    spoken = "en" if words is None else language
    whole, first = _plain(reply, spoken), _plain(reply.strip().split("\n", 1)[0], spoken)
    said = [_bare(_LEAD.sub("", each, count=1)) for each in (whole, first)]
    if words is not None:
        said += [_bare(words.lead.sub("", _bare(each))) for each in (whole, first)]
        said += [_bare(words.tail.sub("", each)) for each in said[2:] if words.tail]
    for each in dict.fromkeys(said):
        named = _named(each, labels, texts, spoken)
        if named is not None:
            return named
    declined = _REFUSALS.search(whole) or (words is not None and words.refusal.search(whole))
    return "refused" if declined else "unparsed"


@cache
def reply_words(language: str) -> ReplyWords | None:
    """The words of a language; None for English, which stands here, and for one that is not in `replies.json`."""
    known = _all_words().get(language.split("-")[0].lower())
    if not isinstance(known, dict):
        return None
    leads, tails, refusals = (
        "|".join(
            re.escape(each) for each in sorted({_even(text, language) for text in known.get(kind, ())}, key=len)[::-1]
        )
        for kind in ("leads", "tails", "refusals")
    )
    return ReplyWords(
        re.compile(rf"^(?:(?:{leads})(?!\w)[\s:\-–—]*)+"),
        re.compile(rf"[\s\"')\].]+(?:{tails})$") if tails else None,
        re.compile(rf"(?<!\w)(?:{refusals})"),
        tuple(known["openings"]),
        hashlib.sha256(json.dumps([EVENNESS, known], sort_keys=True).encode()).hexdigest(),
    )


def refusal_openings(language: str) -> tuple[str, ...]:
    """How refusals begin in a language and in English, in which models decline whatever they are asked in."""
    words = reply_words(language)
    return REFUSAL_OPENINGS if words is None else REFUSAL_OPENINGS + words.openings


def _named(said: str, labels: Sequence[str], texts: Sequence[str], spoken: str) -> int | None:
    if not said:
        return None
    plain = [_bare(_plain(text, spoken)) for text in texts]
    marks = [_bare(_plain(label, spoken)) for label in labels]
    found = {
        i for i, (mark, text) in enumerate(zip(marks, plain, strict=True)) if said in (mark, mark.lstrip("0"), text)
    }
    for i, (mark, text) in enumerate(zip(marks, plain, strict=True)):
        if mark and re.fullmatch(rf"\(?{re.escape(mark)}[).:,\s-]+\s*{re.escape(text)}", said):
            found.add(i)
    return found.pop() if len(found) == 1 else None


def _plain(text: str, spoken: str) -> str:
    """One line, one case, one form of every character, straight quotes."""
    if spoken != "en":
        return _even(text, spoken)
    folded = unicodedata.normalize("NFKC", text).replace("’", "'").casefold()
    return " ".join(re.sub(r"[*_`#]+", "", folded).split())


def _bare(text: str) -> str:
    """Without brackets, quotes and full stops around it."""
    return text.strip(" \t.,;:!\"'()[]{}<>")


def _even(text: str, language: str) -> str:
    """One line, one case and one form of every character, so that what is written alike is read alike.

    Any script's digits become those of English. Arabic loses vowel signs and the forms of alef; a Turkish i is one
    letter with and without its dot, since a capital I is either of them; Persian is typed with its own yeh and kaf and
    with the Arabic ones. Invisible marks of direction and joining go.
    """
    plain = unicodedata.normalize("NFKC", text).translate(_MARKS)
    plain = "".join(_digit(each) for each in plain if unicodedata.category(each) != "Cf")
    plain = _VOWEL_SIGNS.sub("", plain.translate(_ALEFS))
    if language.split("-")[0].lower() == "tr":
        plain = plain.translate(_DOTTED)
    if language.split("-")[0].lower() == "fa":
        plain = plain.translate(_PERSIAN)
    return " ".join(re.sub(r"[*_`#]+", "", plain.casefold()).split())


def _digit(character: str) -> str:
    return str(unicodedata.decimal(character)) if character.isdecimal() else character


@cache
def _all_words() -> dict[str, Any]:
    words: dict[str, Any] = json.loads(Path(__file__).with_name("replies.json").read_text("utf-8"))
    return words
