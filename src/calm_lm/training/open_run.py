"""Opening a finished run: its configuration and the models of its seeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors, read_json
from calm_lm.model.calm import CalmModel
from calm_lm.training.config import RunConfig


def seed_folders(run: Path) -> dict[int, Path]:
    """Folders of finished models by seed, or the folder itself when it is a saved model.

    Raises:
        CalmError: T40 when there is none.
    """
    if (run / "config.json").is_file():
        return {0: run}
    found = {
        int(path.parent.name.removeprefix("seed-")): path
        for path in run.glob("seed-*/model")
        if (path / "config.json").is_file() and path.parent.name.removeprefix("seed-").isdigit()
    }
    if not found:
        raise CalmError(
            "T40",
            "holds no finished model.",
            file=run,
            fix="name a folder written by `calm train --out`, or --resume it.",
        )
    return dict(sorted(found.items()))


def open_model(run: Path, *, device: str | None = None, notify: Callable[[str], None] | None = None) -> CalmModel:
    """The model of the lowest seed, never the best."""
    folders = seed_folders(run)
    return CalmModel.from_pretrained(folders[min(folders)], device=device, notify=notify)


def run_config(run: Path) -> RunConfig:
    """The resolved configuration that a run was trained with.

    Raises:
        CalmError: T41 when `config.yaml` is missing or is none.
    """
    path = run / "config.yaml"
    try:
        with disk_errors(path):
            return RunConfig.model_validate(yaml.safe_load(path.read_text("utf-8"))["config"])
    except (yaml.YAMLError, ValidationError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise CalmError(
            "T41", "is no run's configuration.", file=path, fix="train again, or restore the file."
        ) from error


def run_manifest(run: Path) -> dict[str, Any]:
    """`manifest.json` of a run, empty when it was interrupted before its end."""
    path = run / "manifest.json"
    return dict(read_json(path)) if path.is_file() else {}
