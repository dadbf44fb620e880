"""`calm demo`: the whole thing on bundled data, in minutes, as tables and one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calm_lm.cli import options
from calm_lm.cli.display import heading

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    from calm_lm.evaluation.demo import DemoResult, Score, Table
    from calm_lm.evaluation.showcase import Reflection, Situation

SHORT = {"expected": "expect", "fine": "fine", "out_of_place": "out", "varies": "varies"}
STYLES = {"expected": "blue", "fine": "green", "out_of_place": "red", "varies": "magenta"}
WIDTH = 100


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the report, the JSON and the run.")] = Path("calm-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training.")] = 0,
    json: options.Json = None,
) -> None:
    """Train CALM on bundled norms of everyday life and show what it does, good and bad."""
    from calm_lm.cli.display import live_progress
    from calm_lm.data import registry
    from calm_lm.evaluation.demo import run_demo
    from calm_lm.evaluation.pages.demo import AUTHORED, demo_page
    from calm_lm.evaluation.pages.pictures import require_matplotlib
    from calm_lm.files import write_json, write_text
    from calm_lm.training.presets import build_config, read_recipe

    require_matplotlib()
    settings = read_recipe("demo")
    dataset = registry.load(str(settings.pop("data")))
    overrides = ["backbone.local_files_only=true"] if options.is_offline() else []
    config = build_config(settings, overrides, file="demo")
    screen = _screen()
    screen.print("CALM demo: everyday norms read for twelve countries, by a small language model.", style="bold")
    screen.print(AUTHORED, style="dim", markup=False)
    with live_progress() as live:
        result = run_demo(
            config, dataset, out / "run", seed=seed, progress=live.tell, report=live.steps(f"training seed {seed}")
        )
    for path in (out / "demo.json", *([json] if json else [])):
        write_json(path, result.as_json())
    write_text(out / "report.html", demo_page(result))
    show_demo(screen, result)
    screen.print(f"\nReport: {out / 'report.html'}", style="bold", markup=False)
    took = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in result.seconds.items())
    screen.print(f"Took {sum(result.seconds.values()):.0f} s ({took}).", style="dim", markup=False)


def _screen() -> Console:
    from rich.console import Console

    from calm_lm.cli.display import console

    screen = console()
    return screen if screen.width <= WIDTH else Console(highlight=False, width=WIDTH)


def show_demo(screen: Console, result: DemoResult) -> None:
    """Everything of the report that a terminal can show."""
    from calm_lm.evaluation.pages.demo import (
        abstention_sentences,
        next_commands,
        plane_sentences,
        reflection_sentence,
    )

    heading(screen, f"1  {len(result.situations)} situations, read side by side")
    screen.print("expect = expected, out = out of place. ✓ agrees with the documented norm, ✗ does not.", style="dim")
    for situation in result.situations:
        _show_situation(screen, situation)
    heading(screen, "2  Beside simple baselines")
    screen.print(
        "Means over countries, [95 % intervals over situations], and the country with the worst value.",
        style="dim",
        markup=False,
    )
    for table in result.tables:
        screen.print(_score_grid(table))
        screen.print(table.summary, style="bold", markup=False)
        for verdict in table.verdicts:
            screen.print(f"• {verdict}", markup=False)
    heading(screen, "3  The countries in the plane (picture in the report)")
    for sentence in plane_sentences(result):
        screen.print(sentence, markup=False)
    heading(screen, "4  How answers were reflected on")
    screen.print(reflection_sentence(result), markup=False)
    for example in result.reflections.examples:
        _show_reflection(screen, example)
    heading(screen, "5  When it does not answer")
    for sentence in abstention_sentences(result):
        screen.print(sentence, markup=False)
    silent = result.abstention
    if silent.prediction is not None:
        shares = ", ".join(f"{_words(name)} {share:.2f}" for name, share in silent.prediction.probabilities.items())
        screen.print(f"  “{silent.text}”", style="italic", markup=False)
        screen.print(f"  {silent.country}: {shares}; documented: {_words(silent.documented)}", markup=False)
    heading(screen, "6  Care")
    screen.print(" ".join(result.care.split()), markup=False)
    heading(screen, "7  Your own file")
    for command in next_commands(result.run):
        screen.print(command, style="cyan", markup=False, soft_wrap=True)


def _show_situation(screen: Console, situation: Situation) -> None:
    from rich.table import Table as Grid
    from rich.text import Text

    screen.print()
    screen.print(f"“{situation.text}”", style="italic", markup=False)
    screen.print(f"Picked because {situation.picked}.", style="dim", markup=False)
    grid = Grid(box=None, padding=(0, 0, 0, 1), pad_edge=False)
    grid.add_column("")
    for reading in situation.readings:
        grid.add_column(reading.country, min_width=6)
    grid.add_row("document", *(_label(reading.documented) for reading in situation.readings))
    grid.add_row("CALM", *(_label(reading.predicted) for reading in situation.readings))
    marks = (Text("✓", "green") if reading.agrees else Text("✗", "bold red") for reading in situation.readings)
    grid.add_row(f"{situation.agreeing} of {len(situation.readings)}", *marks)
    screen.print(grid)


def _label(label: str) -> Text:
    from rich.text import Text

    return Text(SHORT[label], STYLES[label])


def _words(label: str) -> str:
    return label.replace("_", " ")


def _score_grid(table: Table) -> Grid:
    from rich.table import Table as Grid

    grid = Grid(title=f"\n{table.title}: {table.situations} situations", title_justify="left", box=None, pad_edge=False)
    grid.add_column("")
    for metric in table.metrics:
        grid.add_column(_words(metric).replace("macro f1", "macro-F1").replace("cross entropy", "cross-entropy"))
    for system in table.systems:
        style = "bold" if system.system == "CALM" else None
        grid.add_row(system.system, *(_score(score) for score in system.scores), style=style)
    return grid


def _score(score: Score | None) -> Text:
    from rich.text import Text

    if score is None or score.mean is None:
        return Text("–", "dim")
    if score.interval is None:
        return Text(f"{score.mean:.3f}")
    low, high = score.interval
    worst = f"\nworst {score.worst_country} {score.worst:.2f}" if score.worst is not None else ""
    return Text.assemble(f"{score.mean:.3f} ", (f"[{low:.2f} {high:.2f}]{worst}", "dim"))


def _show_reflection(screen: Console, example: Reflection) -> None:
    from calm_lm.evaluation.pages.demo import missing_trace
    from calm_lm.evaluation.pages.traces import outcome

    screen.print()
    screen.print(example.kind.capitalize(), style="bold", markup=False)
    answer = example.prediction
    if answer is None:
        screen.print(missing_trace(example.kind), markup=False)
        return
    place = "" if example.split == "test" else f" ({example.split} split: there is none in test)"
    screen.print(f"“{example.text}”", style="italic", markup=False)
    screen.print(f"  read for {example.country}, documented: {_words(example.documented)}{place}", markup=False)
    for step in answer.reflection:
        screen.print(f"  draft     {_words(step.draft)} {step.draft_probability:.2f}", markup=False)
        screen.print(f"  asks      {step.self_prompt}", markup=False)
        for cited in step.evidence:
            screen.print(f"  evidence  {cited.sentence} ({cited.weight:.0%}; {cited.source})", markup=False)
        if step.evidence and step.trust is not None:
            screen.print(f"  trust     {step.trust:.0%}", markup=False)
        screen.print(f"  second    {_words(step.second)} {step.second_probability:.2f}: {outcome(step)}", markup=False)
    screen.print(f"  answer    {_words(answer.label)} {answer.confidence:.2f}", markup=False)
