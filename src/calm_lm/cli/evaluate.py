"""`calm evaluate`: a run beside every baseline and its controls, as tables and JSON."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calm_lm.cli import options
from calm_lm.errors import CalmError

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = ("macro_f1", "cross_entropy")
SLICED = (*SHOWN, "precision", "f1")


def evaluate(
    model: Annotated[Path, typer.Argument(help="A run folder, or the folder of a saved model.")],
    data: Annotated[str, typer.Option(help="A registered name or your own table.")],
    split: Annotated[str, typer.Option(help="The rows that are judged.")] = "test",
    baselines: Annotated[
        str, typer.Option(help="Names or groups (frozen, prompt, lora), comma-separated, or none.")
    ] = "frozen",
    controls: Annotated[bool, typer.Option("--shuffled-votes", help="Also retrain on shuffled votes (slow).")] = False,
    json: options.Json = None,
    data_dir: options.DataDir = None,
    text: options.Text = "text",
    label: options.Label = "label",
    culture: options.Culture = None,
    culture_role: options.CultureRole = "reader",
    votes: options.Votes = None,
    id_column: options.Id = None,
    group: options.Group = None,
    split_column: options.Split = None,
) -> None:
    """Judge a run against the people who labelled the rows."""
    columns = options.OwnColumns(text, label, culture, culture_role, votes, id_column, group, split_column)
    from calm_lm.baselines.registry import baseline_names
    from calm_lm.cli.display import console, live_progress
    from calm_lm.evaluation.evaluate import Evaluation
    from calm_lm.files import write_json
    from calm_lm.model.calm import CalmModel
    from calm_lm.training.norm_sources import open_norms
    from calm_lm.training.open_run import run_config, run_manifest, seed_folders

    names = [] if baselines == "none" else baseline_names(baselines)
    folders = seed_folders(model)
    config = run_config(model)
    with live_progress() as live:
        models = {
            seed: CalmModel.from_pretrained(folder, local_files_only=options.is_offline())
            for seed, folder in folders.items()
        }
        trained = next(iter(models.values())).manifest
        dataset = options.sampled(options.load_data(data, data_dir, columns, trained.labels), config.rows)
        # What was declared of a user's file when it was trained on holds when it is judged.
        dataset = replace(dataset, offensive=dataset.offensive or trained.provenance.offensive)
        judged = Evaluation(models, config, dataset, split, norms=open_norms(config.norms), progress=live.tell)
        judged.add_baselines(names)
        result = judged.result()
        if controls:
            if not config.readers or not result["controls"]:
                raise CalmError(
                    "R05", "votes are shuffled across readers, and this run has none.", field="--shuffled-votes",
                    fix="leave the option out.",
                )  # fmt: skip
            result["controls"]["shuffled_votes"] = judged.shuffled_votes()
    result["manifest"] = run_manifest(model) | {"run": str(model), "config": config.model_dump(mode="json")}
    show_result(console(), result)
    if json is not None:
        write_json(json, result)


def show_result(screen: Console, result: dict[str, Any]) -> None:
    """The tables of an evaluation."""
    from calm_lm.cli.display import interval, number, score_table

    seeds = len(result["seeds"])
    title = (
        f"{result['dataset']}, {result['split']}: {result['rows']} rows, {result['groups']} groups, "
        f"{seeds} seed{'s' * (seeds > 1)}; mean over {', '.join(result['cultures'])}"
    )
    systems = {"CALM": result["metrics"], "CALM, drafts only": result["drafts"]} | result["baselines"]
    permuted = result["controls"].get("permuted_reader")
    if permuted:
        systems["CALM, permuted readers"] = permuted["metrics"]
    screen.print(score_table(title, systems, SHOWN))
    for name, gaps in result["paired"].items():
        for metric in ("cross_entropy", "macro_f1"):
            gap = gaps[metric]
            better = (gap["difference"] > 0) == gap["higher_is_better"]
            low, high = gap["interval"]
            verdict = "no clear difference" if low <= 0 <= high else ("CALM is ahead" if better else "CALM is behind")
            size = f"{gap['difference']:+.3f} ({interval(gap['interval'])})"
            screen.print(f"CALM - {name}, {metric.replace('_', ' ')}: {size}, {verdict}", markup=False)
    for name, part in result["slices"].items():
        for system, metrics in part["metrics"].items():
            told = [f"{metric.replace('_', ' ')} {number(metrics[metric]['mean'])}" for metric in SLICED]
            who = "CALM" if system == "calm" else system
            screen.print(f"{name}, {part['rows']} rows: {who}: {', '.join(told)}", markup=False)
    for name, reason in result["left_out"].items():
        screen.print(f"Left out: {name}, {reason}", markup=False)
    screen.print(f"Reflection changed {100 * result['revised']:.1f} % of the answers.", markup=False)
    if "shuffled_votes" in result["controls"]:
        control = result["controls"]["shuffled_votes"]
        null = ", ".join(number(value) for value in control["null"])
        screen.print(f"Knowing the reader saves {control['gain']:.4f} nats; on shuffled votes {null}.", markup=False)
