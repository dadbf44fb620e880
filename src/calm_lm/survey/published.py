"""Published material that is no survey of shares: figures by country and questionnaires, found in the user's folder.

What is read lies where `calm` looks for data sets, each in a folder of its own; nothing of it comes with the package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calm_lm.data.locate import Codes, find_folder, require_folder
from calm_lm.errors import CalmError
from calm_lm.survey.sources import iw_map
from calm_lm.survey.sources.country_tables import CountryTable, load_hofstede, load_wvs7_factors

AXES = ("survival to self-expression", "traditional to secular")


@dataclass(frozen=True, slots=True)
class Published:
    """A folder known by name.

    Attributes:
        title: what lies in it.
        folder: its name under the data folder.
        signs: the file that tells that it is there.
        obtain: one sentence on how a user gets it.
    """

    title: str
    folder: str
    signs: tuple[str, ...]
    obtain: str

    def is_in(self, data_dir: Path | None = None) -> bool:
        """Whether it can be located."""
        return find_folder(self, data_dir) is not None

    def locate(self, data_dir: Path | None = None) -> Path:
        """The folder: under `data_dir`, or `data_dir` itself.

        Args:
            data_dir: the folder of data sets; None means the environment variable `CALM_DATA`.

        Raises:
            CalmError: E22 without a data folder, E23 where the sign lies in neither place.
        """
        return require_folder(self, data_dir, Codes("E22", "E23"))


MAP = Published(
    "The Inglehart-Welzel cultural map", "iw-cultural-map", ("iw_projection_final.json",),
    "Take the folder evaluation/iw of Project Tapestry's sociocultural-alignment contribution (The AI Alliance) as "
    "it was published.",
)  # fmt: skip
HOFSTEDE = Published(
    "Hofstede's table of dimensions", "eecc-wvs-hofstede", ("distances_hofstede_raw_with_demonymns.csv",),
    "Take the data folder of shaily99/eecc as it was published; the figures are the rights holder's.",
)  # fmt: skip
FACTORS = Published(
    "Six factors of the World Values Survey, wave 7", "wvs7-factors", ("wave_7.csv",),
    "Take wave_7.csv of the World Values Survey example of TwelveGPT educational as it was published.",
)  # fmt: skip
VSM = Published(
    "The questionnaire of the Values Survey Module 2013", "vsm2013", ("questionnaire.csv",),
    "Its texts are under copyright: get them from the rights holder (geerthofstede.com) and write vsm2013/"
    "questionnaire.csv with the columns item,text,option1,...,option5 and the rows m01 to m24.",
)  # fmt: skip


def index_names() -> tuple[str, ...]:
    """The tables of published figures by country."""
    return tuple(_INDICES)


def index_source(name: str) -> Published:
    """Where a table is found.

    Raises:
        CalmError: E27 for a name that is not among `index_names()`.
    """
    if name not in _INDICES:
        raise CalmError("E27", "is no table of figures.", value=name, fix=f"use {' or '.join(_INDICES)}.")
    return _INDICES[name][0]


def load_index(name: str, data_dir: Path | None = None) -> CountryTable:
    """A table of published figures from the user's copy.

    Args:
        name: one of `index_names()`.
        data_dir: the folder of data sets, or the table's own; None means `CALM_DATA`.

    Raises:
        CalmError: E27 for another name, E22 and E23 as in `Published.locate`, and whatever is wrong with the file.
    """
    folder = index_source(name).locate(data_dir)
    return _INDICES[name][1](folder)


def load_map_table(folder: Path) -> CountryTable:
    """People's points on the cultural map as a table.

    Raises:
        CalmError: as `iw_map.load`.
    """
    found = iw_map.load(folder)
    return CountryTable(
        name="map",
        columns=AXES,
        rows={culture: tuple(point) for culture, point in found.points.items()},
        licence=found.licence,
        citation=found.citation,
        notes=("in the unit of the published map.",),
    )


_INDICES: dict[str, tuple[Published, Callable[[Path], CountryTable]]] = {
    "hofstede": (HOFSTEDE, load_hofstede),
    "map": (MAP, load_map_table),
    "factors": (FACTORS, load_wvs7_factors),
}
