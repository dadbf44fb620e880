"""`calm data`: which data sets there are, what is in one, what is wrong with one, and how to get one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from calm_lm.cli.display import plain_table, say, write_result
from calm_lm.cli.options import DataDir, Json

if TYPE_CHECKING:
    from rich.table import Table

    from calm_lm.data.check import Findings
    from calm_lm.data.example import Dataset
    from calm_lm.data.registry import Source

app = typer.Typer(no_args_is_help=True, help="List, show, check and get data sets.")

SHOWN_ROWS = 3
SHOWN_CULTURES = 30

Unmask = Annotated[bool, typer.Option("--unmask", help="Show the texts of data sets flagged offensive.")]


@app.command("list")
def list_sources(data_dir: DataDir = None, json: Json = None) -> None:
    """List the registered data sets."""
    from calm_lm.data import registry

    sources = [_facts(registry.get(name), data_dir) for name in registry.names()]
    columns = ("name", "title", "licence", "contrast", "offensive", "here")
    say(plain_table("Data sets", columns, [[facts[column] for column in columns] for facts in sources]))
    write_result(json, {"datasets": sources})


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A registered name.")],
    data_dir: DataDir = None,
    unmask: Unmask = False,
    json: Json = None,
) -> None:
    """Show one data set: where it comes from, its licence, its splits, a few rows."""
    from calm_lm.data import registry

    source = registry.get(name)
    facts = _facts(source, data_dir)
    say(plain_table(source.title, ("what", "value"), facts.items()))
    if not facts["here"]:
        say(source.obtain)
        write_result(json, facts)
        return
    from calm_lm.data.check import count_labels

    dataset = registry.load(name, data_dir=data_dir)
    splits = {split: count_labels(dataset, rows) for split, rows in dataset.splits.items()}
    say(_label_table("Rows by split and label", "split", splits))
    rows = _first_rows(dataset, unmask)
    say(plain_table("First rows", ("split", "id", "label", "cultures", "text"), [row.values() for row in rows]))
    for note in dataset.notes:
        say(f"note: {note}")
    write_result(json, facts | {"splits": splits, "rows": rows, "notes": list(dataset.notes), "files": dataset.files})


@app.command()
def check(
    path_or_name: Annotated[str, typer.Argument(help="A CSV, TSV, JSONL or Parquet file, or a registered name.")],
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    label: Annotated[str, typer.Option(help="Column of the label.")] = "label",
    culture: Annotated[str | None, typer.Option(help="Column of the culture.", show_default=False)] = None,
    culture_role: Annotated[
        Literal["reader", "about", "author"], typer.Option(help="Whose culture that column holds.")
    ] = "reader",
    votes: Annotated[str | None, typer.Option(help="Column of the votes.", show_default=False)] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="Column of the row's id.", show_default=False)] = None,
    group: Annotated[
        str | None, typer.Option(help="Column of what stays on one side of a split.", show_default=False)
    ] = None,
    split: Annotated[str | None, typer.Option(help="Column of the split.", show_default=False)] = None,
    labels: Annotated[
        str | None, typer.Option(help="The label set in order, the positive one last: no,yes.", show_default=False)
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="How many malformed rows are shown; all are counted.")] = 50,
    data_dir: DataDir = None,
    json: Json = None,
) -> None:
    """Check a data set: malformed rows, balance, repeats, leakage between splits, licences.

    Exit code 2 when a row is malformed.
    """
    from calm_lm.data import registry
    from calm_lm.data.check import check_dataset, check_file
    from calm_lm.data.own import Columns

    path = Path(path_or_name)
    if path_or_name in registry.names() or not (path.suffix or path.exists()):
        findings = check_dataset(registry.load(path_or_name, data_dir=data_dir))
    else:
        columns = Columns(text, label, culture=culture, votes=votes, id=id_column, group=group, split=split)
        names = None if labels is None else labels.split(",")
        findings = check_file(path, columns, labels=names, role=culture_role, most=most)
    _print_findings(findings)
    write_result(json, findings.as_json())
    if findings.malformed:
        raise typer.Exit(2)


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="A registered name.")],
    data_dir: DataDir = None,
    offline: Annotated[bool, typer.Option("--offline", envvar="CALM_OFFLINE", help="Use no network.")] = False,
    json: Json = None,
) -> None:
    """Fetch a data set from its public address, after saying its licence."""
    from calm_lm.data import download, registry
    from calm_lm.errors import CalmError

    source = registry.get(name)
    if data_dir is None and not source.bundled:
        raise CalmError(
            "D86", "there is no folder to put it in.", field="--data-dir", fix="pass --data-dir DIR or set CALM_DATA."
        )
    folder = download.fetch(source, data_dir or Path(), offline=offline, notify=say)
    say(f"ready: {folder}")
    write_result(json, {"name": name, "folder": str(folder), "licence": source.licence, "citation": source.citation})


def mask_text(text: str, *, offensive: bool, unmask: bool) -> str:
    """The text as a terminal may show it: `[masked, n characters]` for offensive sets unless asked for."""
    return f"[masked, {len(text)} characters]" if offensive and not unmask else text


def _facts(source: Source, data_dir: Path | None) -> dict[str, Any]:
    from calm_lm.data.locate import find_folder

    return {
        "name": source.name,
        "title": source.title,
        "summary": source.summary,
        "licence": source.licence,
        "citation": source.citation,
        "contrast": source.contrast,
        "offensive": source.offensive,
        "bundled": source.bundled,
        "here": source.bundled or find_folder(source, data_dir) is not None,
    }


def _first_rows(dataset: Dataset, unmask: bool) -> list[dict[str, str]]:
    return [
        {
            "split": split,
            "id": row.id,
            "label": "" if row.label is None else dataset.labels[row.label],
            "cultures": " ".join(
                f"{role}={culture}"
                for role, culture in (("reader", row.reader), ("about", row.about), ("author", row.author))
                if culture is not None
            ),
            "text": mask_text(row.text, offensive=dataset.offensive, unmask=unmask),
        }
        for split, rows in dataset.splits.items()
        for row in rows[:SHOWN_ROWS]
    ]


def _print_findings(findings: Findings) -> None:
    for problem in findings.problems:
        say(str(problem))
    hidden = findings.malformed - len(findings.problems)
    say(f"{findings.name}: {findings.malformed} malformed rows" + (f", {hidden} of them not shown" if hidden else ""))
    if findings.splits:
        say(_label_table("Rows by split and label", "split", findings.splits))
    for role, balance in findings.balance.items():
        shown = dict(list(balance.items())[:SHOWN_CULTURES])
        say(_label_table(f"Rows by {role} and label", role, shown))
        if len(balance) > len(shown):
            say(f"{len(balance) - len(shown)} more in the role {role}; --json has all.")
    say(f"repeats: {findings.repeats} rows; texts whose repeats differ in label: {findings.contradictions}")
    for overlap in findings.leakage:
        pairs = ", ".join(f"{pair.first}~{pair.second} ({pair.similarity:g})" for pair in overlap.pairs)
        say(
            f"leakage, {overlap.kind}: {len(overlap.rows)} rows of {overlap.second} stand in {overlap.first}; "
            f"ids, as {pairs}"
        )
    if not findings.leakage:
        say("leakage: none found between splits, exact or near")
    say(f"licences: {', '.join(findings.licences) or 'none named'}")
    for line in (*findings.warnings, *(f"note: {note}" for note in findings.notes)):
        say(line)


def _label_table(title: str, first: str, counts: dict[str, dict[str, int]]) -> Table:
    labels = list(dict.fromkeys(label for row in counts.values() for label in row))
    rows = [[name, *(row.get(label, 0) for label in labels), sum(row.values())] for name, row in counts.items()]
    return plain_table(title, (first, *labels, "rows"), rows)
