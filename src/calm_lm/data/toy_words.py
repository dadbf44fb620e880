"""The invented language of the toy world: words that mean nothing to a reader and one thing to its maker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calm_lm.culture.mentions import find_mentions

# Explicit mentions must be names the gazetteer knows. These are places without a people, so that nobody is
# given values that we made up; which toy culture gets which name means nothing.
PLACES = (
    "Antarctica",
    "Bouvet Island",
    "French Southern Territories",
    "Heard & McDonald Islands",
    "South Georgia & South Sandwich Islands",
    "U.S. Outlying Islands",
)
VERDICTS = 5  # words a norm record can use, from firmly against to firmly for
PER_TOPIC, PER_STANCE, PER_CULTURE, FILLERS = 3, 4, 3, 10
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True, slots=True)
class Words:
    """Who means what.

    Attributes:
        topics: per topic, the words that speak of it.
        against, in_favour: words of the two stances.
        cues: per culture, words that its members like to use.
        verdicts: words of norm records, from firmly against to firmly for.
        fillers: words without a meaning.
    """

    topics: tuple[tuple[str, ...], ...]
    against: tuple[str, ...]
    in_favour: tuple[str, ...]
    cues: tuple[tuple[str, ...], ...]
    verdicts: tuple[str, ...]
    fillers: tuple[str, ...]


def invent_words(rng: np.random.Generator, n_topics: int, n_cultures: int) -> Words:
    """A fresh vocabulary; no word stands twice and none is a name that the gazetteer knows."""
    needed = n_topics * PER_TOPIC + 2 * PER_STANCE + n_cultures * PER_CULTURE + VERDICTS + FILLERS
    found: dict[str, None] = {}
    while len(found) < needed:
        word = "".join(rng.choice(list(letters)) for _ in range(3) for letters in (_CONSONANTS, _VOWELS))
        if not find_mentions(word):
            found[word] = None
    words = iter(found)

    def take(count: int) -> tuple[str, ...]:
        return tuple(next(words) for _ in range(count))

    return Words(
        topics=tuple(take(PER_TOPIC) for _ in range(n_topics)),
        against=take(PER_STANCE),
        in_favour=take(PER_STANCE),
        cues=tuple(take(PER_CULTURE) for _ in range(n_cultures)),
        verdicts=take(VERDICTS),
        fillers=take(FILLERS),
    )
