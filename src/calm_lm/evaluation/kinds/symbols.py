"""What a short generated text names, by simple rules: candidate symbols and signs that its subject is set apart.

No tagger and no model: a candidate is a run of at most three words between function words and punctuation, and each
of its words (our choice). So verbs and adjectives come through; those that are common everywhere never stand out for
a place, which is what later picks symbols. Names of places, peoples and languages are no symbols of a place.
"""

from __future__ import annotations

import re
from functools import cache

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_BREAK = re.compile(r"[^\w\s'’-]+|\d+")
LONGEST = 3
LEAST_LETTERS = 3
_FUNCTION_WORDS = (
    "a about above across after again all almost along also although always am among an and another any anything "
    "are around as at ate away back be became because become been before behind being below best better between big "
    "both but by called came can cannot choose come comes cook cooked cooking cooks could day days did different do "
    "does doing done down drink drinks during each eat eating eats either enjoy enjoys enough especially etc even "
    "evening ever every everyone everything favorite favourite feel few find first for friend friends from full get "
    "gets give given gives go goes going good got great had has have having he her here hers herself him himself "
    "his home house how however i if in include includes including into is it its itself just keep know known last "
    "let life like liked likes listen listening listens little lot lots love loves made make makes making many may "
    "me might more morning most much must my myself name named near neighbor neighbors neighbour neighbours never "
    "new next nice night no nor not nothing now of off often old on once one ones only or other others our out over "
    "own part people perhaps person place play played playing plays popular probably put quite rather really same "
    "say says see seems serve served serves set several she should show since small so some someone something "
    "sometimes special still such sure take takes than that the their them themselves then there these they thing "
    "things think this those though three through time to today together too two under until up upon us use used "
    "uses using usually various very want wants was way ways we wear wears well went were what when where which "
    "while who whole whom whose why will with within without would year years yes yet you young your yours "
)
_PASSED_OVER = frozenset(_FUNCTION_WORDS.split())
MARKS = (
    "traditional", "traditionally", "typical", "typically", "authentic", "ethnic", "exotic", "indigenous", "customary",
    "customarily", "native", "folk",
)  # fmt: skip
"""Words that set their subject apart from what the writer takes for usual (the list is ours)."""
_MARK = re.compile(rf"\b(?:{'|'.join(MARKS)})\b", re.IGNORECASE)
_EXPLAINED = re.compile(
    r"\([^()\d]{4,}\)|,?\s(?:which is|that is|is)\s(?:a|an)\s(?:kind|type|sort|form)\sof\b", re.IGNORECASE
)


def candidates(text: str, asked: str = "") -> frozenset[str]:
    """Candidate symbols of a text, case folded; a repeated one counts once.

    Args:
        text: what was written.
        asked: the instruction; its words are no symbols, because models repeat them.
    """
    found: set[str] = set()
    for run in _runs(text, frozenset(words(asked))):
        found.update(word for word in run if len(word) >= LEAST_LETTERS)
        if 2 <= len(run) <= LONGEST:
            found.add(" ".join(run))
    return frozenset(each for each in found if each not in _names())


def words(text: str) -> list[str]:
    """All words in order, case folded."""
    return [match.casefold() for match in _WORD.findall(text)]


def is_marked(text: str) -> bool:
    """Whether the text calls its subject traditional or the like, or explains it to an outsider."""
    return bool(_MARK.search(text) or _EXPLAINED.search(text))


def _runs(text: str, repeated: frozenset[str]) -> list[list[str]]:
    runs: list[list[str]] = []
    for part in _BREAK.split(text.replace("’", "'")):
        run: list[str] = []
        for word in words(part):
            plain = word.removesuffix("'s")
            if plain in _PASSED_OVER or plain in repeated or plain in _names() or "'" in plain:
                runs.append(run)
                run = []
            else:
                run.append(plain)
        runs.append(run)
    return [run for run in runs if run]


@cache
def _names() -> frozenset[str]:
    """Names of countries, peoples and languages, which only repeat what the prompt said."""
    from calm_lm.culture.lexicon import lexicon

    kinds = ("country", "demonym", "language")
    return frozenset(key for key, entry in lexicon().items() if entry.kind in kinds)
