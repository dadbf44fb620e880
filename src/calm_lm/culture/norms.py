"""Records of what people of a culture expect in a situation, and a store that finds them by their words."""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple

from calm_lm.culture.blend import Blend
from calm_lm.culture.ids import place_phrase
from calm_lm.errors import CalmError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calm_lm.culture.communities import Community

K1, B = 1.2, 0.75  # the usual values: Robertson & Zaragoza (2009), section 3.5
_WORD = re.compile(r"[^\W_]+")
_FUNCTION_WORDS = (
    "a an and are as at be been but by can did do does for from had has have he her his i if in is it its me my no not "
    "of on or our she so than that the their them then there they this to too us was we were what when where which who "
    "will with would you your"
)
_SKIPPED = frozenset(_FUNCTION_WORDS.split())


@dataclass(frozen=True, slots=True)
class NormRecord:
    """One norm of everyday life, with what it rests on.

    Attributes:
        id: unique in its store.
        culture: one culture id.
        situation: what is done, as a phrase with a verb in -ing (`leaving a tip`).
        norm: how it is seen (`expected`, `fine`, `out of place`, or any words that follow `is`), or `varies`.
        source: a public citation, or who says so.
        licence: SPDX id, or `undeclared`.
        date: the day the source speaks for, ISO 8601, None where unknown.
        valid_from: first day it holds, ISO 8601, None where it always did.
        valid_until: last day it holds, None where it still does.
    """

    id: str
    culture: str
    situation: str
    norm: str
    source: str
    licence: str = "undeclared"
    date: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None

    def sentence(self, communities: Mapping[str, Community] | None = None) -> str:
        """The norm in one plain line: `In Japan, leaving a tip is out of place.` or `In Japan, queueing varies.`."""
        place = place_phrase(self.culture, communities)
        verb = "" if self.norm == "varies" else "is "
        return f"{place[0].upper()}{place[1:]}, {self.situation} {verb}{self.norm}."

    def holds(self, on: datetime.date) -> bool:
        """Whether the norm is in force on a day."""
        after_start = self.valid_from is None or datetime.date.fromisoformat(self.valid_from) <= on
        return after_start and (self.valid_until is None or on <= datetime.date.fromisoformat(self.valid_until))


class Evidence(NamedTuple):
    """A record that speaks to a text, and how strongly: the score of the search, weighted by its culture, above 0."""

    record: NormRecord
    score: float


class NormStore:
    """Norm records, found by the words they share with a text.

    The score is Okapi BM25 over situation and norm, with the idf that stays above zero, ln(1 + (N - n + 0.5) /
    (n + 0.5)); each word of the text counts once. Words are compared without case and without English endings;
    function words count nothing. Source: Robertson & Zaragoza (2009), The Probabilistic Relevance Framework, 3.

    Args:
        records: the norms, in any order.

    Raises:
        CalmError: C13 when two records have one id.
    """

    def __init__(self, records: Iterable[NormRecord]) -> None:
        self.records = tuple(records)
        refuse_repeated_ids(enumerate(self.records, start=1))

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[NormRecord]:
        return iter(self.records)

    def search(self, text: str, culture: Blend, k: int = 3, on: datetime.date | None = None) -> list[Evidence]:
        """At most `k` norms of the blend's cultures that share a word with `text`, best first, ties by id.

        Args:
            text: any text.
            culture: only its cultures are searched; a score is multiplied by its culture's weight.
            k: how many to return.
            on: leave out norms that do not hold on this day; None asks no day and leaves nothing out.
        """
        weights = dict(culture.parts)
        words = sorted(set(split_words(text)))
        found = [
            Evidence(record, weights[record.culture] * score)
            for index, record in enumerate(self.records)
            if record.culture in weights and (on is None or record.holds(on))
            if (score := self._score(words, index)) > 0
        ]
        return sorted(found, key=lambda evidence: (-evidence.score, evidence.record.id))[:k]

    def _score(self, words: Sequence[str], index: int) -> float:
        counts = self._counts[index]
        length = B * counts.total() / self._mean_length + 1 - B if counts else 1.0
        return sum(self._idf[w] * counts[w] * (K1 + 1) / (counts[w] + K1 * length) for w in words if w in counts)

    @cached_property
    def _counts(self) -> list[Counter[str]]:
        return [Counter(split_words(f"{record.situation} {record.norm}")) for record in self.records]

    @cached_property
    def _mean_length(self) -> float:
        return sum(counts.total() for counts in self._counts) / len(self._counts)

    @cached_property
    def _idf(self) -> dict[str, float]:
        holders = Counter(word for counts in self._counts for word in counts)
        total = len(self.records)
        return {word: math.log(1 + (total - n + 0.5) / (n + 0.5)) for word, n in holders.items()}


def refuse_repeated_ids(rows: Iterable[tuple[int, NormRecord]], file: PathLike[str] | None = None) -> None:
    """Raise C13 at the first of the (row, record) pairs whose id an earlier one has."""
    first: dict[str, int] = {}
    for row, record in rows:
        if record.id in first:
            problem, fix = f"is already the id of row {first[record.id]}.", "give each norm its own id."
            raise CalmError("C13", problem, file=file, row=row, field="id", value=record.id, fix=fix)
        first[record.id] = row


def split_words(text: str) -> list[str]:
    """The words of a text as the store compares them: case folded, function words dropped, endings stripped."""
    return [_stem(word) for word in _WORD.findall(text.casefold()) if word not in _SKIPPED]


def _stem(word: str) -> str:
    """Strip English endings where at least three letters stay: tips, tipped and tipping become tip."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word.removesuffix(ending)
            if ending in ("ing", "ed") and len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word
