"""The codebooks that come with the package, and the one file of a folder that they are for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from calm_lm.errors import CalmError
from calm_lm.survey.codebook import Codebook, read_codebook


@cache
def bundled_codebook(name: str) -> Codebook:
    """A codebook of this folder; it holds no figures."""
    return read_codebook(Path(__file__).parent / name)


def one_file(folder: Path, patterns: Sequence[str]) -> Path:
    """The only file of a folder that fits one of the patterns.

    Raises:
        CalmError: V53 for none or several.
    """
    found = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    if len(found) != 1:
        problem = f"holds {len(found)} files named {' or '.join(patterns)}: {', '.join(path.name for path in found)}."
        raise CalmError("V53", problem, file=folder, fix="leave one of them there.")
    return found[0]
