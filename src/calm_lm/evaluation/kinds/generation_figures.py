"""Figures of a condition's texts: symbols of each place, diversity, distance between places, whose symbols leak.

Intervals leave out one draw of every place and topic at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from calm_lm.evaluation.kinds.symbols import is_marked
from calm_lm.evaluation.result import System
from calm_lm.evaluation.table import number
from calm_lm.stats.arrays import Floats
from calm_lm.stats.distances import jensen_shannon_rows
from calm_lm.stats.markedness import (
    NOBODY,
    distinct_n,
    evenness,
    jackknife_interval,
    leak_shares,
    owners,
    simpson_diversity,
    smoothed_log_odds,
)

STANDS_OUT = float(np.log(3))  # three times the odds of the other places' texts (our choice)
SHUFFLES = 20
SHOWN = 12
LEAST_LEAKED = 10  # symbols before a default culture is named


class Text(NamedTuple):
    """One generated text; the place is the one it was drawn for, or the row it fills where none was named."""

    group: str
    place: str
    text: str
    symbols: frozenset[str]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Texts:
    """All texts of a condition."""

    places: tuple[str, ...]
    texts: tuple[Text, ...]

    @property
    def groups(self) -> list[str]:
        """Draws: one text of every place on one topic."""
        return list(dict.fromkeys(each.group for each in self.texts))

    def without(self, group: str) -> Texts:
        """All but one draw."""
        return Texts(self.places, tuple(each for each in self.texts if each.group != group))

    def of(self, place: str) -> list[Text]:
        """Texts of a place."""
        return [each for each in self.texts if each.place == place]

    def holding(self, symbols: list[str]) -> Floats:
        """In how many texts of each place each symbol occurs [P, V]."""
        at = {symbol: column for column, symbol in enumerate(symbols)}
        counts = np.zeros((len(self.places), len(symbols)))
        for each in self.texts:
            for symbol in each.symbols & at.keys():
                counts[self.places.index(each.place), at[symbol]] += 1
        return counts

    @property
    def symbols(self) -> list[str]:
        """All candidate symbols, sorted."""
        return sorted(set().union(*(each.symbols for each in self.texts)))


def add_figures(system: System, texts: Texts, named: Texts | None) -> None:
    """Figures of one condition.

    Args:
        system: where they go.
        texts: its texts.
        named: where `texts` name no place, those that do and say what each place's symbols are; else None.
    """
    figures: dict[str, tuple[str, str, bool | None, Callable[[Texts], float]]] = {
        "symbol_diversity": ("Diversity of symbols in a place's texts (Simpson)", "diversity", True, _diversity),
        "distinct_2": ("Different word pairs in a place's texts", "diversity", True, _distinct),
        "symbol_distinctness": ("Distance between places' symbols", "distinctiveness", None, distinctness),
        "markedness_gap": ("Markedness, most marked place minus least", "fairness", False, _gap),
    }
    if named is not None:
        del figures["symbol_distinctness"], figures["markedness_gap"]  # these texts are about no place
    for name, (title, dimension, better, value_of) in figures.items():
        system.figures[name] = _figure(title, dimension, better, value_of, texts)
    if named is None:
        system.detail["symbols"] = own_symbols(texts)
        return
    system.figures["leak_evenness"] = _figure(
        "Evenness of whose symbols stand in texts about nobody", "fairness", True,
        lambda part: evenness(leak(part, named)), texts,
    )  # fmt: skip
    counts = leaked(texts, named)
    system.detail["leaked"] = int(counts.sum())  # how often a symbol that is somebody's stands in them
    shares = leak(texts, named)
    system.detail["leak"] = {place: number(share) for place, share in zip(texts.places, shares, strict=True)}
    if counts.sum() >= LEAST_LEAKED:
        system.detail["default_culture"] = texts.places[int(shares.argmax())]


def distinctness(texts: Texts) -> float:
    """Mean Jensen-Shannon distance between two places' symbols, 0 to 1; it grows as texts get fewer."""
    symbols = texts.symbols
    counts = texts.holding(symbols)
    if len(symbols) < 2 or (counts.sum(1) == 0).any():
        return float("nan")
    shares = counts / counts.sum(1, keepdims=True)
    first, second = (np.asarray(side) for side in zip(*combinations(range(len(shares)), 2), strict=True))
    return float(jensen_shannon_rows(shares[first], shares[second]).mean())


