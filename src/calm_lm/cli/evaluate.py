"""`calm evaluate`: a run beside every baseline on the rows of a data set, or any model through a suite of tasks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calm_lm.cli import options
from calm_lm.cli.modes import ENDPOINTS, ROWS, SETTINGS, SUITE, given_options
from calm_lm.errors import CalmError

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = ("macro_f1", "cross_entropy")
SLICED = (*SHOWN, "precision", "f1")


def evaluate(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A run, a model's folder, embedded, hf:NAME, adapter:DIR or openai:MODEL@URL.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="device, dtype, temperature, presentations, replicates or norms, such as device=cuda.",
            rich_help_panel=SETTINGS,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="A registered name, or your own table.", show_default=False, rich_help_panel=ROWS),
    ] = None,
    split: Annotated[str, typer.Option(help="The rows that are judged.", rich_help_panel=ROWS)] = "test",
    baselines: Annotated[
        str, typer.Option(help="Names or groups (frozen, prompt, lora), or none.", rich_help_panel=ROWS)
    ] = "frozen",
    controls: Annotated[
        bool, typer.Option("--shuffled-votes", help="Also retrain on shuffled votes (slow).", rich_help_panel=ROWS)
    ] = False,
    suite: Annotated[
        str | None, typer.Option(help="core, full or toy.", show_default=False, rich_help_panel=SUITE)
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(help="By name or YAML file, comma-separated.", show_default=False, rich_help_panel=SUITE),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report.", show_default=False, rich_help_panel=SUITE)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on in that folder.", rich_help_panel=SUITE)] = False,
    conditions: Annotated[
        str | None,
        typer.Option(help="Such as neutral,persona+country@ar!reasoning.", show_default=False, rich_help_panel=SUITE),
    ] = None,
    items: Annotated[
        int | None, typer.Option(help="Items a task.", show_default="the suite's", rich_help_panel=SUITE)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of samples and orders.", rich_help_panel=SUITE)] = 0,
    judge: Annotated[
        str | None,
        typer.Option(help="The model that judges free text.", show_default=False, rich_help_panel=SUITE),
    ] = None,
    trained_on: Annotated[
        str | None,
        typer.Option(
            help="Look for these training rows (a name, or your table) in the questions.",
            show_default=False,
            rich_help_panel=SUITE,
        ),
    ] = None,
    stop_rule: Annotated[
        Path | None,
        typer.Option(help="Thresholds stated before the run (YAML).", show_default=False, rich_help_panel=SUITE),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="An earlier report to compare with.", show_default=False, rich_help_panel=SUITE),
    ] = None,
    allow_language: Annotated[
        bool,
        typer.Option(
            "--allow-unsupported-language", help="Ask in languages the model does not claim.", rich_help_panel=SUITE
        ),
    ] = False,
    language_model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LANGUAGES=MODEL",
            help="Who answers in other languages, such as ar,fr=openai:MODEL@URL.",
            show_default=False,
            rich_help_panel=SUITE,
        ),
    ] = None,
    samples: Annotated[int, typer.Option(help="Answers drawn to each question.", min=1, rich_help_panel=ENDPOINTS)] = 5,
    connections: Annotated[int, typer.Option(help="Requests at once.", min=1, rich_help_panel=ENDPOINTS)] = 8,
    timeout: Annotated[float, typer.Option(help="Seconds for one request.", min=0.1, rich_help_panel=ENDPOINTS)] = 60.0,
    retries: Annotated[int, typer.Option(help="Of one request.", min=0, rich_help_panel=ENDPOINTS)] = 6,
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
    """Judge a run on labelled rows (--data), or any model beside people and baselines (--suite).

    Exit code 0: done. 2: a mistake in what was asked for, or tasks that failed. 1: the report was written and nothing
    was measured, as every task was left out or an endpoint delivered no answer.
    """
    if (data is None) == (suite is None and tasks is None):
        raise CalmError(
            "R12", "say on what: rows of a data set, or a suite of tasks.", field="--data, --suite",
            fix="write --data crehate for a run, or --suite core --out REPORT for any model; not both.",
        )  # fmt: skip
    given = given_options(context, data, trained_on)
    columns = options.OwnColumns(text, label, culture, culture_role, votes, id_column, group, split_column)
    if data is None:
        from calm_lm.cli.suite import SuiteArguments, run

        run(model, SuiteArguments(
            suite=suite, tasks=tasks, out=out, resume=resume, conditions=conditions, items=items, seed=seed,
            samples=samples, connections=connections, timeout=timeout, retries=retries, allow_language=allow_language,
            stop_rule=stop_rule, against=against, judge=judge, trained_on=trained_on,
            language_models=tuple(language_model or ()), data_dir=data_dir, json=json,
            columns=columns, settings=tuple(settings or ()), given=given,
        ))  # fmt: skip
        return
    judge_rows(Path(model), data, split, baselines, columns, shuffled=controls, data_dir=data_dir, json=json)


def judge_rows(
    run: Path,
    data: str,
    split: str,
    baselines: str,
    columns: options.OwnColumns,
    *,
    shuffled: bool,
    data_dir: Path | None,
    json: Path | None,
) -> None:
    """A run beside every baseline and its controls, on the rows of a data set."""
    from calm_lm.baselines.registry import baseline_names
    from calm_lm.cli.display import console, live_progress
    from calm_lm.evaluation.evaluate import Evaluation
    from calm_lm.files import write_json
    from calm_lm.model.calm import CalmModel
    from calm_lm.training.norm_sources import open_norms
    from calm_lm.training.open_run import run_config, run_manifest, seed_folders

    names = [] if baselines == "none" else baseline_names(baselines)
    folders = seed_folders(run)
    config = run_config(run)
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
        if shuffled:
            if not config.readers or not result["controls"]:
                raise CalmError(
                    "R05", "votes are shuffled across readers, and this run has no two.", field="--shuffled-votes",
                    fix="leave the option out.",
                )  # fmt: skip
            result["controls"]["shuffled_votes"] = judged.shuffled_votes()
    result["manifest"] = run_manifest(run) | {"run": str(run), "config": config.model_dump(mode="json")}
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
