"""Who answered what: the respondents of a file one by one, for splits that keep people apart.

The file is checked as for shares (`survey.microdata`). Unlike them this grows with it: a byte for each respondent and
question, 20 MB for 100,000 respondents and 200 questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from calm_lm.stats.arrays import Bools
from calm_lm.survey.codebook import Codebook, code_of
from calm_lm.survey.instrument import Instrument
from calm_lm.survey.microdata import NO_CODE, Lookup, code_index, find_countries, instrument_of
from calm_lm.survey.respondents import WRONG, Block, Ints, Mismatches, read_checked, read_header


class Names(NamedTuple):
    """A text for each row, as places in the sorted list of the different ones.

    Attributes:
        known: the different texts, sorted.
        at: place of each row's text [N].
    """

    known: tuple[str, ...]
    at: Ints

    @classmethod
    def of(cls, rows: Sequence[str]) -> Names:
        """From the text of each row."""
        known = tuple(sorted(set(rows)))
        place = {name: at for at, name in enumerate(known)}
        return cls(known, np.asarray([place[name] for name in rows], dtype=np.int64))

    def rows(self) -> list[str]:
        """The text of each row."""
        return [self.known[at] for at in self.at.tolist()]

    def among(self, names: Sequence[str]) -> Bools:
        """Rows whose text is one of these [N]."""
        wanted = set(names)
        return np.asarray([name in wanted for name in self.known], dtype=bool)[self.at]


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The rows of a file of respondents.

    Attributes:
        path: of the file.
        column: the column that tells persons apart; None where every row counts as a person of its own.
        instrument: the questions, in the order of `answered`.
        person: who each row is: the text of `column`, or the row's line in the file [N].
        culture: country of each row [N].
        wave: wave of each row; empty where the codebook names no such column [N].
        answered: whether a valid answer was given [N, Q].
    """

    path: Path
    column: str | None
    instrument: Instrument
    person: Names
    culture: Names
    wave: Names
    answered: Bools


class _Part(NamedTuple):
    """What a block tells of its rows."""

    person: list[str]
    culture: list[str]
    wave: list[str]
    answered: Bools


def read_people(path: Path, codebook: Codebook, *, usual: str | None = None, lookup: Lookup | None = None) -> People:
    """The respondents of a file.

    Args:
        path: as `survey_from_microdata` takes it.
        codebook: what its columns mean; its `person` tells persons apart.
        usual: the column that tells them apart in the layout as published; used where it is there and the codebook
            names none.
        lookup: where the file itself has no country.

    Raises:
        CalmError: F01, V49, V51 (also for a row without a person), V52.
    """
    path, wrong = Path(path), Mismatches()
    first = lookup.key if lookup else codebook.country
    column = codebook.person or (usual if usual in read_header(path, first)[0] else None)
    wanted = [first, *(name for name in (column, codebook.wave) if name), *codebook.columns.values()]
    parts = []
    for block in read_checked(path, list(dict.fromkeys(wanted)), wrong):
        if lookup is not None:
            lookup.fill(block.columns)
        parts.append(_part(block, codebook, column, wrong))
    return People(
        path,
        column,
        instrument_of(codebook),
        Names.of([each for part in parts for each in part.person]),
        Names.of([each for part in parts for each in part.culture]),
        Names.of([each for part in parts for each in part.wave]),
        np.concatenate([part.answered for part in parts]),
    )


def _part(block: Block, codebook: Codebook, column: str | None, wrong: Mismatches) -> _Part:
    """A block's rows; of a column that is missing nothing is told, and the reading ends in an error."""
    read, numbers = block
    person, culture, wave = [str(row) for row in numbers], [""] * len(numbers), [""] * len(numbers)
    if column in read:
        names = [name.strip() for name in read[column].values]
        table = [at if name else WRONG for at, name in enumerate(names)]
        places = read[column].lookup(table, wrong, column, "is no person", numbers)
        person = [names[at] if at >= 0 else "" for at in places.tolist()]
    if codebook.country in read:
        places, ids = find_countries(read, codebook, wrong, numbers)
        culture = [(ids[at] or "") if at >= 0 else "" for at in places.tolist()]
    if codebook.wave in read:
        waves = [code_of(value) for value in read[codebook.wave].values]
        wave = [waves[at] for at in read[codebook.wave].places.tolist()]
    answered = np.zeros((len(numbers), len(codebook.items)), dtype=bool)
    for place, item in enumerate(codebook.items):
        name = codebook.columns[item.id]
        if name in read:
            code = read[name].coded(code_index(item), wrong, name, NO_CODE, numbers)
            answered[:, place] = (code >= 0) & (code < len(item.options))
    return _Part(person, culture, wave, answered)