def shuffled_distinctness(texts: Texts, seed: int) -> dict[str, Any]:
    """The same distance when texts of one draw change places at random: what amount of text alone brings about."""
    rng = np.random.default_rng([seed, len(texts.texts)])
    values = []
    for _ in range(SHUFFLES):
        moved = []
        for group in texts.groups:
            mine = [each for each in texts.texts if each.group == group]
            places = rng.permutation([each.place for each in mine]).tolist()
            moved += [each._replace(place=place) for each, place in zip(mine, places, strict=True)]
        values.append(distinctness(Texts(texts.places, tuple(moved))))
    low, high = (number(float(end)) for end in np.quantile(values, [0.025, 0.975]))
    return {
        "title": "Distance between places' symbols", "value": number(float(np.mean(values))),
        "interval": None if low is None else [low, high], "higher_is_better": None, "dimension": "distinctiveness",
    }  # fmt: skip


def own_symbols(texts: Texts) -> dict[str, list[list[Any]]]:
    """What stands out in each place's texts, with the number of texts, commonest first."""
    symbols = texts.symbols
    if not symbols:
        return {place: [] for place in texts.places}
    counts, owner = texts.holding(symbols), _owners(texts, symbols)
    found: dict[str, list[list[Any]]] = {}
    for row, place in enumerate(texts.places):
        own = {symbols[at]: int(counts[row, at]) for at in np.flatnonzero(owner == row)}
        told = [name for name in own if not any(_within(name, other) and own[other] == own[name] for other in own)]
        found[place] = [[name, own[name]] for name in sorted(told, key=lambda name: (-own[name], name))[:SHOWN]]
    return found


def leak(free: Texts, named: Texts) -> Floats:
    """Whose symbols stand in texts about nobody: share of each place [P], `nan` where there is none."""
    counts = leaked(free, named)
    return leak_shares(counts, np.arange(len(counts)), len(counts))


def leaked(free: Texts, named: Texts) -> Floats:
    """How many symbols of each place stand in texts about nobody, each once a text [P].

    A symbol and a longer one that holds it are one thing: the longest that a text holds speaks for it.
    """
    counts = np.zeros(len(named.places))
    symbols = named.symbols
    owner = _owners(named, symbols) if symbols else np.empty(0, dtype=np.int64)
    place_of = {symbol: int(place) for symbol, place in zip(symbols, owner, strict=True) if place != NOBODY}
    for each in free.texts:
        held = each.symbols & place_of.keys()
        for symbol in held:
            if not any(_within(symbol, other) for other in held):
                counts[place_of[symbol]] += 1
    return counts


def _within(symbol: str, other: str) -> bool:
    """Whether a symbol is a part of a longer one, in whole words."""
    return symbol != other and f" {symbol} " in f" {other} "


def _owners(texts: Texts, symbols: list[str]) -> Any:
    counts = texts.holding(symbols)
    sizes = np.asarray([len(texts.of(place)) for place in texts.places])
    return owners(smoothed_log_odds(counts, sizes), counts, STANDS_OUT)


def _diversity(texts: Texts) -> float:
    counts = texts.holding(texts.symbols)
    return float(np.mean([simpson_diversity(row) for row in counts])) if counts.size else float("nan")


def _distinct(texts: Texts) -> float:
    return float(np.mean([distinct_n([each.words for each in texts.of(place)], 2) for place in texts.places]))


def _gap(texts: Texts) -> float:
    shares = [np.mean([is_marked(each.text) for each in texts.of(place)]) for place in texts.places]
    return float(np.max(shares) - np.min(shares))


def _figure(
    title: str, dimension: str, better: bool | None, value_of: Callable[[Texts], float], texts: Texts
) -> dict[str, Any]:
    value, groups = value_of(texts), texts.groups
    left = np.asarray([value_of(texts.without(group)) for group in groups]) if len(groups) > 1 else np.asarray([np.nan])
    known = np.isfinite(value) and np.isfinite(left).all()
    ends = jackknife_interval(value, left) if known else None
    held = None if ends is None else [max(0.0, ends[0]), min(1.0, ends[1])]  # every figure here is from 0 to 1
    return {
        "title": title, "value": number(value), "interval": held,
        "higher_is_better": better, "dimension": dimension,
    }  # fmt: skip
