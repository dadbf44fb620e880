"""`calm survey vsm` and `calm survey place`: dimensions and map points of the people in a user's own answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calm_lm.cli.display import number, plain_table, say, write_result
from calm_lm.cli.options import DataDir, Json
from calm_lm.errors import CalmError


def vsm(
    questionnaire: Annotated[Path, typer.Argument(help="Your copy of the VSM 2013 items (CSV or JSONL).")],
    answers: Annotated[Path, typer.Argument(help="One row a respondent: country, optional weight, m01 to m24.")],
    json: Json = None,
) -> None:
    """Six VSM 2013 dimensions of each country in a table of answers, with standard errors and warnings."""
    from calm_lm.survey.sources.vsm2013 import read_answers, read_questionnaire
    from calm_lm.survey.vsm import DIMENSIONS, vsm_by_cell

    found = vsm_by_cell(read_answers(answers, read_questionnaire(questionnaire)).distributions)
    rows = [
        [cell.name, *(_with_error(one.scores[name], one.standard_errors[name]) for name in DIMENSIONS),
         "; ".join(one.warnings) or "-"]
        for cell, one in found.items()
    ]  # fmt: skip
    say(plain_table("VSM 2013 (constants 0: only differences between countries mean something)",
                  ("country", *DIMENSIONS, "warnings"), rows))  # fmt: skip
    write_result(json, {
        cell.name: {"scores": dict(one.scores), "standard_errors": dict(one.standard_errors),
                    "missing_items": list(one.missing_items), "warnings": list(one.warnings)}
        for cell, one in found.items()
    })  # fmt: skip


def place(
    name: Annotated[str, typer.Argument(help="A survey with the ten items of the map: ivs.")] = "ivs",
    data_dir: DataDir = None,
    json: Json = None,
) -> None:
    """Points of each country and wave on the cultural map, by the projection of your copy of the map."""
    from calm_lm.survey.inglehart_welzel import ITEMS, project_distributions
    from calm_lm.survey.published import MAP
    from calm_lm.survey.registry import load_survey
    from calm_lm.survey.sources.iw_map import load

    survey = load_survey(name, data_dir)
    absent = [item for item in ITEMS if item not in survey.by_item]
    if absent:
        raise CalmError(
            "R24", "the map needs ten items, and this survey lacks some.", field=name, value=", ".join(absent),
            fix=f"bring a survey with {', '.join(ITEMS)}.",
        )  # fmt: skip
    projection = load(MAP.locate(data_dir)).projection
    groups: dict[tuple[str, str], list[object]] = {}
    for each in survey.distributions:
        if each.item in ITEMS:
            groups.setdefault((each.cell.name, each.wave), []).append(each)
    rows, facts, left_out = [], {}, []
    for (cell, wave), answered in sorted(groups.items()):
        if len(answered) < len(ITEMS):
            left_out.append(f"{cell} {wave}".strip())
            continue
        found = project_distributions(projection, answered, survey.instrument.items)  # type: ignore[arg-type]
        errors = [None, None] if found.error is None else [float(found.error[i, i]) ** 0.5 for i in (0, 1)]
        rows.append([cell, wave, *(_with_error(v, e) for v, e in zip(found.point, errors, strict=True)),
                     "-" if found.n is None else str(found.n)])  # fmt: skip
        facts[f"{cell} {wave}".strip()] = {"x": found.point.x, "y": found.point.y, "errors": errors, "n": found.n}
    say(plain_table(f"{survey.instrument.title} on the map", ("place", "wave", "x", "y", "respondents"), rows))
    if left_out:
        typer.echo(f"Not all ten items were asked in: {', '.join(left_out)}")
    write_result(json, {"points": facts, "without_all_items": left_out})


def _with_error(value: float | None, error: float | None) -> str:
    return number(value, 2) if error is None else f"{number(value, 2)} ± {number(error, 2)}"
