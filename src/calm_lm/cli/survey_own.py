"""A survey of one's own on the command line: a CSV of respondents with its codebook."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calm_lm.errors import CalmError

if TYPE_CHECKING:
    from calm_lm.survey.codebook import Codebook

CodebookPath = Annotated[
    Path | None,
    typer.Option("--codebook", help="What the CSV's columns mean.", show_default="codebook.yaml beside it"),
]


def is_registered(name_or_path: str, codebook: Path | None) -> bool:
    """Whether this is meant as a survey's name rather than as a file.

    Raises:
        CalmError: V06 for a codebook that was named beside a registered survey.
    """
    from calm_lm.survey.registry import survey_names

    path = Path(name_or_path)
    registered = name_or_path in survey_names() or not (path.suffix or path.exists())
    if registered and codebook is not None:
        raise CalmError(
            "V06", "is for a CSV of your own; a registered survey has its codebook.", field="--codebook",
            value=str(codebook), fix="leave it out, or put codebook.yaml beside your copy of wvs7 or ivs.",
        )  # fmt: skip
    return registered


def codebook_of(path: Path, codebook: Path | None) -> Codebook:
    """The codebook that was named for a CSV, or the one beside it; errors as in `read_own`."""
    return read_own(codebook or path.parent / "codebook.yaml")


def read_own(path: Path) -> Codebook:
    """A codebook.

    Raises:
        CalmError: R23 where there is none, and as `survey.codebook.read_codebook`.
    """
    from calm_lm.survey.codebook import read_codebook

    if not path.is_file():
        raise CalmError(
            "R23", "is no codebook.", file=path, fix="write one (see `calm_lm.survey.codebook`), or pass --codebook."
        )
    return read_codebook(path)
