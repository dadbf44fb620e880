"""The data sets known by name, one file each under `sources/`, read when asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calm_lm.data.example import Dataset, Role
from calm_lm.data.locate import Codes, require_folder
from calm_lm.errors import CalmError

# name -> module under `sources`, and the `Source` in it
_MODULES = {
    "blend": ("blend", "SOURCE"),
    "crehate": ("crehate", "SOURCE"),
    "cultureatlas": ("cultureatlas", "SOURCE"),
    "demo": ("demo", "SOURCE"),
    "emgsd": ("emgsd", "SOURCE"),
    "emgsd-multiclass": ("emgsd", "MULTICLASS"),
    "univar": ("univar", "SOURCE"),
}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a public address.

    Attributes:
        path: where it goes, relative to the data set's folder.
        url: where it is published.
        sha256: of the file as published.
        size: bytes.
    """

    path: str
    url: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Download:
    """A public address: the files at one fixed state of their publication."""

    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Source:
    """A data set known by name.

    Attributes:
        name: what a user writes after `--data`.
        title: its authors' name for it.
        summary: what it is, in one sentence.
        licence: SPDX id, or `undeclared`.
        citation: one line.
        offensive: mask its texts.
        contrast: which culture the contrastive window groups by.
        folder: name of its folder under the data folder.
        signs: patterns relative to the folder, any of which tells that the data set lies there.
        load: reads its folder.
        obtain: one sentence on how a user gets it.
        address: where `fetch` gets it; None where there is no public address.
        bundled: it comes with the package; `load` ignores the folder.
    """

    name: str
    title: str
    summary: str
    licence: str
    citation: str
    offensive: bool
    contrast: Role | None
    folder: str
    signs: tuple[str, ...]
    load: Callable[[Path], Dataset]
    obtain: str
    address: Download | None = None
    bundled: bool = False


def names() -> tuple[str, ...]:
    """Registered names, sorted."""
    return tuple(sorted(_MODULES))


def get(name: str) -> Source:
    """The source of a registered name.

    Raises:
        CalmError: D26 for another name, with the nearest ones.
    """
    if name not in _MODULES:
        near = difflib.get_close_matches(name, names(), n=3, cutoff=0.5) or names()
        raise CalmError(
            "D26",
            "is no registered data set.",
            value=name,
            fix=f"use {' or '.join(near)}, or the path of your own file.",
        )
    module, attribute = _MODULES[name]
    source: Source = getattr(importlib.import_module(f"calm_lm.data.sources.{module}"), attribute)
    return source


def locate(source: Source, data_dir: Path | None = None) -> Path:
    """The folder a source is read from: its own under `data_dir`, or `data_dir` itself.

    Args:
        source: a source that is not bundled.
        data_dir: the folder of data sets; None means the environment variable `CALM_DATA`.

    Raises:
        CalmError: D27 without a data folder, D28 when the data set lies in neither place.
    """
    return require_folder(source, data_dir, Codes("D27", "D28"))


def load(name: str, *, data_dir: Path | None = None) -> Dataset:
    """Read a registered data set.

    Args:
        name: one of `names()`.
        data_dir: the folder of data sets, or the data set's own folder; None means `CALM_DATA`. Bundled data need none.

    Raises:
        CalmError: D26, D27, D28, and whatever is wrong with the files.
    """
    source = get(name)
    return source.load(Path() if source.bundled else locate(source, data_dir))
