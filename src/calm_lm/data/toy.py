"""A small world with planted truth: cultures, norms, votes and drift that a model should find again.

Cultures are points in a space of values and stand in two families. A topic asks along one direction of that
space, so the norm of culture c on topic t is `n = w_t . v_c + b_t`. A statement has a topic, a stance s (+1 or
-1) and an author; people of culture c agree with it with probability

    sigmoid(sharpness * s * n + kinship * (1 - |v_c - v_author| / mean distance)).

Some statements name their author's culture; all carry cue words, which cultures share the more the nearer they
are. Panels of annotators draw votes. Between two waves each culture's values move by an amount of its own.
Nothing here is about people: words are invented and the place names are of uninhabited places.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calm_lm.culture.blend import Blend
from calm_lm.culture.norms import NormRecord, NormStore
from calm_lm.data.example import Dataset, Example
from calm_lm.data.toy_words import PLACES, VERDICTS, Words, invent_words
from calm_lm.errors import CalmError

Floats: TypeAlias = NDArray[np.float64]

LABELS = ("disagree", "agree")
WAVES = (1, 2)
SPLITS = {"train": 0.7, "valid": 0.1, "test": 0.2}
N_VALUES = 3
FAMILY_DISTANCE, SPREAD = 3.0, 0.6  # between the two families' centres; of cultures around them, per axis
SHARPNESS, KINSHIP = 1.5, 0.6
CUE_SHARPNESS = 1.3  # how fast cue words are shared less with distance
NAMED = 0.4  # share of statements that name their author's culture
CUES = 2  # cue words in a statement
LICENCE = "CC0-1.0"


@dataclass(frozen=True, slots=True)
class Statement:
    """One text and what was planted in it.

    Attributes:
        id: unique over both waves.
        text: the invented words.
        topic: number of its topic.
        stance: 1 in favour, -1 against.
        author: culture id of who speaks.
        named: the text names the author's culture.
        cues: its cue words.
    """

    id: str
    text: str
    topic: int
    stance: int
    author: str
    named: bool
    cues: tuple[str, ...]


@dataclass(frozen=True)
class ToyWorld:
    """The truth and the texts; make one with `build_toy_world`.

    Attributes:
        cultures: ids `x-toy-a`, `x-toy-b`, ...
        families: per culture, 0 or 1.
        values: [2 waves, C, 3] where each culture stands.
        topics: [topics, 3] unit directions of the space of values.
        offsets: [topics] how the whole world leans on a topic.
        words: the vocabulary.
        statements: wave to its texts, other texts in each wave.
        votes: wave to votes [texts, C, 2], in the order of `LABELS`.
    """

    cultures: tuple[str, ...]
    families: tuple[int, ...]
    values: Floats
    topics: Floats
    offsets: Floats
    words: Words
    statements: dict[int, tuple[Statement, ...]]
    votes: dict[int, NDArray[np.int64]]

    # -- what a model is shown -----------------------------------------------------------------------

    def dataset(self, wave: int = 1, *, contrast: Literal["reader", "author"] = "reader") -> Dataset:
        """A wave as a data set, split by text into train, valid and test.

        Args:
            wave: 1 or 2.
            contrast: `reader` gives every text once per culture, with that culture's votes; `author` gives
                every text once, with the votes of all cultures together and no reader, to infer who wrote it.

        Raises:
            CalmError: D45 for another wave.
        """
        self._place_of(wave)
        statements, votes = self.statements[wave], self.votes[wave]
        bounds = np.round(np.cumsum([0.0, *SPLITS.values()]) * len(statements)).astype(int).tolist()
        splits = {
            name: tuple(row for i in range(start, stop) for row in self._rows(statements[i], votes[i], contrast))
            for name, start, stop in zip(SPLITS, bounds[:-1], bounds[1:], strict=True)
        }
        note = "a toy world: invented words and planted values, no people."
        return Dataset(f"toy-wave-{wave}", LABELS, 1, splits, contrast, licences=(LICENCE,), notes=(note,))

    def norms(self) -> NormStore:
        """What holds in each culture on each topic, one dated record per wave.

        The first wave's records hold until the second wave begins. The norm is one of five invented words, from
        firmly against to firmly for.
        """
        return NormStore(
            NormRecord(
                id=f"{culture}-topic-{topic}-wave-{wave}",
                culture=culture,
                situation=" ".join(self.words.topics[topic]),
                norm=self._verdict(self.norm_of(culture, topic, wave)),
                source="planted in the toy world",
                licence=LICENCE,
                valid_from=self.date_of(wave).isoformat(),
                valid_until=None if wave == WAVES[-1] else self._eve(wave + 1),
            )
            for wave in WAVES
            for culture in self.cultures
            for topic in range(len(self.topics))
        )

    # -- the truth -----------------------------------------------------------------------------------

    def date_of(self, wave: int) -> datetime.date:
        """The day a wave's norms begin to hold.

        Raises:
            CalmError: D45 for another wave than 1 and 2.
        """
        return datetime.date(2001 + 10 * self._place_of(wave), 1, 1)

    def value_of(self, culture: str, wave: int = 1) -> Floats:
        """Where a culture stands in the space of values, [3].

        Raises:
            CalmError: D45 and D46 for a wave or a culture this world does not have.
        """
        value: Floats = self.values[self._place_of(wave), self._number_of(culture)]
        return value

    def norm_of(self, culture: str, topic: int, wave: int = 1) -> float:
        """How a culture leans on a topic: above zero in favour."""
        return float(self.topics[topic] @ self.value_of(culture, wave) + self.offsets[topic])

    def distances(self, wave: int = 1) -> Floats:
        """Euclidean distances between the cultures' values, [C, C]."""
        return _distances(self.values[self._place_of(wave)])

    def drift_of(self, culture: str) -> float:
        """How far a culture's values move between the two waves."""
        number = self._number_of(culture)
        return float(np.linalg.norm(self.values[1, number] - self.values[0, number]))

    def cue_of(self, token: str) -> str | None:
        """The culture whose cue word a token is, None for any other word."""
        return self._cue_owner.get(token)

    def statement(self, text_id: str) -> Statement:
        """A text by its id (an example's `group`).

        Raises:
            CalmError: D47 for an id of no text.
        """
        if text_id not in self._found:
            raise CalmError("D47", "is no text of this toy world.", value=text_id, fix="use an example's `group`.")
        return self._found[text_id][1]

    def vote_share(self, text_id: str, culture: str | Blend, wave: int | None = None) -> float:
        """The share of a culture that agrees with a text; of a blend, the weighted mean of its cultures.

        Args:
            text_id: a text.
            culture: who reads it.
            wave: as people stood in this wave; None is the wave of the text.

        Raises:
            CalmError: D45, D46 and D47 for a wave, a culture or a text this world does not have.
        """
        statement = self.statement(text_id)
        parts = Blend.of(culture).parts if isinstance(culture, str) else culture.parts
        then = self._place_of(self._found[text_id][0] if wave is None else wave)
        shares = self._shares[then][statement.topic, statement.stance][self._number_of(statement.author)]
        return float(sum(weight * shares[self._number_of(one)] for one, weight in parts))

    def author_posterior(self, text_id: str) -> Floats:
        """Probability of each culture being the author, given all a text shows: the best any model can do. [C]."""
        statement = self.statement(text_id)
        if statement.named:
            return np.array([float(culture == statement.author) for culture in self.cultures])
        owners = [self._number_of(self._cue_owner[cue]) for cue in statement.cues]
        likelihood = np.prod(cue_shares(self.distances())[:, owners], axis=1)
        posterior: Floats = likelihood / likelihood.sum()
        return posterior

    # -- inside --------------------------------------------------------------------------------------

    @cached_property
    def _cue_owner(self) -> dict[str, str]:
        return {cue: c for c, cues in zip(self.cultures, self.words.cues, strict=True) for cue in cues}

    @cached_property
    def _found(self) -> dict[str, tuple[int, Statement]]:
        return {s.id: (wave, s) for wave, statements in self.statements.items() for s in statements}

    @cached_property
    def _shares(self) -> list[dict[tuple[int, int], Floats]]:
        return [_agreement(self, values) for values in self.values]

    def _rows(self, statement: Statement, votes: NDArray[np.int64], contrast: str) -> list[Example]:
        panels = votes if contrast == "reader" else votes.sum(0, keepdims=True)
        readers = self.cultures if contrast == "reader" else (None,)
        return [
            Example(
                text=statement.text,
                id=f"{statement.id}/{reader or 'all'}",
                group=statement.id,
                label=int(against_for[1] > against_for[0]),
                votes=(int(against_for[0]), int(against_for[1])),
                reader=None if reader is None else Blend.of(reader),
                author=Blend.of(statement.author),
                licence=LICENCE,
            )
            for reader, against_for in zip(readers, panels, strict=True)
        ]

    def _verdict(self, norm: float) -> str:
        place = round(SHARPNESS * norm) + VERDICTS // 2
        return self.words.verdicts[min(max(place, 0), VERDICTS - 1)]

    def _eve(self, wave: int) -> str:
        return (self.date_of(wave) - datetime.timedelta(days=1)).isoformat()

    def _place_of(self, wave: int) -> int:
        if wave not in WAVES:
            raise CalmError("D45", "the toy world has waves 1 and 2.", field="wave", value=wave, fix="choose one.")
        return WAVES.index(wave)

    def _number_of(self, culture: str) -> int:
        if culture not in self.cultures:
            fix = f"use one of {', '.join(self.cultures)}."
            raise CalmError("D46", "is no culture of this toy world.", field="culture", value=culture, fix=fix)
        return self.cultures.index(culture)


