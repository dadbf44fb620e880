"""A synthetic survey with planted truth: invented people of invented places; nobody was asked anything.

Twenty-four authored items on five everyday topics, eight places, two waves. Each place has a position on two planted
dimensions, which moves between the waves; an item's shares follow from the position by a formula. Methods that claim to
recover values from answers can be tested against what was planted.

    ordinal   shares ~ exp(-(p - m)^2 / (2 * 0.28^2)), m = 1 / (1 + exp(-1.6 * (a*u + b*v)))
    nominal   shares ~ exp(1.4 * (a*u + b*v) of the option)

with (u, v) the place's position, (a, b) the loading of the item or of the option, and p from 0 to 1 the option's place.

Cut into groups, a place's people stand off its position: women +0.3 and men -0.3 on both dimensions, the young +0.4 and
the old -0.4 on the first. Everyone is then the mixture of the groups. Few were asked in one place, so that two of its
groups are too small to be judged.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Floats
from calm_lm.survey.cell import Cell
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.instrument import Instrument, Survey
from calm_lm.survey.item import Option, SurveyItem
from calm_lm.survey.registry import SurveySource
from calm_lm.survey.toy_items import ITEMS, ToyItem

SEED = 7
DIMENSIONS = ("novelty", "togetherness")
PLACES = tuple(f"x-toy-{name}" for name in ("aster", "birch", "cedar", "daisy", "elder", "fern", "gorse", "hazel"))
WAVES = {"1": "2010", "2": "2020"}
N = 1000  # invented respondents a place and wave
MISSING = (Option("-1", "Don't know"), Option("-2", "No answer"))
MISSING_SHARE = 0.04
WIDTH, STEEPNESS, SHARPNESS = 0.28, 1.6, 1.4
FEW = {"x-toy-hazel": 200}  # asked there, where groups are told apart
GROUPS: Mapping[str, Mapping[str, tuple[float, tuple[float, float]]]] = {  # share of the people, and how they stand off
    "sex": {"female": (0.5, (0.3, 0.3)), "male": (0.5, (-0.3, -0.3))},
    "age": {"16 to 29": (0.2, (0.4, 0.0)), "30 to 49": (0.4, (0.0, 0.0)), "50 and over": (0.4, (-0.4, 0.0))},
}


def toy_positions(wave: str, seed: int = SEED) -> Mapping[str, Floats]:
    """Planted position [2] of each place on `DIMENSIONS`, each from -1 to 1.

    Args:
        wave: `1` or `2`.
        seed: of the synthetic world.
    """
    rng = np.random.default_rng(seed)
    first = rng.uniform(-1, 1, (len(PLACES), 2))
    moved = np.clip(first + rng.normal(0.15, 0.2, first.shape), -1, 1)
    return dict(zip(PLACES, first if wave == "1" else moved, strict=True))


def toy_shares(item: ToyItem, position: Floats) -> Floats:
    """Planted shares [K] of an item's options at a position [2]."""
    if item.scale == "nominal":
        powers = np.exp(SHARPNESS * np.asarray(item.loadings) @ position)
    else:
        places = np.linspace(0, 1, len(item.options))
        middle = 1 / (1 + np.exp(-STEEPNESS * float(np.asarray(item.loadings[0]) @ position)))
        powers = np.exp(-((places - middle) ** 2) / (2 * WIDTH**2))
    shares: Floats = powers / powers.sum()
    return shares


def toy_survey(seed: int = SEED) -> Survey:
    """The synthetic survey; the same seed gives the same."""
    found = [
        _answers(each, Cell(place), toy_shares(each, position), N, wave)
        for wave in WAVES
        for place, position in toy_positions(wave, seed).items()
        for each in ITEMS
    ]
    return Survey(_instrument(), tuple(found))


def toy_groups(by: Sequence[str], seed: int = SEED) -> Survey:
    """The synthetic survey with the cells of some groups beside everyone of each place.

    Args:
        by: names among `GROUPS`.
        seed: of the synthetic world.

    Raises:
        CalmError: V94 for another name.
    """
    for name in by:
        if name not in GROUPS:
            fix = f"use {' or '.join(GROUPS)}."
            raise CalmError("V94", "is no group of the synthetic survey.", field="by", value=name, fix=fix)
    found: list[ResponseDistribution] = []
    for wave in WAVES:
        for place, position in toy_positions(wave, seed).items():
            asked = FEW.get(place, N)
            for each in ITEMS:
                shares: dict[Cell, Floats] = {}
                sizes: dict[Cell, float] = {}
                for values in product(*GROUPS.values()):
                    told = dict(zip(GROUPS, values, strict=True))
                    parts = [GROUPS[name][value] for name, value in told.items()]
                    size = float(np.prod([share for share, _ in parts]))
                    answers = size * toy_shares(each, position + np.sum([step for _, step in parts], axis=0))
                    # everyone first; without `by` both are the same cell
                    for cell in dict.fromkeys((Cell(place), Cell(place, tuple((name, told[name]) for name in by)))):
                        shares[cell] = shares.get(cell, 0.0) + answers
                        sizes[cell] = sizes.get(cell, 0.0) + size
                found += [
                    _answers(each, cell, sums / sizes[cell], round(asked * sizes[cell]), wave)
                    for cell, sums in shares.items()
                ]
    return Survey(_instrument(), tuple(found))


