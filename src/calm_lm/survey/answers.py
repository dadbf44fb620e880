"""What the words of an option tell: that it is no answer, and where it lies on a scale.

Published tables mix answers with what is no answer and rarely say whether their options have an order. Both are
decided here by fixed patterns on the English text, so that the same list of options is always read the same way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_NO_ANSWER = re.compile(
    r"(?:dk|d/k|na|n/a|(?:i )?(?:don['’]t|do not) know|refused?(?: to answer)?|decline[ds]? to answer|"
    r"no (?:answer|response)|not (?:asked|applicable|available)|(?:other )?missing|not sure|unsure|"
    r"(?:can['’]?t|cannot) (?:say|choose)|no opinion|inap(?:plicable)?)(?:\s*[/,;:(].*)?|"
    r"i do not have a job|(?:i )?have(?:n['’]t| not) heard enough.*|never heard of(?: (?:him|her|them|it))?",
    re.IGNORECASE,
)
_MARK = re.compile(r"\s*[(\[](?:vol|volunteered|do not read|only if volunteered)\.?[)\]]\s*", re.IGNORECASE)
_TOTAL = re.compile(r"total\s+n\s*=.*", re.IGNORECASE)

# words of an option's beginning and how much they say; the first line that matches counts
_DEGREES = (
    (0.0, r"(?:not|no|none|nothing)\b.*\bat all\b.*|nothing|none|never|not more|not an? .*|there are not.*"),
    (0.0, r"no\b(?! difference| change).*|(?:it )?does ?n[o'’]t .*|has not changed"),
    (0.0, r"have not done and would never.*|should not work on.*"),
    (1.0, r"very (?:few|little)"),
    (7.0, r"one of the most .*|top priority|several times a day"),
    (6.0, r"(?:an? )?(?:very|completely|entirely|strongly|definitely|extremely|fully|absolutely|always)\b.*"),
    (6.0, r"trust completely|excellent|all|most|often\b.*|have done in the past year"),
    (6.0, r"(?:an? )?(?:great deal|lot|great danger|large influence|major)\b.*"),
    (4.0, r"(?:an? )?(?:fairly|rather|quite|somewhat|mostly|mainly|moderate(?:ly)?|probably|fair(?: amount)?)\b.*"),
    (4.0, r"(?:some|sometimes|many)\b.*|have done in the more distant past|important but lower.*"),
    (2.0, r"(?:an? )?(?:not (?:too|so|very|that|much)|only|just some|little|small|minor|rarely|lower|few)\b.*"),
    (2.0, r"have not done, but might.*"),
)
_DEGREE = tuple((level, re.compile(pattern, re.IGNORECASE)) for level, pattern in _DEGREES)
_MIDDLE = re.compile(
    r"(?:(?:stay(?:ed)?|staying|keep|been|remain(?:ed)?) )?(?:(?:about )?(?:the )?same|about right)|"
    r"(?:the )?right amount|no (?:difference|change|effect|impact)|neither (?:agree|approve|good|satisfied|favou?r).*|"
    r"(?:has )?about the right amount.*|has not changed|not much difference|as important as .*",
    re.IGNORECASE,
)
_LOW = re.compile(
    r"\b(?:un(?:favou?rable|likely|acceptable|satisfied|fair(?:ly)?|important)|dis(?:agree|approve|satisfied|trust)|"
    r"bad|badly|worse|worst|negative|oppose[sd]?|poor|terrible|weak(?:er)?|decreas(?:e|ed|ing)|less|lesser|fewer|fail|"
    r"pessimistic|never|too (?:little|small|few)|not enough|not \w+ enough|difficult|smaller|small role|lessen|wrong|"
    r"harm(?:ful)?|not happen)\b",
    re.IGNORECASE,
)
_HIGH = re.compile(
    r"\b(?:favou?rable|likely|acceptable|satisfied|fair(?:ly)?|agree|approve|trust|good|well|better|best|positive|favou?rs?|"
    r"supports?|strong(?:er)?|increas(?:e|ed|ing)|more|greater|succeed|optimistic|always|too (?:much|great|many)|"
    r"too \w+|important|larger|big(?:ger)?|easy|excellent|improve[d]?|happen|right|help(?:ful)?)\b",
    re.IGNORECASE,
)
_NOT_A = re.compile(r"\s*not an? ", re.IGNORECASE)
_BARE = re.compile(r"-?\d+(?:\.0+)?")
_LONGEST = 8  # words; what is longer is a statement, not a step of a scale


def is_no_answer(text: str) -> bool:
    """Whether an option is a way of not answering: don't know, refused, not asked, missing.

    "Neither", "Depends", "Both" are answers, also where they were not read out.
    """
    return bool(_NO_ANSWER.fullmatch(_plain(text)))


def is_total(text: str) -> bool:
    """Whether an "option" is the table's line of totals, which nobody gave as an answer."""
    return bool(_TOTAL.fullmatch(text.strip()))


def degree(text: str) -> float | None:
    """Where an option's words lie: from -6 (very bad) over 0 (not at all, the same) to 7; None where they do not tell.

    Our own choice of words and levels; only their order is used.
    """
    plain = _plain(text)
    if len(plain.split()) > _LONGEST:
        return None
    if _MIDDLE.fullmatch(plain):
        return 0.0
    level = next((level for level, pattern in _DEGREE if pattern.fullmatch(plain)), None)
    if level == 0:
        return 0.0
    if _LOW.search(plain):
        return -(level or 5.0) if level != 2.0 else None  # "not too bad" lies on neither side
    if level is None:
        return 5.0 if _HIGH.search(plain) else None
    return level


def scale_order(options: Sequence[str]) -> tuple[int, ...] | None:
    """The options' places in the order of their scale, or None where they have none that the words tell.

    The rule: three or more options; either all but the ends are bare numbers that rise or fall (the ends may be words),
    or every option's `degree` is known, no two are equal, and "the same" has something on both of its sides. Options
    whose degrees fall or rise keep their order; "better, worse, the same" is put into the order of its degrees. Two
    options are never ordinal here: on two points an order changes no distance.
    """
    if len(options) < 3:
        return None
    places = tuple(range(len(options)))
    inner = [text.strip() for text in options[1:-1]]
    if all(_BARE.fullmatch(text) for text in inner):
        numbers = [float(text) for text in options if _BARE.fullmatch(text.strip())]
        steps = {number > last for last, number in pairwise(numbers)}
        return places if len(set(numbers)) == len(numbers) and len(steps) <= 1 else None
    degrees = [degree(text) for text in options]
    known = [each for each in degrees if each is not None]
    if len(known) < len(degrees) or len(set(known)) < len(known):
        return None
    if any(_MIDDLE.fullmatch(_plain(text)) for text in options) and not min(known) < 0 < max(known):
        return None
    if min(known) < 0 and any(_NOT_A.match(text) for text in options):
        return None  # "not a moral issue" is no place between acceptable and unacceptable
    if known == sorted(known):
        return places
    return tuple(sorted(places, key=lambda place: -known[place]))


def starts_high(first: str, last: str) -> bool:
    """Whether the first of a scale's ends surely is its high one; False also where the words do not tell."""
    top, bottom = degree(first), degree(last)
    return top is not None and bottom is not None and top > bottom


def _plain(text: str) -> str:
    """Without "(VOL)" and the like, which tell how an answer was taken and not what it was."""
    return _MARK.sub("", text).strip(" .")