def build_toy_world(
    seed: int,
    *,
    n_cultures: int = 6,
    n_topics: int = 4,
    n_texts: int = 600,
    annotators: int = 9,
    drift: float = 3.0,
) -> ToyWorld:
    """Plant a world.

    Args:
        seed: decides everything.
        n_cultures: 2 to 6.
        n_topics: at least 1.
        n_texts: texts of each wave, at least 20.
        annotators: votes per text and culture, at least 1; odd numbers have no ties.
        drift: how far the most moved culture's values move; the others move less, in even steps down to not at all.

    Raises:
        CalmError: D48 for a number out of its bounds.

    Example:
        >>> world = build_toy_world(0, n_texts=40)
        >>> row = world.dataset(wave=1).splits["train"][0]
        >>> str(row.reader), len(row.votes), 0 < world.vote_share(row.group, "x-toy-a") < 1
        ('x-toy-a', 2, True)
        >>> world.cue_of(world.words.cues[1][0])
        'x-toy-b'
    """
    for name, value, low, high in (
        ("n_cultures", n_cultures, 2, len(PLACES)),
        ("n_topics", n_topics, 1, 100),
        ("n_texts", n_texts, 20, 1_000_000),
        ("annotators", annotators, 1, 1_000),
        ("drift", drift, 0, 100),
    ):
        if not low <= value <= high:
            raise CalmError("D48", "is out of bounds.", field=name, value=value, fix=f"choose {low} to {high}.")
    rng = np.random.default_rng((seed, 20))
    cultures = tuple(f"x-toy-{letter}" for letter in "abcdef"[:n_cultures])
    families = tuple(int(f) for f in rng.permutation(np.arange(n_cultures) % 2))
    values = _plant_values(rng, families, drift)
    topics = _unit(rng.normal(size=(n_topics, N_VALUES)))
    offsets = rng.normal(scale=0.3, size=n_topics)
    world = ToyWorld(cultures, families, values, topics, offsets, invent_words(rng, n_topics, n_cultures), {}, {})
    for wave in WAVES:
        world.statements[wave] = tuple(_write(rng, world, f"toy-{wave}-{i:05d}") for i in range(n_texts))
        world.votes[wave] = _draw_votes(rng, world, wave, annotators)
    return world


