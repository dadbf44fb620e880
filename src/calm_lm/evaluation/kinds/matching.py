"""Whether a short reply is an answer that people gave: as a whole, or as whole words in a row; never as letters inside.

The published scorer of BLEnD counts any answer that contains the key, so "rice" is found in "price" and "tea" in
"team". Here texts are cut at everything that is no letter, mark or digit, and compared piece by piece.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_ARTICLES = frozenset({"a", "an", "the"})
_SEVERAL = re.compile(r"[\n;,/•]|(?<!\d)\.(?!\d)|\s(?:or|and)\s", re.IGNORECASE)
_VERB = re.compile(r"\b(is|are|was|were)\b", re.IGNORECASE)
LONG_HEAD = 3  # words before the verb from which a reply repeats the question
_UNKNOWN = re.compile(
    r"^\W*(?:(?:i\s+)?(?:do\s*n[o']?t|don't|do not)\s+know|(?:i\s*'?a?m\s+)?not\s+(?:sure|certain)|unknown|idk|"
    r"no\s+(?:answer|idea)|n/?a|not\s+applicable|(?:i\s+)?(?:cannot|can't)\s+(?:say|answer|tell))\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=65_536)
def pieces(text: str) -> tuple[str, ...]:
    """The words of a text as they are compared.

    One form of every character, no case, no accents over Latin, Greek and Cyrillic letters, no articles, and English
    plurals cut to the singular as far as an `s` does it (our choice). Marks of other scripts stay: they are letters'
    parts, and cutting at them would leave fragments. Text without spaces (Chinese) is one piece.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("'s", "")
    plain = unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFD", folded)))
    spaced = "".join(each if unicodedata.category(each)[0] in "LMN" else " " for each in plain)
    return tuple(_singular(word) for word in spaced.split() if word not in _ARTICLES)


def matches(reply: str, answers: Iterable[str]) -> bool:
    """Whether the reply is one of the answers, or holds one as whole words in a row.

    Args:
        reply: what is judged, as from `first_answer`.
        answers: spellings of one answer.
    """
    said = pieces(reply)
    for answer in answers:
        wanted = pieces(answer)
        if wanted and any(said[at : at + len(wanted)] == wanted for at in range(len(said) - len(wanted) + 1)):
            return True
    return False


def first_answer(reply: str) -> str:
    """The first thing a reply names: a list of guesses counts by its first (our choice, against listing them all).

    Of a sentence that repeats the question, what follows its first `is` or `are` counts.
    """
    line = next((line for line in reply.strip().splitlines() if pieces(line)), "")
    line = re.sub(r"^\W*(?:(?:short|my|the)\s+)?answer(?:\s+is)?\s*:?\s*", "", line.strip(), flags=re.IGNORECASE)
    head, verb, tail = _VERB.split(line, maxsplit=1) if _VERB.search(line) else (line, "", "")
    if verb and len(pieces(head)) >= LONG_HEAD:
        line = tail
    return next((part.strip() for part in _SEVERAL.split(line) if pieces(part)), "")


def is_unknown(reply: str) -> bool:
    """Whether the reply says that it does not know."""
    return bool(_UNKNOWN.search(reply.replace("’", "'")))


def _singular(word: str) -> str:
    if len(word) > 3 and word.isascii() and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-3] + "y" if word.endswith("ies") and len(word) > 4 else word[:-1]
    return word
