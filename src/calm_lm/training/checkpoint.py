"""Checkpoints that a kill cannot spoil: a folder is written beside its place, its manifest last, then renamed.

What is restored is everything the next step depends on: weights, AdamW's moments, the best weights so far,
the random state, counters, and the length of the metrics log. The loader trusts a manifest, never a name.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors, read_json, sha256_file, sync_folder, write_json
from calm_lm.training.tensor_files import write_tensors

PREFIX = "checkpoint-"


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        step: steps done.
        best: best validation score so far (lower is better), infinity before the first.
        best_step: the step it was measured at, -1 before the first.
        waited: evaluations since then.
        metrics_bytes: length of the metrics log.
        stopped: early stopping ended the run.
    """

    step: int = 0
    best: float = float("inf")
    best_step: int = -1
    waited: int = 0
    metrics_bytes: int = 0
    stopped: bool = False


class Snapshot(NamedTuple):
    """Tensors by name and the progress they belong to."""

    tensors: dict[str, Tensor]
    progress: Progress


def random_state() -> dict[str, Tensor]:
    """The generators that dropout and Gumbel noise draw from."""
    state = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["random.cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(tensors: dict[str, Tensor]) -> None:
    """Set the generators back to what `random_state` said."""
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])


def save_checkpoint(folder: Path, snapshot: Snapshot) -> Path:
    """Write `checkpoint-STEP` whole, then remove older ones.

    Raises:
        CalmError: F01 when the disk is full or read-only; the checkpoint before it stays.
    """
    target = folder / f"{PREFIX}{snapshot.progress.step:08d}"
    part = folder / f".{target.name}.part"
    with disk_errors(target):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            write_tensors(part / "tensors.safetensors", snapshot.tensors)
            state = asdict(snapshot.progress)
            state["best"] = None if snapshot.progress.best_step < 0 else snapshot.progress.best
            write_json(part / "progress.json", state)
            files = {name: sha256_file(part / name) for name in ("tensors.safetensors", "progress.json")}
            write_json(part / "manifest.json", {"format": 1, "sha256": files})
            shutil.rmtree(target, ignore_errors=True)
            part.replace(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        sync_folder(folder)
    for older in folder.glob(f"{PREFIX}*"):
        if older.name < target.name:
            shutil.rmtree(older, ignore_errors=True)
    return target


def remove_checkpoints(folder: Path, *, unfinished_only: bool = False) -> None:
    """Remove all checkpoints of a run, or only what a kill left half-written."""
    for path in folder.glob(f".{PREFIX}*.part"):
        shutil.rmtree(path, ignore_errors=True)
    for path in () if unfinished_only else folder.glob(f"{PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)


def complete_checkpoints(folder: Path) -> list[Path]:
    """Folders whose manifest is there and true, oldest first; half-written ones are passed over."""
    return [path for path in sorted(folder.glob(f"{PREFIX}*")) if _is_whole(path)]


def load_checkpoint(path: Path) -> Snapshot:
    """Read a complete checkpoint.

    Raises:
        CalmError: T10 when its files are not what a checkpoint holds.
    """
    try:
        state = read_json(path / "progress.json")
        state["best"] = float("inf") if state["best"] is None else state["best"]
        return Snapshot(load_file(path / "tensors.safetensors"), Progress(**state))
    except (SafetensorError, TypeError, KeyError) as error:  # whole, but of another version
        raise CalmError(
            "T10",
            f"is no checkpoint of this version ({error}).",
            file=path,
            fix="begin the run again in another --out.",
        ) from error


def _is_whole(path: Path) -> bool:
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
        return all(sha256_file(path / name) == digest for name, digest in manifest["sha256"].items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False
