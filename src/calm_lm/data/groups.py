"""Which rows belong together when a data set is divided, and a division that never moves.

Used by loaders whose authors published no validation split (our choice, each noted on the data set).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

FEWEST_WORDS = 5  # shorter sentences differ in one word by accident
FEWEST_IN_FIRST_SENTENCE = 4


def hash_share(key: str) -> float:
    """A number in [0, 1) that depends on `key` alone, so a group stays in its split whatever else is in the file."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8")).digest()[:8], "big") / 2**64


def near_variants(texts: Sequence[str]) -> list[str]:
    """One group key a text; texts that are variants of one another, directly or through others, share a key.

    Two texts are variants when, without case and punctuation, they are equal, differ in one word of at least
    `FEWEST_WORDS`, or open with the same sentence of at least `FEWEST_IN_FIRST_SENTENCE` words and go on. This is how
    sentence templates with a slot, and contexts with several continuations, come about.

    Args:
        texts: N texts.

    Returns:
        N keys in the order of `texts`; the key is made from the alphabetically first text of the group.
    """
    words = [tuple(re.findall(r"\w+", text.lower())) for text in texts]
    parent = list(range(len(texts)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    first: dict[int, int] = {}
    for at, text in enumerate(texts):
        for sign in _signs(text, words[at]):
            # the hash stands for the words to save memory: 64 bits, and some ten signs a text
            parent[root(at)] = root(first.setdefault(hash(sign), at))
    names: dict[int, tuple[str, ...]] = {}
    for at in range(len(texts)):
        names[root(at)] = min(names.get(root(at), words[at]), words[at])
    return [hashlib.sha256(" ".join(names[root(at)]).encode("utf-8")).hexdigest()[:16] for at in range(len(texts))]


def _signs(text: str, words: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    yield ("whole", words)
    if len(words) >= FEWEST_WORDS:
        for at in range(len(words)):
            yield (at, words[:at], words[at + 1 :])
    opening, *rest = re.split(r"(?<=[.!?])\s+", text.strip(), maxsplit=1)
    start = tuple(re.findall(r"\w+", opening.lower()))
    if rest and len(start) >= FEWEST_IN_FIRST_SENTENCE:
        yield ("opening", start)
