"""Response distributions from the answers of respondents, with their population weights.

The file is read in blocks, only the columns that are needed, and only sums are kept: memory does not grow with its
length. It is checked against the codebook as a whole: every cell that does not fit is counted, every column and value
with such cells is named, and then nothing is returned.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Floats
from calm_lm.survey.cell import Cell
from calm_lm.survey.codebook import Codebook, code_of
from calm_lm.survey.countries import find_country
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.instrument import Instrument, Survey
from calm_lm.survey.item import SurveyItem
from calm_lm.survey.respondents import UNKNOWN, WRONG, Column, Ints, Mismatches, read_checked

NOT_ASKED = "answers of people who were not asked"
NO_CODE = "is neither an option nor a missing code"
OUTSIDE = "respondents outside of the cells (a group's value is unknown)"


class _Part(NamedTuple):
    """Whose answers a sum holds."""

    cell: Cell
    wave: str
    date: str


@dataclass
class _Sums:
    """Of one item: by part and code, the weights, their squares and the respondents. Rows are added as parts appear."""

    codes: int
    weight: Floats
    squares: Floats
    count: Ints

    @classmethod
    def empty(cls, codes: int) -> _Sums:
        return cls(codes, np.zeros((0, codes)), np.zeros((0, codes)), np.zeros((0, codes), dtype=np.int64))

    def add(self, parts: int, part: Ints, code: Ints, weight: Floats) -> None:
        grown = parts - len(self.weight)
        if grown > 0:
            self.weight, self.squares, self.count = (
                np.concatenate([each, np.zeros((grown, self.codes), dtype=each.dtype)])
                for each in (self.weight, self.squares, self.count)
            )
        use = (part >= 0) & (code >= 0)
        flat, size = part[use] * self.codes + code[use], parts * self.codes
        shape = (parts, self.codes)
        self.weight += np.bincount(flat, weights=weight[use], minlength=size).reshape(shape)
        self.squares += np.bincount(flat, weights=weight[use] ** 2, minlength=size).reshape(shape)
        self.count += np.bincount(flat, minlength=size).reshape(shape)


class Lookup(NamedTuple):
    """Columns that stand in another file, by the value of a column that both have.

    Attributes:
        key: the column that both have.
        columns: by name, from a value of `key` to what stands there; a value that is absent has nothing.
    """

    key: str
    columns: Mapping[str, Mapping[str, str]]

    def fill(self, read: dict[str, Column]) -> None:
        """Add these columns to a block that has the key's."""
        if self.key in read:
            read |= {name: read[self.key].through(table) for name, table in self.columns.items()}


def survey_from_microdata(
    path: Path, codebook: Codebook, *, by: Sequence[str] = (), lookup: Lookup | None = None, notes: str = ""
) -> Survey:
    """The survey that a file of respondents holds.

    An item's shares in a cell are the sums of weights of each answer, divided by their total over valid answers. Its
    `missing_share` is over the people asked; `n` counts valid answers, `n_effective` is Kish's (sum of weights)^2 / sum
    of squared weights over them. Cells are countries, or parts of them with `by`; with a column for the wave each wave
    has its own distributions.

    Args:
        path: a CSV file (comma, semicolon or tab) with a header, one respondent a row.
        codebook: what its columns mean.
        by: names among `codebook.groups`; respondents whose value is unknown fall into no cell and are counted.
        lookup: where the file itself has no country or no groups.
        notes: for the instrument.

    Returns:
        The survey; `left_out` counts respondents outside of the cells, cells without a valid answer and answers of
        people who were not asked.

    Raises:
        CalmError: F01 for a file that cannot be read, V49 for one that is no CSV, V50 for an unknown group, V51 where
            it does not fit the codebook (every column and value that does not), V52 without any respondent.

    Source: Kish, Survey Sampling, 1965, section 11.7 (effective sample size).
    """
    path = Path(path)
    for name in by:
        if name not in codebook.groups:
            fix = f"use {', '.join(codebook.groups) or 'none: the codebook names no groups'}."
            raise CalmError("V50", "the codebook knows no such group.", file=path, field="by", value=name, fix=fix)
    totals = _read(path, codebook, by, lookup)
    items = codebook.items
    found: list[ResponseDistribution] = []
    left_out = totals.left_out
    for item in items:
        found += _distributions(item, codebook, totals.sums[item.id], list(totals.parts), left_out)
    return Survey(
        instrument_of(codebook, notes), tuple(found), {reason: count for reason, count in left_out.items() if count}
    )


