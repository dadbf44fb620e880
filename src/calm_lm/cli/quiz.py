"""`calm quiz`: a quiz for people before and after they learn about places, and what it came to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calm_lm.cli import options
from calm_lm.errors import CalmError

app = typer.Typer(help="Quiz people before and after they learn, and score it.", no_args_is_help=True)

Seed = Annotated[int, typer.Option(min=0, help="Of the choice of items and of draws.")]
GAINS, PEOPLE = (0.02, 0.05, 0.1, 0.15), (10, 20, 40, 80, 160)


@app.command("make")
def make(
    folder: Annotated[Path, typer.Argument(help="Where to; must be new or empty.")],
    items: Annotated[int, typer.Option(help="Items on each form.", min=1)] = 12,
    places: Annotated[str | None, typer.Option(help="Culture ids, comma-separated.", show_default="all")] = None,
    seed: Seed = 0,
    data_dir: options.DataDir = None,
) -> None:
    """Write two matched forms, teaching pages, instructions and the key, from BLEnD's short answers."""
    from calm_lm.cli.display import console
    from calm_lm.data.benchmarks.registry import get, locate
    from calm_lm.evaluation.kinds.quiz_kit import build_kit, quiz_items, write_kit

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CalmError("R14", "is not empty.", file=folder, fix="name a new folder; nothing is overwritten.")
    benchmark = get("blend-short")
    from calm_lm.data.benchmarks.blend_short import read

    questions = read(locate(benchmark, data_dir))
    wanted = None if places is None else {place.strip() for place in places.split(",")}
    here = {question.place for question in questions}
    for place in sorted((wanted or set()) - here):
        raise CalmError(
            "R15", "no question is about this place.", field="--places", value=place,
            fix=f"choose among {', '.join(sorted(here))}.",
        )  # fmt: skip
    made = [item for item in quiz_items(questions, seed) if wanted is None or item.culture in wanted]
    write_kit(build_kit(made, items, seed), folder, source=benchmark.title, licence=benchmark.licence)
    console().print(f"{folder}: instructions.md, form-1.md, teaching.md, form-2.md, key.json", markup=False)


@app.command("score")
def score(
    folder: Annotated[Path, typer.Argument(help="The folder of the quiz.")],
    before: Annotated[Path, typer.Argument(help="Table of answers before: person, form, item, answer.")],
    after: Annotated[Path, typer.Argument(help="The same, after.")],
    seed: Seed = 0,
    json: options.Json = None,
) -> None:
    """Gain of the people who took a form before and the other one after, with its interval."""
    from calm_lm.cli.display import console, interval, number
    from calm_lm.evaluation.kinds.quiz_scores import paired_gain, read_scores
    from calm_lm.files import write_json

    first, last = (read_scores(folder / "key.json", table) for table in (before, after))
    people = sorted(name for name in first if name in last)
    for name in people:
        if len(first[name]) != 1 or len(last[name]) != 1 or set(first[name]) == set(last[name]):
            raise CalmError(
                "R16", "took the same form twice, or both at once.", file=after, field="person", value=name,
                fix="one form before, the other one after.",
            )  # fmt: skip
    shares = [[next(iter(part[name].values())) for name in people] for part in (first, last)]
    found = paired_gain(shares[0], shares[1], seed)
    only_one = len(first.keys() ^ last.keys())
    console().print(
        f"{found.people} people: {number(found.before)} right before, {number(found.after)} after; gain "
        f"{found.gain:+.3f} ({interval(found.interval[:2])}), effect size dz {number(found.dz)}. "
        f"{only_one} took only one form and are not counted.",
        markup=False,
    )
    if json is not None:
        facts = {**found._asdict(), "interval": list(found.interval[:2]), "took_only_one_form": only_one}
        write_json(json, {key: None if value != value else value for key, value in facts.items()})


@app.command("power")
def power(
    spread: Annotated[float, typer.Option(help="Standard deviation of single people's gains.")] = 0.15,
) -> None:
    """How likely a study of so many people finds a gain of that size."""
    from rich.table import Table

    from calm_lm.cli.display import console
    from calm_lm.evaluation.kinds.quiz_scores import power_table

    chances = power_table(GAINS, spread, PEOPLE)
    made = Table(title=f"Chance to find a gain (two-sided paired t-test at 0.05, spread {spread:g})")
    for name in ("true gain", *(f"{n} people" for n in PEOPLE)):
        made.add_column(name, justify="right")
    for gain, row in zip(GAINS, chances, strict=True):
        made.add_row(f"{gain:.2f}", *(f"{chance:.2f}" for chance in row))
    console().print(made)
