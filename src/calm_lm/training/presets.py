"""The two named shapes, and how a run's configuration is put together from preset, recipe and overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors
from calm_lm.training.config import RunConfig

# `paper` is the default of every field but the backbone; `small` keeps the structure and changes widths, step size,
# steps and when reflection joins.
SMALL: dict[str, Any] = {
    "preset": "small",
    "model": {
        "width": 64,
        "mlp_hidden": 64,
        "cluster_hidden": 32,
        "expert_ff": 128,
        "expert_dropout": 0.0,
        "expert_heads": 2,
    },
    "train": {
        "learning_rate": 3e-4,
        "lora_learning_rate": 2e-4,
        "epochs": 4.0,
        "weight_decay": 0.05,
        "settle": 0.0,
        "reflect_from": 0.1,
    },
}
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"preset": "paper", "backbone": {"name": "Qwen/Qwen3-32B"}},
    "small": SMALL,
}

UNREADABLE = (yaml.YAMLError, ValueError, RecursionError)  # what safe_load raises: a 13th month is a ValueError


def recipe_names() -> tuple[str, ...]:
    """Recipes that ship with the package."""
    folder = resources.files("calm_lm.training") / "recipes"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def read_recipe(name: str) -> dict[str, Any]:
    """A shipped recipe by name, or a YAML file by path.

    Raises:
        CalmError: T20 for a name that is neither, T21 for a file that is no YAML, T22 for one that holds no mapping.
    """
    if name in recipe_names():
        text, place = (resources.files("calm_lm.training") / "recipes" / f"{name}.yaml").read_text("utf-8"), name
    elif Path(name).suffix in (".yaml", ".yml") and Path(name).is_file():
        with disk_errors(Path(name)):
            text, place = Path(name).read_text("utf-8", errors="replace"), name
    else:
        raise CalmError(
            "T20",
            f"is no recipe; there are {', '.join(recipe_names())}.",
            value=name,
            fix="name one of them, a YAML file, or a table of your own (own.csv with --text and --label).",
        )
    try:
        recipe = yaml.safe_load(text) or {}
    except UNREADABLE as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        row = None if line is None else line + 1
        raise CalmError("T21", "is not readable YAML.", file=place, row=row, fix="mend the file.") from error
    if not isinstance(recipe, dict):
        raise CalmError("T22", "holds no settings.", file=place, fix="write a mapping such as train: {epochs: 5}.")
    return recipe


def build_config(recipe: Mapping[str, Any], overrides: Sequence[str] = (), *, file: str | None = None) -> RunConfig:
    """Preset, then recipe, then `KEY=VALUE` overrides such as `train.epochs=3`.

    Raises:
        CalmError: T23 for an unknown preset, T24, T26 and T27 for an override that is none, T25 for an unknown
            field or a value out of bounds.
    """
    values = _nest(overrides)
    preset = str(values.get("preset", recipe.get("preset", "small")))
    if preset not in PRESETS:
        raise CalmError("T23", "is no preset.", field="preset", value=preset, fix=f"use {' or '.join(PRESETS)}.")
    merged = _merge(_merge(PRESETS[preset], recipe), values)
    try:
        return RunConfig.model_validate(merged)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or None
        known = f" Known fields: {', '.join(_siblings(first['loc']))}." if first["type"] == "extra_forbidden" else ""
        raise CalmError(
            "T25", f"{first['msg']}.{known}", file=file, field=field, value=first.get("input"),
            fix="see `calm config show` for every field and its bounds.",
        ) from error  # fmt: skip


def _siblings(place: Sequence[str | int]) -> list[str]:
    """Fields beside an unknown one."""
    model: Any = RunConfig
    for part in place[:-1]:
        inner = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)


def _nest(overrides: Sequence[str]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for override in overrides:
        key, sign, value = override.partition("=")
        if not sign or not key:
            raise CalmError("T24", "an override is KEY=VALUE.", value=override, fix="write it as train.epochs=3.")
        at = nested
        *path, last = key.split(".")
        for part in path:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                raise CalmError(
                    "T27", "is set as a whole and in part.", field=key, value=value, fix="leave one of the two out."
                )
        try:
            at[last] = yaml.safe_load(value)
        except UNREADABLE as error:
            raise CalmError(
                "T26", "the value is not readable YAML.", field=key, value=value, fix="quote it."
            ) from error
    return nested


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