def survey_with_cells(
    path: Path, codebook: Codebook, *, by: Sequence[str], lookup: Lookup | None = None, notes: str = ""
) -> Survey:
    """Everyone of each country, and beside them the cells of `by`; without `by` everyone alone.

    Everyone includes the people whose group is not known, so the file is read twice. Arguments and errors as in
    `survey_from_microdata`; `left_out` counts as there for everyone, and the people outside of the cells.
    """
    whole = survey_from_microdata(path, codebook, lookup=lookup, notes=notes)
    if not by:
        return whole
    cells = survey_from_microdata(path, codebook, by=by, lookup=lookup, notes=notes)
    left_out = {**{why: n for why, n in cells.left_out.items() if why == OUTSIDE}, **whole.left_out}
    return Survey(whole.instrument, whole.distributions + cells.distributions, left_out)


class _Totals(NamedTuple):
    parts: Mapping[_Part, int]
    sums: Mapping[str, _Sums]
    left_out: Counter[str]


def _read(path: Path, codebook: Codebook, by: Sequence[str], lookup: Lookup | None) -> _Totals:
    wrong, parts, left_out = Mismatches(), dict[_Part, int](), Counter[str]()
    elsewhere = lookup.columns if lookup else {}
    groups = [codebook.groups[name] for name in by]
    extra = [name for name in (codebook.weight, codebook.wave, codebook.date) if name]
    own = [group.column for group in groups if group.column not in elsewhere]
    wanted = dict.fromkeys([lookup.key if lookup else codebook.country, *extra, *own, *codebook.columns.values()])
    codes = {item.id: code_index(item) for item in codebook.items}
    sums = {item.id: _Sums.empty(len(codes[item.id])) for item in codebook.items}
    for read, numbers in read_checked(path, list(wanted), wrong):
        if lookup is not None:
            lookup.fill(read)
        part = _parts(read, codebook, by, parts, wrong, numbers)
        weight = _weights(read, codebook, wrong, numbers)
        left_out[OUTSIDE] += int((part == UNKNOWN).sum())
        for item in codebook.items:
            name = codebook.columns[item.id]
            if name in read:
                code = read[name].coded(codes[item.id], wrong, name, NO_CODE, numbers)
                sums[item.id].add(len(parts), part, code, weight)
    return _Totals(parts, sums, left_out)


def instrument_of(codebook: Codebook, notes: str = "") -> Instrument:
    """The questions of a codebook."""
    return Instrument.of(
        codebook.items,
        name=codebook.name,
        title=codebook.title,
        licence=codebook.licence,
        citation=codebook.citation,
        notes=notes,
    )


def code_index(item: SurveyItem) -> dict[str, int]:
    """Codes of an item's options, then of its missing answers, with their places."""
    return {option.code: at for at, option in enumerate((*item.options, *item.missing))}


def find_countries(
    read: Mapping[str, Column], codebook: Codebook, wrong: Mismatches, numbers: range
) -> tuple[Ints, list[str | None]]:
    """Each row's country as a place in the ids that stand second; `WRONG` where it is not known, which is noted."""
    column = read[codebook.country]
    ids = [codebook.countries.get(code_of(value)) or find_country(value, codebook.coding) for value in column.values]
    table = [WRONG if known is None else at for at, known in enumerate(ids)]
    return column.lookup(table, wrong, codebook.country, "is no known country", numbers), ids


