"""`calm survey`: which surveys there are, what people answered, how far two peoples lie apart, published figures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calm_lm.cli.display import number, plain_table, say, write_result
from calm_lm.cli.options import DataDir, Json
from calm_lm.cli.survey_own import CodebookPath, codebook_of, is_registered, read_own
from calm_lm.cli.survey_scores import place, vsm
from calm_lm.cli.survey_split import split
from calm_lm.cli.survey_tables import distance_cells, item_facts, print_report, say_hidden, share_rows
from calm_lm.errors import CalmError

if TYPE_CHECKING:
    from calm_lm.survey.instrument import Survey
    from calm_lm.survey.item import SurveyItem
    from calm_lm.survey.registry import SurveySource

app = typer.Typer(no_args_is_help=True, help="List, show, check, compare and split surveys and published figures.")

SHOWN_ITEMS = 40
SHOWN_COUNTRIES = 8
SHOWN_ROWS = 30

Name = Annotated[str, typer.Argument(help="A registered survey.")]
Countries = Annotated[
    str | None, typer.Option("--countries", help="Culture ids with commas: EG,TR.", show_default=False)
]


@app.command("list")
def list_surveys(data_dir: DataDir = None, json: Json = None) -> None:
    """List the registered surveys and the tables of published figures."""
    from calm_lm.survey.published import index_names, index_source
    from calm_lm.survey.registry import get_survey, survey_names

    surveys = [_facts(get_survey(name), data_dir) for name in survey_names()]
    tables = [
        {"name": name, "title": index_source(name).title, "here": index_source(name).is_in(data_dir)}
        for name in index_names()
    ]
    columns = ("name", "title", "licence", "here")
    say(plain_table("Surveys", columns, [[facts[column] for column in columns] for facts in surveys]))
    say(plain_table("Published figures (calm survey index)", tables[0], [table.values() for table in tables]))
    write_result(json, {"surveys": surveys, "tables": tables})


@app.command()
def show(
    name: Name,
    countries: Countries = None,
    item: Annotated[
        str | None, typer.Option("--item", help="Show how people answered this.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    json: Json = None,
) -> None:
    """Show a survey: where it comes from, its items; with --item, the shares of its answers by country."""
    from calm_lm.survey.check import check_survey
    from calm_lm.survey.registry import get_survey, load_survey

    survey = load_survey(name, data_dir).select(countries=_ids(countries))
    if item is not None:
        _show_item(survey, survey.item(item), everyone=countries is None, json=json)
        return
    facts = _facts(get_survey(name), data_dir)
    say(plain_table(survey.instrument.title, ("what", "value"), facts.items()))
    report = check_survey(survey)
    print_report(report)
    items = [item_facts(survey, each) for each in survey.instrument.items.values()]
    columns = ("id", "scale", "options", "countries", "topic", "text")
    rows = [
        [facts["id"], facts["scale"], len(facts["options"]), *(facts[key] for key in columns[3:])] for facts in items
    ]
    say(plain_table("Items", columns, rows[:SHOWN_ITEMS]))
    say_hidden(len(rows) - SHOWN_ITEMS, "items")
    if survey.instrument.notes:
        say(f"note: {survey.instrument.notes}")
    write_result(json, facts | {"notes": survey.instrument.notes, "report": asdict(report), "items": items})


@app.command()
def check(
    name_or_path: Annotated[str, typer.Argument(help="A registered survey, a CSV of respondents, or a codebook.")],
    codebook: CodebookPath = None,
    data_dir: DataDir = None,
    json: Json = None,
) -> None:
    """Check a survey: count what it holds and what is missing; a file of your own is read strictly."""
    from calm_lm.survey.check import check_survey
    from calm_lm.survey.instrument import Instrument, Survey
    from calm_lm.survey.microdata import survey_from_microdata
    from calm_lm.survey.registry import load_survey

    path = Path(name_or_path)
    if is_registered(name_or_path, codebook):
        survey = load_survey(name_or_path, data_dir)
    elif path.suffix in (".yaml", ".yml"):
        book = read_own(path)
        about = {"name": book.name, "title": book.title, "licence": book.licence, "citation": book.citation}
        survey = Survey(Instrument.of(book.items, **about), ())
    else:
        survey = survey_from_microdata(path, codebook_of(path, codebook))
    report = check_survey(survey)
    print_report(report)
    write_result(json, asdict(report))


@app.command()
def distance(
    name: Name,
    countries: Annotated[str, typer.Option("--countries", help="Two culture ids with a comma: EG,TR.")],
    most: Annotated[int, typer.Option(min=0, help="How many of the most different items are shown.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws behind the interval.")] = 0,
    data_dir: DataDir = None,
    json: Json = None,
) -> None:
    """Tell how differently two peoples answered the items that both were asked."""
    from calm_lm.survey.closeness import place_distance
    from calm_lm.survey.registry import load_survey

    pair = _ids(countries) or []
    if len(pair) != 2:
        raise CalmError(
            "R20", "a distance lies between two places.", field="--countries", value=countries,
            fix="name two different ones, as in EG,TR.",
        )  # fmt: skip
    survey = load_survey(name, data_dir)
    found = place_distance(survey, *pair, seed=seed)
    kinds = {"Jensen-Shannon": found.jensen_shannon, "Wasserstein (ordinal items)": found.wasserstein}
    rows = [(kind, *distance_cells(each)) for kind, each in kinds.items() if each is not None]
    title = f"{pair[0]} and {pair[1]} in {survey.instrument.title}"
    say(plain_table(title, ("distance", "mean", "95 %", "items"), rows))
    say("From 0 (the same answers) to 1. The interval is over items; waves are the newest of either place.")
    shown = [
        (each.item, number(each.jensen_shannon), number(each.wasserstein), survey.item(each.item).text)
        for each in found.items[:most]
    ]
    if shown:
        say(plain_table("Most different items", ("item", "Jensen-Shannon", "Wasserstein", "text"), shown))
    if found.only_one:
        say(f"{found.only_one} items were asked in only one of the two and do not count.")
    write_result(json, {"survey": name, "seed": seed} | found.as_json())


@app.command()
def index(
    name: Annotated[str, typer.Argument(help="hofstede, map or factors.")],
    countries: Countries = None,
    data_dir: DataDir = None,
    json: Json = None,
) -> None:
    """Show published figures by country from your copy."""
    from calm_lm.survey.published import load_index

    table = load_index(name, data_dir)
    wanted = _ids(countries) or sorted(table.rows)
    for country in wanted:
        if country not in table.rows:
            raise CalmError(
                "R21", "is not in this table.", field="--countries", value=country,
                fix=f"leave --countries out to see all {len(table.rows)}.",
            )  # fmt: skip
    shown = wanted if countries else wanted[:SHOWN_ROWS]
    rows = [(country, *(_short(value) for value in table.rows[country])) for country in shown]
    say(plain_table(table.name, ("country", *table.columns), rows))
    say_hidden(len(wanted) - len(shown), "rows")
    for line in (table.citation, f"licence: {table.licence}", *(f"note: {note}" for note in table.notes)):
        say(line)
    write_result(json, {
        "name": table.name, "columns": table.columns, "licence": table.licence, "citation": table.citation,
        "notes": table.notes, "rows": {country: table.rows[country] for country in wanted},
    })  # fmt: skip


def _show_item(survey: Survey, item: SurveyItem, *, everyone: bool, json: Path | None) -> None:
    from calm_lm.survey.closeness import newest

    found = newest(survey.by_item.get(item.id, ()))
    if not found:
        raise CalmError(
            "R22", "nobody there answered this item.", field=survey.instrument.name, value=item.id,
            fix="leave --countries out, or see `calm survey show` for how many countries answered.",
        )  # fmt: skip
    places = sorted(found)
    shown = places[:SHOWN_COUNTRIES] if everyone else places
    rows = [cells for place in shown for cells in share_rows(item, found[place])]
    say(item.text)
    say(plain_table(f"{item.id}, {item.scale}", ("country", "answer", "share", ""), rows))
    say_hidden(len(places) - len(shown), "countries", "--countries shows those you name")
    by_country = {
        place: {
            "shares": dict(zip(item.codes, each.shares, strict=True)), "missing_share": each.missing_share, "n": each.n,
            "n_effective": each.n_effective, "wave": each.wave, "date": each.date,
        }
        for place, each in sorted(found.items())
    }  # fmt: skip
    write_result(json, item_facts(survey, item) | {"by_country": by_country})


def _facts(source: SurveySource, data_dir: Path | None) -> dict[str, Any]:
    from calm_lm.data.locate import find_folder

    here = source.bundled or find_folder(source, data_dir) is not None
    return {
        "name": source.name, "title": source.title, "summary": source.summary, "licence": source.licence,
        "citation": source.citation, "bundled": source.bundled, "here": here,
        "obtain": source.obtain,
    }  # fmt: skip


def _ids(text: str | None) -> list[str] | None:
    from calm_lm.culture.ids import check_id

    if text is None:
        return None
    return list(dict.fromkeys(check_id(part, field="--countries") for part in text.split(",")))


def _short(value: float | None) -> str:
    """Four figures, whatever the unit; an unknown one is a dash."""
    return number(value) if value is None else f"{value:.4g}"


app.command()(split)
app.command()(vsm)
app.command()(place)
