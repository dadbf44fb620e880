"""The Inglehart-Welzel map with everything that places a model on it, read from the user's copy.

The folder is that of Project Tapestry's contribution (CDLA-Permissive-2.0), which collects the material of Tao and
others, PNAS Nexus 2024: people's points, the parameters of the projection, ten questions as prompts and ten wordings
of who is to answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from calm_lm.data.tables import read_table
from calm_lm.errors import CalmError
from calm_lm.files import read_json
from calm_lm.survey.inglehart_welzel import ITEMS, MapPoint, Projection
from calm_lm.survey.sources.country_names import new_country

LICENCE = "CDLA-Permissive-2.0"
CITATION = (
    "Tao, Viberg, Baker, Kizilcec. Cultural bias and cultural alignment of large language models. PNAS Nexus 2024. "
    "Collected by The AI Alliance, Project Tapestry. Points: World Values Survey and European Values Study."
)
_FIX = "take the file as its authors published it."


class Composite(NamedTuple):
    """Welzel's composites of a country: secular and emancipative values; None where the file says NaN."""

    secular: float | None
    emancipative: float | None


@dataclass(frozen=True)
class CulturalMap:
    """People's points, and what a model needs to be placed beside them.

    Attributes:
        points: by culture id.
        composites: by culture id, for fewer countries.
        projection: from ten answers to a point.
        questions: prompt of each item, in the order of `ITEMS`.
        descriptors: wordings of who is to answer; a model's point is the mean over all of them.
        licence: of the collection.
        citation: how to cite it.
    """

    points: Mapping[str, MapPoint]
    composites: Mapping[str, Composite]
    projection: Projection
    questions: Mapping[str, str]
    descriptors: tuple[str, ...]
    licence: str = LICENCE
    citation: str = CITATION


def load(folder: Path) -> CulturalMap:
    """Read `country_coords.json`, `wvs_country_composites.json`, `iw_projection_final.json` and the two prompt files.

    Args:
        folder: holds the five files.

    Raises:
        CalmError: F01 or F02 for a file that cannot be read, D10 to D25 for a malformed prompt file, V70 for
            parameters that are none, V33 or V81 for a country that is unknown or stands twice, V89 for another layout.
    """
    folder = Path(folder)
    return CulturalMap(
        points=_points(folder / "country_coords.json"),
        composites=_composites(folder / "wvs_country_composites.json"),
        projection=load_projection(folder / "iw_projection_final.json"),
        questions=_questions(folder / "Prompts_Questions.csv"),
        descriptors=_descriptors(folder / "Prompts_Respondent_Descriptors.csv"),
    )


def load_projection(path: Path) -> Projection:
    """The parameters: an object with `items` (any order), `center`, `scale`, `weights`, `rc1`, `rc2`, `se`, `sec`.

    The note in the file counts from 1: `rc1[1]` there is the factor and `rc1[2]` the offset.

    Raises:
        CalmError: V89 for a missing name or other items, V70 or V76 for parameters that are none.
    """
    value = read_json(path)
    names = ("items", "center", "scale", "weights", "rc1", "rc2", "se", "sec")
    for name in names:
        if not isinstance(value, dict) or name not in value:
            raise _layout(path, f"the projection needs {', '.join(names)}.", name)
    items = [str(item).upper() for item in value["items"]] if isinstance(value["items"], list) else []
    if sorted(items) != sorted(ITEMS):
        raise _layout(path, f"the projection needs the ten items {', '.join(ITEMS)}.", "items", value["items"])
    order = [items.index(item) for item in ITEMS]
    per_item = {name: _reordered(path, name, value[name], order) for name in ("center", "scale", "weights")}
    try:
        return Projection(**per_item, rc1=value["rc1"], rc2=value["rc2"], se=value["se"], sec=value["sec"])
    except CalmError as error:
        code = error.code
        raise CalmError(code, error.problem, fix=_FIX, file=path, field=error.field) from error


def _reordered(path: Path, name: str, values: Any, order: Iterable[int]) -> list[Any]:
    if not isinstance(values, list) or len(values) != len(ITEMS):
        raise _layout(path, "is not a list with one entry for each of the ten items.", name, values)
    return [values[at] for at in order]


def _points(path: Path) -> dict[str, MapPoint]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise _layout(path, "is no object of countries.")
    found: dict[str, MapPoint] = {}
    for name, pair in value.items():
        if not isinstance(pair, list) or len(pair) != 2:
            raise _layout(path, "is not a pair of numbers.", name, pair)
        culture = new_country(name, found, file=path, field=name)
        found[culture] = MapPoint(_number(path, name, pair[0]), _number(path, name, pair[1]))
    return found


def _composites(path: Path) -> dict[str, Composite]:
    value = read_json(path)
    if not isinstance(value, list):
        raise _layout(path, "is no list of countries.")
    found: dict[str, Composite] = {}
    for at, entry in enumerate(value, start=1):
        if not isinstance(entry, dict) or not {"country", "sec", "self"} <= entry.keys():
            raise _layout(path, "needs country, sec and self.", f"entry {at}", entry)
        name = str(entry["country"])
        culture = new_country(name, found, file=path, field=f"entry {at}, country")
        found[culture] = Composite(*(_number_or_nan(path, f"{name}, {key}", entry[key]) for key in ("sec", "self")))
    return found


def _questions(path: Path) -> dict[str, str]:
    prompts: dict[str, str] = {}
    for row in read_table(path, ("scale", "prompt")).rows:
        item = row.text("scale").upper()
        if item not in ITEMS or item in prompts:
            raise _layout(path, "is no item of the map, or stands twice.", "scale", row["scale"], row=row.number)
        prompts[item] = row.text("prompt").strip()
    for item in ITEMS:
        if item not in prompts:
            raise _layout(path, "has no prompt.", "scale", item)
    return {item: prompts[item] for item in ITEMS}


def _descriptors(path: Path) -> tuple[str, ...]:
    # the first column is called "#variant": a header and no comment, so nothing that starts with # is passed over
    rows = read_table(path, ("#variant", "respondent_descriptor")).rows
    if not rows:
        raise _layout(path, "holds no wording of a respondent.", "respondent_descriptor")
    return tuple(row.text("respondent_descriptor").strip() for row in rows)


def _number_or_nan(path: Path, field: str, value: object) -> float | None:
    return None if isinstance(value, float) and math.isnan(value) else _number(path, field, value)


def _number(path: Path, field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _layout(path, "is not a finite number.", field, value)
    return float(value)


def _layout(
    path: Path, problem: str, field: str | None = None, value: object = None, *, row: int | None = None
) -> CalmError:
    return CalmError("V89", problem, file=path, row=row, field=field, value=value, fix=_FIX)
