"""Reading a tensor file of unknown origin: names, types and shapes are judged before any number is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from calm_lm.errors import CalmError, show
from calm_lm.files import disk_errors, unique_names

HEADER_LIMIT = 16 << 20  # bytes; a model has some hundred tensors of some hundred bytes
AGAIN = "copy or train the model again."
_CODES = {torch.float64: "F64", torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}


class Kind(NamedTuple):
    """A tensor's type, as the format writes it, and shape."""

    dtype: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor) -> Kind:
        """The kind that `tensor` would be saved with."""
        return cls(_CODES[tensor.dtype], tuple(tensor.shape))


def read_kinds(path: Path) -> dict[str, Kind]:
    """Names and kinds of the tensors in a file; no tensor is allocated.

    Raises:
        CalmError: F01 when it cannot be read, M13 when it is not a safetensors file or names a tensor twice.
    """
    try:
        with disk_errors(path):
            if not path.is_file():
                raise ValueError("there is no such file")
        with disk_errors(path), path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            header = stream.read(size) if size <= HEADER_LIMIT else b""
        if len(header) != size:
            raise ValueError("the header is longer than the file, or than any model's")
        entries = json.loads(header, object_pairs_hook=unique_names)
        with safe_open(path, framework="pt") as file:  # judges offsets: in order, without gap or overlap, to the end
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            kinds = {name: Kind(part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
        if any(entries.get(name, {}).keys() != {"dtype", "shape", "data_offsets"} for name in {*entries, *kinds}):
            raise ValueError("an entry says more than type, shape and place")
        return kinds
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        problem = f"is not a safetensors file ({show(str(error))})."
        raise CalmError("M13", problem, file=path, fix=AGAIN) from error


def refuse_other_kinds(path: Path, found: Mapping[str, Kind], expected: Mapping[str, Tensor], prefix: str) -> None:
    """Every expected tensor with its type and shape, and no other, among the names that begin with `prefix`.

    Raises:
        CalmError: M14 for a missing, M15 for a misshapen, M16 for an extra tensor.
    """
    for name, tensor in expected.items():
        kind, wanted = found.get(prefix + name), Kind.of(tensor)
        if kind is None:
            raise CalmError("M14", "a tensor is missing.", file=path, field=prefix + name, fix=AGAIN)
        if kind != wanted:
            problem = f"a tensor is {show(f'{kind.dtype} {kind.shape}')}, expected '{wanted.dtype} {wanted.shape}'."
            raise CalmError("M15", problem, file=path, field=prefix + name, fix=AGAIN)
    for name in found:
        if name.startswith(prefix) and name.removeprefix(prefix) not in expected:
            raise CalmError("M16", "a tensor does not belong.", file=path, field=name, fix=AGAIN)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file whose kinds were judged, copied: the file may be replaced while they are in use.

    Raises:
        CalmError: M19 for NaN or infinity, M24 when the file changed since it was judged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise CalmError("M24", "changed while it was read.", file=path, fix="load it again.") from error
    for name, value in tensors.items():
        if not bool(torch.isfinite(value).all()):
            raise CalmError("M19", "a tensor holds NaN or infinity.", file=path, field=name, fix=AGAIN)
    return tensors
