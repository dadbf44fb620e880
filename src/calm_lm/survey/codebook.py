"""A codebook: what the columns of a survey's microdata mean. A file format of our own, YAML or CSV.

YAML (`codebook.yaml`), the full form:

    name: my-survey
    title: My survey of 2024
    licence: private
    citation: where it comes from
    country: {column: COUNTRY, coding: alpha3}      # alpha2, alpha3, numeric or label
    countries: {NCY: x-northern-cyprus}             # codes beyond ISO 3166; optional
    weight: WEIGHT                                  # optional: without it every respondent counts the same
    wave: WAVE                                      # optional columns
    date: YEAR
    person: CASE                                    # optional: who answered; `calm survey split` keeps people apart
    missing: {-1: don't know, -2: no answer}        # asked, no answer: for all items, may be given again for one
    not_asked: {-4: not asked}                      # not counted among the people asked
    groups:                                         # optional: what respondents may be cut by
      sex: {column: SEX, values: {1: male, 2: female}}
      age: {column: AGE, values: {16..29: 16 to 29, 30..99: 30 and over}}  # codes may be ranges here
    items:
      Q1:
        text: How important is family in your life?
        options: {1: Very important, 2: Rather important, 3: Not very important, 4: Not at all important}
        scale: ordinal                              # or nominal
        reversed: true                              # the first option is the high end; optional
        topic: social values                        # optional
        column: Q1                                  # optional, the id otherwise
      Q49:
        text: How satisfied are you with your life, from 1 (not at all) to 10 (completely)?
        options: 1..10
        scale: ordinal

CSV (`codebook.csv`) holds items only, one a row: `id,text,options,scale` and, where wanted, `reversed,topic,missing,
column`; options and missing codes are written `1=Very important|2=Rather important`. Countries and weights are then
those of the survey that the file is made for. No figure of any survey belongs into a codebook.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from calm_lm.culture.ids import check_id
from calm_lm.errors import CalmError
from calm_lm.survey.countries import Coding
from calm_lm.survey.item import Option, SurveyItem
from calm_lm.survey.reading import read_rows, read_text

_CODINGS = ("label", "alpha2", "alpha3", "numeric")
_TOP = (
    "name", "title", "licence", "citation", "country", "countries", "weight", "wave", "date", "person", "missing",
    "not_asked", "groups", "items",
)  # fmt: skip
_ITEM = ("text", "options", "scale", "reversed", "topic", "missing", "column", "source")
_RANGE = re.compile(r"(-?\d+)\s*\.\.\s*(-?\d+)")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_WIDEST = 101  # options of a range, 0..100


@dataclass(frozen=True, slots=True)
class GroupColumn:
    """A column that respondents may be cut by: its codes and what they are called; other codes are unknown."""

    column: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Codebook:
    """What the columns of a survey's microdata mean.

    Attributes:
        name: of the survey.
        title: in full.
        licence: SPDX id or the name of its terms.
        citation: how to cite it.
        items: with their valid options, and as missing codes both those below.
        columns: column of each item.
        missing: codes of people who were asked and did not answer, with their texts; an item may have its own.
        not_asked: codes of people who were not asked; they are counted apart.
        country: column of the country.
        coding: how it is written there.
        countries: ids of codes that are none of ISO 3166.
        weight: column of the population weight; None: everyone counts the same.
        wave: column of the wave, if any.
        date: column of the year, if any.
        groups: what respondents may be cut by.
        person: column that tells one respondent from another, if any; rows of one value are one person.
    """

    name: str
    title: str
    licence: str
    citation: str
    items: tuple[SurveyItem, ...]
    columns: Mapping[str, str]
    missing: Mapping[str, str]
    not_asked: Mapping[str, str]
    country: str
    coding: Coding
    countries: Mapping[str, str] = field(default_factory=dict)
    weight: str | None = None
    wave: str | None = None
    date: str | None = None
    groups: Mapping[str, GroupColumn] = field(default_factory=dict)
    person: str | None = None


def read_codebook(path: Path, base: Codebook | None = None) -> Codebook:
    """Read a codebook.

    Args:
        path: a `.yaml` or `.csv` file.
        base: gives what the file leaves out (columns of country and weight, missing codes, name); a CSV needs one.

    Raises:
        CalmError: as `survey.reading` for a file that cannot be read, V45 for one that is no codebook, V46 for a wrong
            entry, V01 to V04 and V25 for an item that is none.
    """
    path = Path(path)
    return _from_csv(path, base) if path.suffix == ".csv" else codebook_from_yaml(read_text(path), path, base)


def code_of(value: object) -> str:
    """A code as this room writes it: without spaces, and `1.0` as `1`."""
    text = str(value).strip()
    match = re.fullmatch(r"([+-]?\d+)(?:\.0+)?", text)
    return str(int(match[1])) if match else text


def codebook_from_yaml(text: str, path: Path, base: Codebook | None = None) -> Codebook:
    """A codebook from YAML; arguments and errors as `read_codebook`."""
    import yaml

    try:
        root = _loader()(text).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        mark = getattr(error, "problem_mark", None)
        raise _no_codebook(path, f"is no readable YAML ({reason}).", mark.line + 1 if mark else None) from error
    if not isinstance(root, dict) or not isinstance(root.get("items"), dict) or not root["items"]:
        raise _no_codebook(path, "holds no items.")
    for key in root:
        if key not in _TOP:
            _wrong(path, str(key), key, f"is no entry of a codebook; use {', '.join(_TOP)}.")
    missing = _codes(path, "missing", root["missing"]) if "missing" in root else dict(base.missing if base else {})
    not_asked = (
        _codes(path, "not_asked", root["not_asked"]) if "not_asked" in root else dict(base.not_asked if base else {})
    )
    country, coding = _country(path, root, base)
    items = tuple(_item(path, str(key), value, missing, not_asked) for key, value in root["items"].items())
    return Codebook(
        name=_text(path, root, "name", base.name if base else None),
        title=_text(path, root, "title", base.title if base else None),
        licence=_text(path, root, "licence", base.licence if base else None),
        citation=_text(path, root, "citation", base.citation if base else None),
        items=items,
        columns={str(key): str(value.get("column", key)) for key, value in root["items"].items()},
        missing=missing,
        not_asked=not_asked,
        country=country,
        coding=coding,
        countries=_countries(path, root.get("countries")) or (base.countries if base else {}),
        weight=_optional(path, root, "weight", base.weight if base else None),
        wave=_optional(path, root, "wave", base.wave if base else None),
        date=_optional(path, root, "date", base.date if base else None),
        groups=_groups(path, root.get("groups")) or (base.groups if base else {}),
        person=_optional(path, root, "person", base.person if base else None),
    )


def _from_csv(path: Path, base: Codebook | None) -> Codebook:
    if base is None:
        raise _no_codebook(path, "is CSV, which does not say where country and weight stand.")
    items: list[SurveyItem] = []
    columns: dict[str, str] = {}
    for row in read_rows(path, ("id", "text", "options", "scale"), optional=("reversed", "topic", "missing", "column")):
        entry: dict[str, Any] = {name: cell for name, cell in row.cells.items() if name != "id" and cell.strip()}
        for name in ("options", "missing"):
            if name in entry:
                entry[name] = _pairs(path, row.number, name, entry[name])
        items.append(_item(path, row["id"].strip(), entry, base.missing, base.not_asked))
        columns[items[-1].id] = entry.get("column", items[-1].id)
    if not items:
        raise _no_codebook(path, "holds no items.")
    return replace(base, items=tuple(items), columns=columns)


def _pairs(path: Path, row: int, name: str, text: str) -> Any:
    if _RANGE.fullmatch(text.strip()):
        return text
    parts = [part.partition("=") for part in text.split("|")]
    if not all(code.strip() and label.strip() for code, _, label in parts):
        problem, fix = "must be codes with their texts.", "write 1=Very important|2=Rather important, or 1..10."
        raise CalmError("V47", problem, file=path, row=row, field=name, value=text, fix=fix)
    if len({code_of(code) for code, _, _ in parts}) != len(parts):
        raise CalmError("V48", "a code stands twice.", file=path, row=row, field=name, value=text, fix="keep one.")
    return {code: label.strip() for code, _, label in parts}


def _item(path: Path, item_id: str, entry: Any, missing: Mapping[str, str], not_asked: Mapping[str, str]) -> SurveyItem:
    if not isinstance(entry, dict):
        _wrong(path, item_id, entry, "must be an entry with text, options and scale.")
    for key in entry:
        if key not in _ITEM:
            _wrong(path, f"{item_id}.{key}", key, f"is no field of an item; use {', '.join(_ITEM)}.")
    scale, turned = entry.get("scale"), _TRUTH.get(str(entry.get("reversed", "false")).strip().lower())
    if scale not in ("ordinal", "nominal"):
        _wrong(path, f"{item_id}.scale", scale, "must be ordinal or nominal.")
    if turned is None:
        _wrong(path, f"{item_id}.reversed", entry["reversed"], "must be true or false.")
    if not isinstance(entry.get("text"), str):
        _wrong(path, f"{item_id}.text", entry.get("text"), "must be the question.")
    options = _codes(path, f"{item_id}.options", entry.get("options"))
    own = _codes(path, f"{item_id}.missing", entry["missing"]) if "missing" in entry else missing
    lost = {code: text for code, text in {**own, **not_asked}.items() if code not in options}
    return SurveyItem(
        id=item_id,
        text=" ".join(entry["text"].split()),
        options=tuple(Option(code, text) for code, text in options.items()),
        scale=scale,
        missing=tuple(Option(code, text) for code, text in lost.items()),
        reversed=turned,
        topic=str(entry.get("topic", "")),
        source=str(entry.get("source", "")),
    )


def _codes(path: Path, field_name: str, value: Any) -> dict[str, str]:
    if isinstance(value, str) and (match := _RANGE.fullmatch(value.strip())):
        low, high = int(match[1]), int(match[2])
        if 0 < high - low < _WIDEST:
            return {str(code): str(code) for code in range(low, high + 1)}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        _wrong(path, field_name, value, "must map codes to texts, or be a range such as 1..10.")
    codes = {code_of(code): str(text) for code, text in value.items()}
    if len(codes) != len(value):
        _wrong(path, field_name, list(value), "holds a code twice.")
    return codes


def _country(path: Path, root: Mapping[str, Any], base: Codebook | None) -> tuple[str, Coding]:
    if "country" not in root and base is not None:
        return base.country, base.coding
    given = root.get("country")
    if not isinstance(given, dict) or set(given) != {"column", "coding"} or given["coding"] not in _CODINGS:
        _wrong(path, "country", given, f"must be {{column: NAME, coding: one of {', '.join(_CODINGS)}}}.")
    return str(given["column"]), given["coding"]


def _countries(path: Path, value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        _wrong(path, "countries", value, "must map the codes of countries to ids.")
    return {code_of(code): check_id(str(known), file=path, field=f"countries.{code}") for code, known in value.items()}


def _groups(path: Path, value: Any) -> dict[str, GroupColumn]:
    groups: dict[str, GroupColumn] = {}
    if value is not None and not isinstance(value, dict):
        _wrong(path, "groups", value, "must map the names of groups to columns and values.")
    for name, entry in (value or {}).items():
        if not isinstance(entry, dict) or set(entry) != {"column", "values"}:
            _wrong(path, f"groups.{name}", entry, "must be {column: NAME, values: {code: name}}.")
        values = _unfolded(path, f"groups.{name}.values", entry["values"])
        groups[str(name)] = GroupColumn(str(entry["column"]), values)
    return groups


def _unfolded(path: Path, field_name: str, value: Any) -> dict[str, str]:
    """Codes with their texts; a code written `16..29` stands for each whole number from 16 to 29."""
    if not isinstance(value, dict):
        _wrong(path, field_name, value, "must map codes, or ranges of codes such as 16..29, to names.")
    pairs: list[tuple[str, Any]] = []
    for code, text in value.items():
        match = _RANGE.fullmatch(str(code).strip())
        low, high = (int(match[1]), int(match[2])) if match else (0, -1)
        if match and not 0 < high - low < _WIDEST:
            _wrong(path, field_name, code, f"is no range of 2 to {_WIDEST} codes, the lower end first.")
        pairs += [(str(each), text) for each in range(low, high + 1)] if match else [(str(code), text)]
    if len(dict(pairs)) != len(pairs):
        _wrong(path, field_name, list(value), "holds a code twice.")
    return _codes(path, field_name, dict(pairs))


def _text(path: Path, root: Mapping[str, Any], name: str, default: str | None) -> str:
    value = root.get(name, default)
    if not isinstance(value, str) or not value.strip():
        _wrong(path, name, value, "must be a line of text.")
    return value


def _optional(path: Path, root: Mapping[str, Any], name: str, default: str | None) -> str | None:
    return _text(path, root, name, default) if name in root else default


def _no_codebook(path: Path, problem: str, row: int | None = None) -> CalmError:
    fix = "write YAML with items, texts in quotes; the form is in calm_lm.survey.codebook."
    return CalmError("V45", problem, file=path, row=row, fix=fix)


def _wrong(path: Path, field_name: str, value: object, problem: str) -> NoReturn:
    raise CalmError("V46", problem, file=path, field=field_name, value=value, fix="see calm_lm.survey.codebook.")


def _loader() -> Any:
    import yaml

    class Texts(yaml.BaseLoader):
        """Leaves `Yes` and `1` the texts they are, and refuses a key that stands twice."""

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        pairs = loader.construct_pairs(node, deep=True)
        try:
            table = dict(pairs)
        except TypeError as error:
            raise yaml.YAMLError("a key is a list or a table") from error
        if len(table) != len(pairs):
            raise yaml.MarkedYAMLError(problem="a key stands twice", problem_mark=node.start_mark)
        return table

    Texts.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    return Texts
