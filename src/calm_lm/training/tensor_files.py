"""Tensors in safetensors files, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from calm_lm.files import write_atomically


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write one file atomically.

    Raises:
        CalmError: F01 when the disk is full, read-only or the folder cannot be made.
    """

    def fill(part: Path) -> None:
        try:
            save_file(dict(tensors), part, metadata=dict(metadata or {}) or None)
        except SafetensorError as error:  # the library hides a full disk in an error of its own
            raise OSError(str(error)) from error

    write_atomically(path, fill)
