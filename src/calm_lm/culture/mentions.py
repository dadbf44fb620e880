"""Explicit cultural mentions in a text: where it names a country, a people, a faith, a festival, a dish.

Rules. The longest name wins and mentions never overlap. A name ends where its word ends. A single word that names a
country, place, people or language needs a capital first letter (`Turkey`, not `turkey`; `Polish`, not `polish`)
unless the lists in `gazetteer/` allow it small (`mexicans`, `singapore`). `US` counts only in capitals, and not
inside shouted text. Expressions such as `guinea pig` are passed over. The search is by form alone: a person named
Jordan is found as the country.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, zip_longest
from typing import TypeAlias

from calm_lm.culture.lexicon import Entry, Kind, fold, lexicon

_Tree: TypeAlias = "dict[str, _Tree]"

IDENTITY_KINDS: frozenset[Kind] = frozenset({"group", "demonym", "religion"})
_SHOUTED = re.compile(r"[A-Z]{2}\s+US(?!\w)|(?<!\w)US\s+[A-Z]{2}")
_ARTICLE = re.compile(r"(?<!\w)(a)n?(?=\s$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mention:
    """One explicit mention.

    Attributes:
        start: first character in the text.
        end: one past the last character.
        surface: the text between them, as written.
        kind: what it names.
        culture: the country or language it belongs to, None where it belongs to several or to no country.
    """

    start: int
    end: int
    surface: str
    kind: Kind
    culture: str | None


def find_mentions(text: str) -> tuple[Mention, ...]:
    """The explicit mentions of `text`, in order of place; they never overlap. Time is linear in the text."""
    return tuple(mention for mention, _ in _find(text))


def has_identity_term(text: str) -> bool:
    """Whether `text` names a group, a people or a faith."""
    return any(mention.kind in IDENTITY_KINDS for mention, _ in _find(text))


def mention_mask(spans: Iterable[tuple[int, int]], mentions: Sequence[Mention]) -> list[bool]:
    """For each token span (start, end) of a text, whether it shares a character with one of its mentions.

    Empty spans, such as the (0, 0) of special tokens and padding, share none.
    """
    starts, ends = [mention.start for mention in mentions], [mention.end for mention in mentions]
    mask = []
    for start, end in spans:
        before = bisect_left(starts, end) - 1  # the last mention that begins before the token ends
        mask.append(start < end and before >= 0 and ends[before] > start)
    return mask


def identity_swaps(text: str, n: int = 5) -> tuple[str, ...]:
    """At most `n` copies of `text` in which one group, people or faith is replaced by another of its family.

    Every mention of the term changes at once, in the case it was written in, and a preceding `a` or `an` follows.
    Terms take turns, so a text with two terms gives variants of both. Deterministic; empty without such a term.

    Example:
        >>> identity_swaps("A Muslim moved in.", n=2)
        ('A Christian moved in.', 'A Hindu moved in.')
    """
    found = [(mention, entry) for mention, entry in _find(text) if mention.kind in IDENTITY_KINDS]
    terms = {fold(mention.surface): entry for mention, entry in found}
    queues = [
        [(term, other) for other in _replacements(entry.kind, entry.family) if fold(other) != term]
        for term, entry in terms.items()
    ]
    turns = [pair for pair in chain.from_iterable(zip_longest(*queues)) if pair is not None]
    mentions = [mention for mention, _ in found]
    return tuple(_swap(text, [m for m in mentions if fold(m.surface) == term], other) for term, other in turns[:n])


def _swap(text: str, mentions: Sequence[Mention], other: str) -> str:
    pieces, last = [], 0
    for mention in mentions:
        before = text[last : mention.start]
        article = _ARTICLE.search(before[-4:])
        if article:
            fitting = article[1] + ("n" if _sounds_like_vowel(other) else "")
            cut = len(before) - len(before[-4:]) + article.start()
            before = before[:cut] + fitting + before[-1]
        pieces += [before, _written_like(mention.surface, other)]
        last = mention.end
    return "".join([*pieces, text[last:]])


def _sounds_like_vowel(word: str) -> bool:
    return word[0] in "AEIOUaeiou" and not word.lower().startswith("eu")


def _written_like(surface: str, other: str) -> str:
    if surface.isupper():
        return other.upper()
    return other[0].upper() + other[1:] if surface[0].isupper() else other.lower()


@cache
def _replacements(kind: Kind | None, family: str) -> tuple[str, ...]:
    return tuple(e.surface for e in lexicon().values() if e.swap and e.kind == kind and e.family == family)


def _find(text: str) -> Iterator[tuple[Mention, Entry]]:
    shouted = {at for match in _SHOUTED.finditer(text) for at in range(match.start(), match.end())}
    for match in _pattern().finditer(text):
        surface = match[0]
        entry = lexicon().get(fold(surface))
        if entry is None or entry.kind is None or not (entry.lower or surface[0].isupper()):
            continue
        if entry.surface == "US" and (surface != "US" or match.start() in shouted):
            continue
        yield Mention(match.start(), match.end(), surface, entry.kind, entry.culture), entry


@cache
def _pattern() -> re.Pattern[str]:
    """All names in one expression, shaped as a prefix tree.

    A plain alternation would try every name at every word; in the tree each character is read once, and as it
    holds no repetition, no text can make it backtrack further than the longest name.
    """
    tree: _Tree = {}
    for key in lexicon():
        node = tree
        for letter in key:
            node = node.setdefault(letter, {})
        node[""] = {}
    return re.compile(rf"(?<!\w){_branch(tree)}(?!\w)", re.IGNORECASE)


def _branch(node: _Tree) -> str:
    ways = [_letter(letter) + _branch(below) for letter, below in node.items() if letter]
    if not ways:
        return ""
    whole = ways[0] if len(ways) == 1 and "" not in node else f"(?:{'|'.join(ways)})"
    return f"{whole}?" if "" in node else whole


def _letter(letter: str) -> str:
    return {" ": r"[\s\-]", "'": "['’]"}.get(letter) or re.escape(letter)