def _parts(
    read: Mapping[str, Column],
    codebook: Codebook,
    by: Sequence[str],
    parts: dict[_Part, int],
    wrong: Mismatches,
    numbers: range,
) -> Ints:
    """Each row's part, as a number that `parts` knows; new ones are added to it."""
    rows = len(numbers)
    nothing = np.full(rows, UNKNOWN, dtype=np.int64)
    if codebook.country not in read:
        return nothing
    country, ids = find_countries(read, codebook, wrong, numbers)
    keys, names = [country], [ids]
    for name in by:
        group = codebook.groups[name]
        if group.column not in read:
            return nothing
        labels = [group.values.get(code_of(value)) for value in read[group.column].values]
        known_at = np.asarray([UNKNOWN if each is None else at for at, each in enumerate(labels)])
        keys.append(known_at[read[group.column].places])
        names.append(labels)
    for extra in (codebook.wave, codebook.date):
        if extra and extra in read:
            keys.append(read[extra].places)
            names.append([code_of(value) for value in read[extra].values])
    together = np.stack(keys, axis=1)
    usable = (together >= 0).all(axis=1)
    out = nothing.copy()
    out[(together == WRONG).any(axis=1)] = WRONG
    if usable.any():
        distinct, back = np.unique(together[usable], axis=0, return_inverse=True)
        known = [_part(codebook, by, [names[i][at] for i, at in enumerate(row)]) for row in distinct]
        out[usable] = np.asarray([parts.setdefault(part, len(parts)) for part in known])[back.reshape(-1)]
    return out


def _part(codebook: Codebook, by: Sequence[str], values: Sequence[str | None]) -> _Part:
    texts = [value or "" for value in values]
    groups, rest = tuple(zip(by, texts[1:], strict=False)), texts[1 + len(by) :]
    wave = rest.pop(0) if codebook.wave and rest else ""
    return _Part(Cell(texts[0], groups), wave, rest[0] if rest else "")


def _weights(read: Mapping[str, Column], codebook: Codebook, wrong: Mismatches, numbers: range) -> Floats:
    if codebook.weight is None or codebook.weight not in read:
        return np.ones(len(numbers))
    column = read[codebook.weight]
    weights = [_weight(value) for value in column.values]
    column.lookup(
        [WRONG if weight is None else 0 for weight in weights],
        wrong, codebook.weight, "is no weight (a number from 0)", numbers,
    )  # fmt: skip
    return np.asarray([weight or 0.0 for weight in weights])[column.places]


def _weight(text: str) -> float | None:
    try:
        weight = float(text)
    except ValueError:
        return None
    return weight if 0 <= weight < math.inf else None


def _distributions(
    item: SurveyItem, codebook: Codebook, sums: _Sums, parts: Sequence[_Part], left_out: Counter[str]
) -> Iterator[ResponseDistribution]:
    codes = [option.code for option in (*item.options, *item.missing)]
    asked = np.asarray([code not in codebook.not_asked for code in codes])
    dates: dict[tuple[Cell, str], list[int]] = {}
    for at, part in enumerate(parts):
        dates.setdefault((part.cell, part.wave), []).append(at)
    for (cell, wave), places in dates.items():
        weight, squares, count = (each[places].sum(axis=0) for each in (sums.weight, sums.squares, sums.count))
        left_out[NOT_ASKED] += int(count[~asked].sum())
        valid = slice(0, len(item.options))
        if weight[valid].sum() <= 0:
            left_out["items without a valid answer in a cell"] += 1
            continue
        yield ResponseDistribution.from_counts(
            item,
            cell,
            {code: float(each) for code, each, use in zip(codes, weight, asked, strict=True) if use},
            known_n=int(count[valid].sum()),
            n_effective=float(weight[valid].sum() ** 2 / squares[valid].sum()),
            weighted=codebook.weight is not None,
            wave=wave,
            date=_span([parts[at].date for at in places if sums.count[at, valid].sum()]),
        )


def _span(dates: Sequence[str]) -> str:
    """`2018`, or `2018-2020` where people were asked over years."""
    return "-".join(dict.fromkeys((min(dates), max(dates)))) if dates else ""
