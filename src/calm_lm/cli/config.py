"""`calm config`: every setting of a run, its value, and where the value comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from calm_lm.training.config import RunConfig

app = typer.Typer(no_args_is_help=True)


@app.callback()
def settings() -> None:
    """Show every setting, its value and where the value comes from."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a run's configuration.

    Attributes:
        group: the part it belongs to (`model`, `train.weights`, or `run` for the top).
        name: what stands before `=` in an override, without the group.
        value: as it would be written after `=`.
        origin: `paper`, `third party` or `ours` as in `model/config.py`; `set here` when a recipe or an override
            changed it. The paper's own value follows where another one is in use.
        description: one line.
    """

    group: str
    name: str
    value: str
    origin: str
    description: str


@app.command()
def show(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME] [KEY=VALUE]...",
            help="paper, small (the default), a recipe's name or a YAML file; then changes such as train.epochs=3.",
        ),
    ] = None,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print YAML that `calm train` reads.")] = False,
) -> None:
    """Show the settings of a preset or a recipe.

    The origin says whether a value is stated in the paper, comes from a third party's reading, is ours because the
    sources consulted state none, or was set here by the recipe or a change.
    """
    name, overrides = _split(words or [])
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    config, data = resolve(name, overrides)
    if yaml:
        typer.echo(_as_yaml(config, data), nl=False)
        return
    table = Table(title=Text(f"Settings of {name}"), title_justify="left", box=None, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", max_width=16, overflow="fold")
    table.add_column("origin", no_wrap=True)
    table.add_column("what it is")
    group = None
    for setting in list_settings(config):
        if setting.group != group:
            group = setting.group
            table.add_row()
            table.add_row(Text(group, style="bold"))
        cells = (f"  {setting.name}", setting.value, setting.origin, setting.description)
        table.add_row(*(Text(cell) for cell in cells))
    Console(highlight=False).print(table)


def resolve(name: str, overrides: list[str]) -> tuple[RunConfig, str | None]:
    """The configuration of a preset or a recipe with its overrides, and the data that the recipe names.

    Raises:
        CalmError: T20 to T26 for what is no preset, recipe, override, field or value.
    """
    from calm_lm.training.presets import PRESETS, build_config, read_recipe

    recipe: dict[str, Any] = {"preset": name} if name in PRESETS else read_recipe(name)
    data = recipe.pop("data", None)
    return build_config(recipe, overrides, file=None if name in PRESETS else name), data


def list_settings(config: RunConfig) -> list[Setting]:
    """Every field of a configuration by group, each with where its value comes from."""
    from calm_lm.training.presets import build_config

    return list(_walk(config, build_config({"preset": config.preset}), build_config({"preset": "paper"}), ""))


def _walk(config: BaseModel, preset: BaseModel, paper: BaseModel, path: str) -> Iterator[Setting]:
    """The plain fields of `config`, then those of the groups in it, beside the same fields of two presets."""
    groups = []
    for name, field in type(config).model_fields.items():
        value, paper_value = getattr(config, name), getattr(paper, name)
        if _is_group(value):
            groups.append(name)
            continue
        extra = field.json_schema_extra
        published = str(extra["origin"]) if isinstance(extra, dict) else "ours"
        origin = published if value == paper_value else "ours"
        if value != getattr(preset, name):
            origin = "set here"
        if value != paper_value and published == "paper":
            origin += f"; paper {_written(paper_value)}"
        yield Setting(path or "run", name, _written(value), origin, field.description or "")
    for name in groups:
        below = f"{path}.{name}" if path else name
        yield from _walk(getattr(config, name), getattr(preset, name), getattr(paper, name), below)


def _split(words: list[str]) -> tuple[str, list[str]]:
    if words and ("=" not in words[0] or words[0].endswith((".yaml", ".yml"))):
        return words[0], words[1:]
    return "small", words


def _is_group(value: object) -> bool:
    from pydantic import BaseModel

    return isinstance(value, BaseModel)


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _as_yaml(config: RunConfig, data: str | None) -> str:
    import yaml

    named = {} if data is None else {"data": data}
    return str(yaml.safe_dump(named | config.model_dump(mode="json"), sort_keys=False, allow_unicode=True))