def _answers(item: ToyItem, cell: Cell, shares: Floats, n: int, wave: str) -> ResponseDistribution:
    return ResponseDistribution(
        item=item.id,
        cell=cell,
        shares=tuple(shares.tolist()),
        missing_share=MISSING_SHARE,
        n=n,
        n_effective=float(n),
        weighted=False,
        wave=wave,
        date=WAVES[wave],
    )


def _instrument() -> Instrument:
    return Instrument.of(
        (_item(each) for each in ITEMS),
        name="toy",
        title=SOURCE.title,
        licence=SOURCE.licence,
        citation=SOURCE.citation,
        languages=("en", "es", "fr"),
        notes="Synthetic: invented answers of invented places. Some items have Spanish and French texts.",
    )


class ToyMicrodata(NamedTuple):
    """What `write_toy_microdata` wrote.

    Attributes:
        path: the CSV: `place`, `sex`, `weight`, `year` and one column an item.
        codebook: its codebook in YAML.
        truth: shares [K] of the population by item and place; the weighted shares of the file are exactly these.
    """

    path: Path
    codebook: Path
    truth: Mapping[tuple[str, str], Floats]


def write_toy_microdata(folder: Path, *, seed: int = SEED, n: int = 200) -> ToyMicrodata:
    """Synthetic respondents whose true shares are known.

    Three quarters of the respondents of a place are women, half of its population is; women answer as if they lived a
    step higher on both dimensions. Weights (2/3 and 2) undo the sampling, so that shares without them are wrong.

    Args:
        folder: where `toy.csv` and `codebook.yaml` are written.
        seed: of positions and of who gives no answer.
        n: respondents a place, a multiple of 4.
    """
    rng = np.random.default_rng(seed)
    strata = (("female", n * 3 // 4, 0.3), ("male", n - n * 3 // 4, -0.3))
    truth: dict[tuple[str, str], Floats] = {}
    rows: list[list[object]] = []
    for place, position in toy_positions("2", seed).items():
        answers: list[list[str]] = []
        columns: dict[str, list[list[str]]] = {sex: [] for sex, _, _ in strata}
        for item in ITEMS:
            parts = []
            for sex, size, shift in strata:
                counts = _quotas(toy_shares(item, position + shift), size)
                codes = [code for code, count in zip(item.codes, counts, strict=True) for _ in range(int(count))]
                columns[sex].append([str(code) for code in rng.permutation(codes)])
                parts.append(counts / size)
            truth[item.id, place] = np.mean(parts, axis=0)
        for sex, _, _ in strata:
            answers = [list(each) for each in zip(*columns[sex], strict=True)]
            weight = 0.5 * n / len(answers)
            rows += [[place, sex, f"{weight:.12g}", 2020, *each] for each in answers]
            # people who answered nothing: no valid answer, so the shares stay what they are
            rows += [[place, sex, f"{weight:.12g}", 2020, *rng.choice(["-1", "-2"], len(ITEMS))] for _ in range(2)]
    path, codebook = folder / "toy.csv", folder / "codebook.yaml"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["place", "sex", "weight", "year", *(item.id for item in ITEMS)], *rows])
    codebook.write_text(_codebook(), encoding="utf-8")
    return ToyMicrodata(path, codebook, truth)


def _quotas(shares: Floats, size: int) -> Floats:
    """Whole numbers that sum to `size`, as near to the shares as they can be (largest remainders)."""
    exact = shares * size
    counts = np.floor(exact)
    for place in np.argsort(exact - counts)[::-1][: size - int(counts.sum())]:
        counts[place] += 1
    return counts


def _item(item: ToyItem) -> SurveyItem:
    return SurveyItem(
        id=item.id,
        text=item.text,
        options=tuple(Option(code, text) for code, text in zip(item.codes, item.options, strict=True)),
        scale=item.scale,
        missing=MISSING,
        topic=item.topic,
        source="synthetic",
        translations=item.translations,
    )


def _codebook() -> str:
    import yaml

    entries = {
        item.id: {
            "text": item.text,
            "options": dict(zip(item.codes, item.options, strict=True)),
            "scale": item.scale,
            "topic": item.topic,
        }
        for item in ITEMS
    }
    book = {
        "name": "toy-microdata",
        "title": "Synthetic respondents",
        "licence": "Apache-2.0",
        "citation": "none: synthetic",
        "country": {"column": "place", "coding": "label"},
        "countries": {place: place for place in PLACES},
        "weight": "weight",
        "date": "year",
        "missing": {option.code: option.text for option in MISSING},
        "groups": {"sex": {"column": "sex", "values": {"female": "female", "male": "male"}}},
        "items": entries,
    }
    return str(yaml.safe_dump(book, sort_keys=False, allow_unicode=True, width=120))


def load(folder: Path) -> Survey:
    """The synthetic survey; the folder is not used."""
    return toy_survey()


def cut(folder: Path, by: tuple[str, ...]) -> Survey:
    """The synthetic survey with groups; the folder is not used."""
    return toy_groups(by)


SOURCE = SurveySource(
    name="toy",
    title="Toy survey (synthetic)",
    summary="Synthetic: 24 invented items, eight invented places, two waves, answers computed from planted positions.",
    licence="Apache-2.0",
    citation="Part of calm-lm; synthetic, nobody was asked.",
    folder="",
    signs=(),
    load=load,
    cut=cut,
    obtain="it comes with the package.",
    bundled=True,
)
