"""The surveys known by name, one file each under `sources/`, read when asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calm_lm.data.locate import Codes, require_folder
from calm_lm.errors import CalmError
from calm_lm.survey.instrument import Survey

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


def load_survey(name: str, data_dir: Path | None = None) -> Survey:
    """Read a registered survey.

    Args:
        name: one of `survey_names()`.
        data_dir: the folder of data sets, or the survey's own folder; None means `CALM_DATA`. `toy` needs none.

    Raises:
        CalmError: V26, V27, V28, and whatever is wrong with the files.
    """
    source = get_survey(name)
    return source.load(Path() if source.bundled else locate_survey(source, data_dir))
