"""`calm export`: survey tasks written out for lm-evaluation-harness and Inspect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calm_lm.cli import options
from calm_lm.errors import CalmError

if TYPE_CHECKING:
    from calm_lm.evaluation.tasks.plan import Plan

app = typer.Typer(help="Write tasks out for other harnesses.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Where to; must be new or empty.")]
Tasks = Annotated[str, typer.Option(help="Survey tasks by name or YAML file, comma-separated.")]
Conditions = Annotated[str, typer.Option(help="Such as neutral,persona+country.")]
Items = Annotated[int | None, typer.Option(help="Items a task.", show_default="all", min=1)]
Presentations = Annotated[int, typer.Option(help="Orders and label styles of each question.", min=1)]
Seed = Annotated[int, typer.Option(min=0, help="Of the sample of items.")]


@app.command("lm-eval")
def lm_eval(
    folder: Folder,
    tasks: Tasks = "toy-survey",
    conditions: Conditions = "neutral",
    items: Items = None,
    presentations: Presentations = 2,
    plain: Annotated[bool, typer.Option("--plain", help="For models without a chat template.")] = False,
    seed: Seed = 0,
    data_dir: options.DataDir = None,
) -> None:
    """Tasks for lm-evaluation-harness: lm_eval --include_path FOLDER."""
    from calm_lm.evaluation.export.lm_eval import write_lm_eval

    plans = _plans(folder, tasks, conditions, items, presentations, seed, data_dir)
    _tell(folder, write_lm_eval(folder, plans, chat=not plain))


@app.command("inspect")
def inspect(
    folder: Folder,
    tasks: Tasks = "toy-survey",
    conditions: Conditions = "neutral",
    items: Items = None,
    presentations: Presentations = 2,
    seed: Seed = 0,
    data_dir: options.DataDir = None,
) -> None:
    """Tasks for Inspect: inspect eval FOLDER/calm_tasks.py."""
    from calm_lm.evaluation.export.inspect import write_inspect

    plans = _plans(folder, tasks, conditions, items, presentations, seed, data_dir)
    _tell(folder, write_inspect(folder, plans))


def _plans(
    folder: Path, tasks: str, conditions: str, items: int | None, presentations: int, seed: int, data_dir: Path | None
) -> list[Plan]:
    from calm_lm.evaluation.asking.conditions import parse_conditions
    from calm_lm.evaluation.tasks.plan import Plan
    from calm_lm.evaluation.tasks.spec import Wanted, load_task

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CalmError("R13", "is not empty.", file=folder, fix="name a new folder; nothing is overwritten.")
    asked = parse_conditions(conditions.split(","))
    return [
        Plan(Wanted(load_task(name.strip()), items, presentations), asked, data_dir, seed) for name in tasks.split(",")
    ]


def _tell(folder: Path, names: list[str]) -> None:
    from calm_lm.cli.display import console

    console().print(f"{folder}: {', '.join(names)}; README.md there says how to run them.", markup=False)
