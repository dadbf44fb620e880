"""Which option a reply names, strictly; what declines to answer is told apart from what cannot be read.

A reply counts as an option only if it is the option's label or text, with at most a lead such as "The answer is",
brackets, a full stop, or the option's text after its label. The first number or letter somewhere in a sentence is not
an answer: reading it as one is how the field scored "10" as 1 and "I would say a..." as A.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

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


def read_reply(reply: str, labels: Sequence[str], texts: Sequence[str]) -> Reading:
    """The option that a reply names.

    Args:
        reply: what the model wrote.
        labels: label of each option, empty strings where options have none.
        texts: text of each option.

    Returns:
        The option's index, `refused` or `unparsed`. A reply that names two options, or one label with another
        option's text, is unparsed.
    """
    whole = _plain(reply)
    stripped = _bare(_LEAD.sub("", whole, count=1))
    line = _bare(_LEAD.sub("", _plain(reply.strip().split("\n", 1)[0]), count=1))
    for said in dict.fromkeys((stripped, line)):
        named = _named(said, labels, texts)
        if named is not None:
            return named
    return "refused" if _REFUSALS.search(whole) else "unparsed"


def _named(said: str, labels: Sequence[str], texts: Sequence[str]) -> int | None:
    if not said:
        return None
    plain = [_bare(_plain(text)) for text in texts]
    marks = [_bare(_plain(label)) for label in labels]
    found = {
        i for i, (mark, text) in enumerate(zip(marks, plain, strict=True)) if said in (mark, mark.lstrip("0"), text)
    }
    for i, (mark, text) in enumerate(zip(marks, plain, strict=True)):
        if mark and re.fullmatch(rf"\(?{re.escape(mark)}[).:,\s-]+\s*{re.escape(text)}", said):
            found.add(i)
    return found.pop() if len(found) == 1 else None


def _plain(text: str) -> str:
    """One line, one case, one form of every character, straight quotes."""
    folded = unicodedata.normalize("NFKC", text).replace("’", "'").casefold()
    return " ".join(re.sub(r"[*_`#]+", "", folded).split())


def _bare(text: str) -> str:
    """Without brackets, quotes and full stops around it."""
    return text.strip(" \t.,;:!\"'()[]{}<>")
