"""`calm train`: a recipe, a YAML file or a table of your own, to a run folder."""

from __future__ import annotations

import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from calm_lm.cli import options
from calm_lm.errors import CalmError


class Asked(NamedTuple):
    """What is to be trained on, and how.

    Attributes:
        settings: of the recipe, empty without one.
        recipe: where they stand.
        data: a registered name or a table.
        overrides: `KEY=VALUE`.
    """

    settings: dict[str, Any]
    recipe: str | None
    data: str
    overrides: list[str]


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(help="crehate, emgsd, blend, demo; a recipe (YAML); or your own table.", show_default=False),
    ] = None,
    overrides: Annotated[list[str] | None, typer.Argument(help="KEY=VALUE, such as train.epochs=3.")] = None,
    data: Annotated[
        str | None,
        typer.Option(help="A registered name or your own table; goes before the recipe's.", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.", show_default="runs/NAME")] = None,
    seeds: Annotated[str, typer.Option(help="Such as 0, 0,3 or 0-4.")] = "0",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard events too.")] = False,
    data_dir: options.DataDir = None,
    text: options.Text = "text",
    label: options.Label = "label",
    culture: options.Culture = None,
    culture_role: options.CultureRole = "reader",
    votes: options.Votes = None,
    id_column: options.Id = None,
    group: options.Group = None,
    split_column: options.Split = None,
    licence: options.Licence = None,
    offensive: options.Offensive = False,
) -> None:
    """Train CALM."""
    chosen = options.parse_seeds(seeds)
    columns = options.OwnColumns(
        text, label, culture, culture_role, votes, id_column, group, split_column, licence, offensive
    )
    from calm_lm.cli.display import console, live_progress
    from calm_lm.data.licences import gate
    from calm_lm.training.board import open_boards
    from calm_lm.training.presets import build_config

    asked = _asked(recipe, data, overrides or [])
    if options.is_offline():
        asked.overrides.append("backbone.local_files_only=true")
    config = build_config(asked.settings, asked.overrides, file=asked.recipe)
    dataset = options.sampled(options.load_data(asked.data, data_dir, columns), config.rows)
    folder = out or Path("runs") / dataset.name
    screen = console()
    for note in dataset.notes:
        screen.print(f"note: {note}", markup=False)
    from calm_lm.training.norm_sources import open_norms
    from calm_lm.training.run import run_seeds

    norms = open_norms(config.norms)
    with live_progress() as live, open_boards(folder) if tensorboard else nullcontext() as boards:
        run_seeds(
            config, dataset, folder, chosen, resume=resume, norms=norms, progress=live.tell,
            report=lambda seed: live.steps(f"training seed {seed}", *([boards(seed)] if boards else [])),
        )  # fmt: skip
    screen.print(f"Run: {folder} (seeds {', '.join(map(str, chosen))})", markup=False)
    for warning in gate(dataset.licences, accept=True):
        screen.print(f"Licence of the data, and so of the model: {warning}", markup=False)
    words = ["calm", "evaluate", str(folder), "--data", asked.data]
    words += ["--data-dir", str(data_dir)] if data_dir else []
    words += columns.words() if options.is_table(asked.data) else []
    screen.print(f"Next: {shlex.join(words)}", markup=False, soft_wrap=True)


def _asked(recipe: str | None, data: str | None, overrides: list[str]) -> Asked:
    """The recipe with its data, or the data with the recipe of its name, where there is one.

    Raises:
        CalmError: R30 without anything to train on or with two tables, R04 for a recipe without data, T20 to T22.
    """
    from calm_lm.training.presets import read_recipe, recipe_names

    if recipe is not None and data is not None and "=" in recipe:  # no recipe, but the first of the overrides
        overrides, recipe = [recipe, *overrides], None
    if (recipe is None and data is None) or (recipe is not None and data is not None and options.is_table(recipe)):
        raise CalmError(
            "R30", "say once what to train on.", field="--data",
            fix="write calm train crehate, or calm train --data own.csv with --text and --label.",
        )  # fmt: skip
    if recipe is None and data in recipe_names():
        recipe = data
    if recipe is None or options.is_table(recipe):
        return Asked({}, None, data or recipe or "", overrides)
    settings = read_recipe(recipe)
    named = settings.pop("data", None)
    found = data or named
    if not isinstance(found, str):
        raise CalmError(
            "R04", "names no data.", file=recipe, field="data",
            fix="add a line such as data: crehate, or data: own.csv.",
        )  # fmt: skip
    return Asked(settings, recipe, found, overrides)
