"""The benchmarks known by name, read when asked for from the folder of data sets."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calm_lm.data.benchmarks.rows import R, Rows
from calm_lm.data.example import Dataset
from calm_lm.data.locate import Codes, require_folder
from calm_lm.data.registry import load as load_source
from calm_lm.data.registry import names as source_names
from calm_lm.errors import CalmError

# name -> module of this room, and the `Benchmark` in it
_MODULES = {
    "blend-short": ("blend_short", "BENCHMARK"),
    "care": ("care", "BENCHMARK"),
    "crows-pairs": ("crows_pairs", "BENCHMARK"),
    "culturalbench-easy": ("culturalbench", "EASY"),
    "culturalbench-hard": ("culturalbench", "HARD"),
    "culturescope-blend-mcq": ("culturescope", "BENCHMARK"),
    "genil": ("genil", "BENCHMARK"),
    "genil-languages": ("genil", "LANGUAGES"),
    "kobbq": ("kobbq", "BENCHMARK"),
    "normad": ("normad", "BENCHMARK"),
    "seegull": ("seegull", "BENCHMARK"),
}


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark known by name.

    Attributes:
        name: as a task's `data` names it.
        title: its authors' name for it.
        licence: SPDX id, or `undeclared`.
        citation: one line.
        offensive: mask its texts.
        folder: name of its folder under the data folder.
        signs: patterns relative to the folder, any of which tells that it lies there.
        load: reads its folder.
        obtain: one sentence on how a user gets it.
    """

    name: str
    title: str
    licence: str
    citation: str
    offensive: bool
    folder: str
    signs: tuple[str, ...]
    load: Callable[[Path], Dataset | Rows[Any]]
    obtain: str


def names() -> tuple[str, ...]:
    """Registered names, sorted."""
    return tuple(sorted(_MODULES))


def get(name: str) -> Benchmark:
    """The benchmark of a registered name.

    Raises:
        CalmError: D01 for another name, with the nearest ones.
    """
    if name not in _MODULES:
        near = difflib.get_close_matches(name, names(), n=3, cutoff=0.5) or names()
        raise CalmError("D01", "is no registered benchmark.", value=name, fix=f"use {' or '.join(near)}.")
    module, attribute = _MODULES[name]
    found: Benchmark = getattr(importlib.import_module(f"calm_lm.data.benchmarks.{module}"), attribute)
    return found


def locate(benchmark: Benchmark, data_dir: Path | None = None) -> Path:
    """The folder a benchmark is read from: its own under `data_dir`, or `data_dir` itself.

    Args:
        benchmark: which.
        data_dir: the folder of data sets; None means the environment variable `CALM_DATA`.

    Raises:
        UnavailableError: D02 without a data folder, D03 when the benchmark lies in neither place.
    """
    return require_folder(benchmark, data_dir, Codes("D02", "D03"))


def load_dataset(name: str, data_dir: Path | None = None) -> Dataset:
    """Labelled texts by name: a benchmark of such rows, or a data set that models are trained on too.

    Raises:
        CalmError: D01 to D04, and whatever is wrong with the files.
    """
    if name in source_names():
        return load_source(name, data_dir=data_dir)
    found = _load(name, data_dir)
    if not isinstance(found, Dataset):
        raise _other_rows(name, "labelled texts")
    return found


def load_rows(name: str, of: type[R], data_dir: Path | None = None) -> Rows[R]:
    """A benchmark whose rows are of one type.

    Raises:
        CalmError: D01 to D04, and whatever is wrong with the files.
    """
    found = _load(name, data_dir)
    if not isinstance(found, Rows) or found.of is not of:
        raise _other_rows(name, f"rows of type {of.__name__}")
    return found


def _load(name: str, data_dir: Path | None) -> Dataset | Rows[Any]:
    benchmark = get(name)
    return benchmark.load(locate(benchmark, data_dir))


def _other_rows(name: str, wanted: str) -> CalmError:
    return CalmError(
        "D04", f"does not hold {wanted}, which this kind of task asks about.", field="data", value=name,
        fix="name another kind in the task, or other data.",
    )  # fmt: skip
