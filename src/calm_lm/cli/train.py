"""`calm train`: a recipe, a YAML file or a table of your own, to a run folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from calm_lm.cli import options
from calm_lm.errors import CalmError


def train(
    recipe: Annotated[str, typer.Argument(help="crehate, emgsd, blend, demo; a recipe (YAML); or your own table.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="KEY=VALUE, such as train.epochs=3.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.", show_default="runs/NAME")] = None,
    seeds: Annotated[str, typer.Option(help="Such as 0, 0,3 or 0-4.")] = "0",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
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
    from calm_lm.training.presets import build_config, read_recipe

    settings = {} if options.is_table(recipe) else read_recipe(recipe)
    data = recipe if options.is_table(recipe) else settings.pop("data", None)
    if not isinstance(data, str):
        raise CalmError(
            "R04",
            "names no data.",
            file=recipe,
            field="data",
            fix="add a line such as data: crehate, or data: own.csv.",
        )
    if options.is_offline():
        overrides = [*(overrides or []), "backbone.local_files_only=true"]
    config = build_config(settings, overrides or (), file=None if options.is_table(recipe) else recipe)
    dataset = options.sampled(options.load_data(data, data_dir, columns), config.rows)
    folder = out or Path("runs") / dataset.name
    screen = console()
    for note in dataset.notes:
        screen.print(f"note: {note}", markup=False)
    from calm_lm.training.norm_sources import open_norms
    from calm_lm.training.run import run_seeds

    norms = open_norms(config.norms)
    with live_progress() as live:
        run_seeds(
            config, dataset, folder, chosen, resume=resume, norms=norms, progress=live.tell,
            report=lambda seed: live.steps(f"training seed {seed}"),
        )  # fmt: skip
    screen.print(f"Run: {folder} (seeds {', '.join(map(str, chosen))})", markup=False)
    for warning in gate(dataset.licences, accept=True):
        screen.print(f"Licence of the data, and so of the model: {warning}", markup=False)
    words = ["calm", "evaluate", str(folder), "--data", data]
    words += ["--data-dir", str(data_dir)] if data_dir else []
    words += columns.words() if options.is_table(data) else []
    screen.print(f"Next: {shlex.join(words)}", markup=False, soft_wrap=True)
