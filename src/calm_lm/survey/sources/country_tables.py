"""Published figures by country, read from the user's copy: Hofstede's scores, means and factors of the WVS.

The figures are others' and never come with the package. A mean over codes says nothing about how answers spread, and
of a nominal question it says nothing at all; such a table is marked `scaled=False`, gives columns only by name, and
never becomes a distribution.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from calm_lm.data.tables import Row, read_table
from calm_lm.errors import CalmError
from calm_lm.files import disk_errors
from calm_lm.survey.indices import Points
from calm_lm.survey.sources.country_names import new_country

_HOFSTEDE_COLUMNS = {"pdi": "PDI", "idv": "IDV", "mas": "MAS", "uai": "UAI", "ltowvs": "LTO", "ivr": "IVR"}
_MISSING = "#NULL!"  # as SPSS writes it
_ABOUT = ("ctr", "country", "Demonym")
_FACTORS = (
    "Traditional vs Secular Values",
    "Survival vs Self-expression Values",
    "Neutrality",
    "Fairness",
    "Skepticism",
    "Societal Tranquility",
)
_EECC = "Bhatt & Diaz. Extrinsic Evaluation of Cultural Competence in Large Language Models. Findings of EMNLP 2024"
_WVS = "Haerpfer and others (eds.). World Values Survey Wave 7 (2017-2022)"


@dataclass(frozen=True)
class CountryTable:
    """Numbers by country and column.

    Attributes:
        name: of the table.
        columns: in the order of the file.
        rows: values by culture id, one per column, None where missing.
        licence: of the figures, in words where there is no SPDX id.
        citation: how to cite them.
        notes: what a reader must know.
        scaled: every column lies on a scale that means something; False for means of raw codes.
    """

    name: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | None, ...]]
    licence: str
    citation: str
    notes: tuple[str, ...] = ()
    scaled: bool = True

    @cached_property
    def complete(self) -> tuple[str, ...]:
        """Ids whose columns are all known, sorted."""
        return tuple(sorted(each for each, values in self.rows.items() if None not in values))

    @cached_property
    def communities(self) -> tuple[str, ...]:
        """Ids of what is no country (`x-NAME`), sorted."""
        return tuple(sorted(each for each in self.rows if each.startswith("x-")))

    def points(self, columns: Sequence[str] | None = None) -> Points:
        """Values by culture and column, for comparing.

        Args:
            columns: which; None for all, which a table of means without a scale refuses.

        Raises:
            CalmError: V84 for all columns of a table without a scale, V85 for a column that is not there.
        """
        if columns is None and not self.scaled:
            raise CalmError(
                "V84", "some columns are means of nominal codes, which have no meaning.", field=self.name,
                fix="name the columns of ordinal questions (see the survey's codebook).",
            )  # fmt: skip
        wanted = self.columns if columns is None else tuple(columns)
        places = {column: self._place(column) for column in wanted}
        return {each: {column: values[at] for column, at in places.items()} for each, values in self.rows.items()}

    def distributions(self) -> NoReturn:
        """Refuse: no distribution can be built out of one number a country.

        Raises:
            CalmError: V83, always.
        """
        raise CalmError(
            "V83", "holds one number a country, and no distribution follows from a mean.", field=self.name,
            fix="use a source with shares or respondents' answers; compare these figures as points.",
        )  # fmt: skip

    def _place(self, column: str) -> int:
        if column not in self.columns:
            raise CalmError(
                "V85", "is no column of this table.", field=self.name, value=column,
                fix=f"use one of {', '.join(self.columns[:10])}{', ...' * (len(self.columns) > 10)}.",
            )  # fmt: skip
        return self.columns.index(column)


def load_hofstede(folder: Path) -> CountryTable:
    """Hofstede's six scores, `distances_hofstede_raw_with_demonymns.csv`; `ltowvs` is LTO as computed from the WVS.

    Args:
        folder: holds the file.

    Raises:
        CalmError: D10 to D25 for a malformed file, V33 or V81 for a country that is unknown
            or stands twice, V82 for what is no number.
    """
    path = Path(folder) / "distances_hofstede_raw_with_demonymns.csv"
    table = read_table(path, ("country", *_HOFSTEDE_COLUMNS))
    return CountryTable(
        name="hofstede",
        columns=tuple(_HOFSTEDE_COLUMNS.values()),
        rows=_rows(table.rows, tuple(_HOFSTEDE_COLUMNS), missing=_MISSING),
        licence="figures of the rights holder, for research; no open licence (the collection: MIT)",
        citation=f"Hofstede, Hofstede & Minkov. Cultures and Organizations. 2010. Collected by {_EECC}.",
        notes=(
            "scores of language groups, regions and parts of a country stand under ids of communities (x-NAME).",
            "scores of one's own samples are not comparable to these in level, only between countries.",
        ),
    )


def load_wvs_means(folder: Path) -> CountryTable:
    """Mean codes of every question of WVS wave 7 by country, `wvs_250_dims_with_demonyms.csv`.

    Args:
        folder: holds the file; its questions are the columns beside `ctr`, `country` and `Demonym`.

    Raises:
        CalmError: as in `load_hofstede`.
    """
    path = Path(folder) / "wvs_250_dims_with_demonyms.csv"
    columns = tuple(name for name in _header(path) if name not in _ABOUT)
    return CountryTable(
        name="wvs-means",
        columns=columns,
        rows=_rows(read_table(path, ("country", *columns)).rows, columns, missing=_MISSING),
        licence="aggregates of the World Values Survey, to be cited (the collection: MIT)",
        citation=f"{_WVS}. Collected by {_EECC}.",
        notes=(
            "means of raw codes: those of nominal questions have no meaning.",
            "columns are numbered by the collection; check them against the codebook before naming a question.",
        ),
        scaled=False,
    )


def load_wvs7_factors(folder: Path) -> CountryTable:
    """Six factors of WVS wave 7 by country, `wave_7.csv`.

    Args:
        folder: holds the file.

    Raises:
        CalmError: as in `load_hofstede`.
    """
    table = read_table(Path(folder) / "wave_7.csv", ("country", *_FACTORS))
    return CountryTable(
        name="wvs7-factors",
        columns=_FACTORS,
        rows=_rows(table.rows, _FACTORS),
        licence="GPL-3.0",
        citation=f"Rouillard, Zenebe, Green, Sumpter and others. TwelveGPT educational, model card. {_WVS}.",
        notes=(
            "weighted by its authors: the first two are not the official Inglehart-Welzel coordinates.",
            "the factors have different spreads: divide each by its own before distances over several.",
        ),
    )


def _rows(
    rows: Sequence[Row], columns: Sequence[str], *, missing: str | None = None
) -> dict[str, tuple[float | None, ...]]:
    found: dict[str, tuple[float | None, ...]] = {}
    for row in rows:
        culture = new_country(row.text("country"), found, file=row.file, row=row.number, field="country")
        found[culture] = tuple(None if row[column] == missing else _number(row, column) for column in columns)
    return found


def _number(row: Row, column: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise CalmError(
            "V82",
            "is not a finite number.",
            fix="correct the cell, or take the file as published.",
            **row.place(column),
        )
    return value


def _header(path: Path) -> list[str]:
    """Names of the columns; what is wrong with the file is for `read_table` to say."""
    if not path.is_file():
        return []
    with disk_errors(path), path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        return [name.strip() for name in next((cells for cells in csv.reader(stream) if cells), [])]