def cue_shares(distances: Floats) -> Floats:
    """How often each author's culture (rows) uses the cue words of each culture (columns). [C, C], rows sum to 1."""
    weights = np.exp(-CUE_SHARPNESS * distances)
    shares: Floats = weights / weights.sum(1, keepdims=True)
    return shares


def _plant_values(rng: np.random.Generator, families: Sequence[int], drift: float) -> Floats:
    """Two families of cultures, and the same cultures after each moved by its own amount. [2, C, 3]."""
    count = len(families)
    axis = _unit(rng.normal(size=(1, N_VALUES)))
    side = np.where(np.array(families)[:, None] == 0, -0.5, 0.5)
    before = side * FAMILY_DISTANCE * axis + rng.normal(scale=SPREAD, size=(count, N_VALUES))
    amounts = rng.permutation(np.linspace(0, drift, count))[:, None]
    return np.stack([before, before + amounts * _unit(rng.normal(size=(count, N_VALUES)))])


def _write(rng: np.random.Generator, world: ToyWorld, text_id: str) -> Statement:
    """One statement: topic, stance, cue and filler words in any order, sometimes the author's place at the end."""
    words = world.words
    author = int(rng.integers(len(world.cultures)))
    topic, stance = int(rng.integers(len(world.topics))), int(rng.choice((-1, 1)))
    owners = rng.choice(len(world.cultures), size=CUES, p=cue_shares(world.distances())[author])
    cues = tuple(str(rng.choice(words.cues[owner])) for owner in owners)
    chosen = [
        *rng.choice(words.topics[topic], size=2, replace=False),
        *rng.choice(words.in_favour if stance > 0 else words.against, size=2, replace=False),
        *cues,
        rng.choice(words.fillers),
    ]
    named = bool(rng.random() < NAMED)
    text = " ".join(str(chosen[i]) for i in rng.permutation(len(chosen)))
    text = f"{text} in {PLACES[author]}." if named else f"{text}."
    return Statement(text_id, text, topic, stance, world.cultures[author], named, cues)


def _draw_votes(rng: np.random.Generator, world: ToyWorld, wave: int, annotators: int) -> NDArray[np.int64]:
    agreement = _agreement(world, world.values[WAVES.index(wave)])
    numbers = {culture: i for i, culture in enumerate(world.cultures)}
    shares = [agreement[s.topic, s.stance][numbers[s.author]] for s in world.statements[wave]]
    agree = rng.binomial(annotators, np.array(shares))
    return np.stack([annotators - agree, agree], axis=-1)


def _agreement(world: ToyWorld, values: Floats) -> dict[tuple[int, int], Floats]:
    """Share that agrees when cultures stand at `values` [C, 3]: (topic, stance) to [C authors, C readers]."""
    distances = _distances(values)
    among_others = distances[~np.eye(len(values), dtype=bool)].mean()
    norms = world.topics @ values.T + world.offsets[:, None]
    kin = KINSHIP * (1 - distances / among_others)
    return {
        (topic, stance): 1 / (1 + np.exp(-(SHARPNESS * stance * norms[topic] + kin)))
        for topic in range(len(norms))
        for stance in (-1, 1)
    }


def _distances(values: Floats) -> Floats:
    distances: Floats = np.linalg.norm(values[:, None] - values[None], axis=-1)
    return distances


def _unit(vectors: Floats) -> Floats:
    units: Floats = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return units
