"""The surveys known by name, one file each under `sources/`, read when asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from calm_lm.data.locate import Codes, require_folder
from calm_lm.errors import CalmError
from calm_lm.survey.instrument import Survey
from calm_lm.survey.people import People

# name -> module of this room, which holds its `SOURCE`
_MODULES = {
    "globalopinionqa": "sources.globalopinionqa",
    "ivs": "sources.ivs",
    "menavalues": "sources.menavalues",
    "multicultural-alignment": "sources.multicultural",
    "toy": "toy",
    "worldvaluesbench": "sources.worldvaluesbench",
    "wvs7": "sources.wvs7",
}


@dataclass(frozen=True, slots=True)
class SurveySource:
    """A survey known by name.

    Attributes:
        name: what a user writes.
        title: its authors' name for it.
        summary: what it is, in one sentence.
        licence: SPDX id, or the name of its terms.
        citation: one line.
        folder: name of its folder under the data folder.
        signs: patterns relative to the folder, any of which tells that the survey lies there.
        load: reads its folder.
        cut: reads its folder and gives, beside everyone of each country, the cells of the given demographic fields;
            None where the source holds no respondents.
        people: reads its folder and gives the respondents one by one; None where it holds none.
        obtain: one sentence on how a user gets it.
        bundled: it comes with the package; `load` ignores the folder.
    """

    name: str
    title: str
    summary: str
    licence: str
    citation: str
    folder: str
    signs: tuple[str, ...]
    load: Callable[[Path], Survey]
    obtain: str
    cut: Callable[[Path, tuple[str, ...]], Survey] | None = None
    people: Callable[[Path], People] | None = None
    bundled: bool = False


def survey_names() -> tuple[str, ...]:
    """Registered names, sorted."""
    return tuple(sorted(_MODULES))


def get_survey(name: str) -> SurveySource:
    """The source of a registered name.

    Raises:
        CalmError: V26 for another name, with the nearest ones.
    """
    if name not in _MODULES:
        near = difflib.get_close_matches(name, survey_names(), n=3, cutoff=0.5) or survey_names()
        raise CalmError("V26", "is no registered survey.", value=name, fix=f"use {' or '.join(near)}.")
    source: SurveySource = importlib.import_module(f"calm_lm.survey.{_MODULES[name]}").SOURCE
    return source


def locate_survey(source: SurveySource, data_dir: Path | None = None) -> Path:
    """The folder a survey is read from: its own under `data_dir`, or `data_dir` itself.

    Args:
        source: a source that is not bundled.
        data_dir: the folder of data sets; None means the environment variable `CALM_DATA`.

    Raises:
        CalmError: V27 without a data folder, V28 when the survey lies in neither place.
    """
    return require_folder(source, data_dir, Codes("V27", "V28"))


def load_survey(name: str, data_dir: Path | None = None, *, by: Sequence[str] = ()) -> Survey:
    """Read a registered survey.

    Args:
        name: one of `survey_names()`.
        data_dir: the folder of data sets, or the survey's own folder; None means `CALM_DATA`. `toy` needs none.
        by: demographic fields (`survey.cell.FIELDS`) whose cells are given beside everyone of each country.

    Raises:
        CalmError: V26, V27, V28, V93 for a survey that cannot be cut, and whatever is wrong with the files.
    """
    source = get_survey(name)
    if by and source.cut is None:
        known = [each for each in survey_names() if get_survey(each).cut is not None]
        raise CalmError(
            "V93", "holds no respondents, only shares of whole countries, so it cannot be cut into groups.",
            field="by", value=", ".join(by), fix=f"leave `by` out, or use {' or '.join(known)}.",
        )  # fmt: skip
    folder = Path() if source.bundled else locate_survey(source, data_dir)
    return source.cut(folder, tuple(by)) if by and source.cut is not None else source.load(folder)


def load_people(name: str, data_dir: Path | None = None) -> People | None:
    """The respondents of a registered survey one by one, or None where it holds only shares of whole countries.

    Args:
        name: one of `survey_names()`.
        data_dir: as for `load_survey`.

    Raises:
        CalmError: V26, V27, V28, and whatever is wrong with the files.
    """
    source = get_survey(name)
    return None if source.people is None else source.people(locate_survey(source, data_dir))
