"""MENAValues: World Values Survey 7 and Arab Opinion Index 2022 in 16 countries of the Middle East and North Africa.

One sheet, transposed: a question is a column, its country cells are texts. Of a cell only the shares are read; the
"centre" before them is a truncated mean or a mode. What this reading decides, because the file does not say it:

- The options stand in the question's text (see `menavalues_text`). Where only the ends of a scale are labelled, the
  options are bare numbers and the ends stay in the question.
- The options are the codes from `Min` to `MAX`; one that nobody chose has share 0. Where the text leaves a number out
  and nobody chose it, it is no option. A code below `Min` is a missing code where its words say so
  ("0: I do not have a job"). A label above `MAX` is dropped: the source cut its answers away before it computed shares.
- Items are left out where a code was chosen whose words the source lost, and where the labels contradict the codes.
- `Scale` is y (ordinal), n (nominal) and once s, on "leisure time" between two siblings marked y: a slip, read as y.
  Corrections: an item whose last answer is "disagree with both" is nominal, and so is MENA_17 (three sectors of
  work); "better, worse, the same" is put into the order of its meaning.
- `reversed` is set only where the words of both ends tell (`calm_lm.survey.answers.starts_high`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from calm_lm.errors import CalmError
from calm_lm.survey.answers import is_no_answer, scale_order, starts_high
from calm_lm.survey.cell import Cell
from calm_lm.survey.countries import country_id
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.instrument import Instrument, Survey
from calm_lm.survey.item import Option, Scale, SurveyItem
from calm_lm.survey.reading import literal, number
from calm_lm.survey.registry import SurveySource
from calm_lm.survey.sheet import read_sheet
from calm_lm.survey.sources.menavalues_text import ReadText, read_question

FILE = "MenaValues Benchmark.xlsx"
CITATION = (
    "MENAValues: Evaluating Cultural Alignment and Multilingual Bias in Large Language Models. 2025. "
    "Aggregates of World Values Survey wave 7 and of the 2022 Arab Opinion Index."
)
FACTS = ("Source", "Sub Question", "Min", "MAX", "Scale", "Category", "Sub Category", "Full Question")
WAVES = {"WVS 7": ("WVS 7", "2017-2022"), "The 2022 Arab Opinion Index": ("AOI 2022", "2022")}
ORDINAL = {"y": True, "s": True, "n": False}
LARGEST = 50  # options; a range above it is a mistake of the sheet

_NOT_ORDINAL = {"MENA_17"}
_CELL = re.compile(r"\((?P<centre>[^{}]*),\s*(?P<shares>\{.*\})\)", re.DOTALL)
_CODE = re.compile(r"(-?\d+)(?:\.0+)?")
_NEITHER = re.compile(r"disagree with both.*|(?:i do not |don['’]t )?agree with (?:neither|either).*|neither.*", re.I)


class _Question(NamedTuple):
    """A column of the sheet."""

    column: int
    facts: Mapping[str, str]
    cells: Mapping[str, Mapping[str, float]]  # shares by country and code
    without: int  # cells that hold no answers


def load(folder: Path) -> Survey:
    """Read the sheet.

    Args:
        folder: holds `MenaValues Benchmark.xlsx`.

    Raises:
        CalmError: V29 to V32 for a sheet that cannot be read, V33 for an unknown country, V38 and V39 for a cell, V40
            for a question, V10 to V13 for its shares.
    """
    path = folder / FILE
    rows = read_sheet(path)
    names = ["" if row[0] is None else str(row[0]).strip() for row in rows]
    for name in FACTS:
        if names.count(name) != 1:
            fix = f"the first column names the rows {', '.join(FACTS)}, each once, then the countries."
            raise CalmError("V31", "the sheet has no such row, or two.", file=path, field=name, fix=fix)
    countries = {
        name: country_id(name, file=path, row=at + 1, field="country")
        for at, name in enumerate(names)
        if name and name not in FACTS
    }
    left_out: Counter[str] = Counter()
    items: list[SurveyItem] = []
    found: list[ResponseDistribution] = []
    for column in range(1, max(map(len, rows))):
        question = _question(path, names, rows, column, countries)
        left_out["country cells without answers"] += question.without
        read = _read(path, question, left_out)
        if read is not None:
            items.append(read[0])
            found += _distributions(path, question, *read)
    instrument = Instrument.of(
        items,
        name="menavalues",
        title=SOURCE.title,
        licence=SOURCE.licence,
        citation=CITATION,
        notes="Shares are rounded to 0.01 %. How many people answered and whether they were weighted is not published. "
        "Of people without an answer only those to whom five questions do not apply are known.",
    )
    return Survey(instrument, tuple(found), {reason: count for reason, count in left_out.items() if count})


def _question(
    path: Path, names: Sequence[str], rows: Sequence[Sequence[object]], column: int, countries: Mapping[str, str]
) -> _Question:
    values = {name: row[column] if column < len(row) else None for name, row in zip(names, rows, strict=True)}
    facts = {name: "" if values[name] is None else str(values[name]).strip() for name in FACTS}
    cells: dict[str, Mapping[str, float]] = {}
    without = 0
    for name, country in countries.items():
        shares = _cell(path, names.index(name) + 1, f"column {column + 1}, {name}", values[name])
        without += not shares
        if shares:
            cells[country] = shares
    return _Question(column, facts, cells, without)


def _cell(path: Path, row: int, field: str, value: object) -> Mapping[str, float]:
    """The shares by code; none for an empty cell and for `(No data, {})`."""
    if value is None or not str(value).strip():
        return {}
    match = _CELL.fullmatch(str(value).strip())
    table = literal(match["shares"], file=path, row=row, field=field) if match else None
    if not isinstance(table, dict):
        raise _bad_cell(path, row, field, value, "is no country's answers.")
    shares: dict[str, float] = {}
    for key, share in table.items():
        code = _CODE.fullmatch(str(key).strip())
        if code is None or code[1] in shares:
            raise _bad_cell(path, row, field, key, "the code of an answer is no whole number, or stands twice.")
        percent = str(share).strip()
        shares[code[1]] = number(percent.removesuffix("%"), file=path, row=row, field=field, high=100.0) / 100
    return shares


def _bad_cell(path: Path, row: int, field: str, value: object, problem: str) -> CalmError:
    fix = "write (centre, {'1': '60%', '2': '40%'}), each code once, or leave the cell empty."
    return CalmError("V32", problem, file=path, row=row, field=field, value=value, fix=fix)


def _read(path: Path, question: _Question, left_out: Counter[str]) -> tuple[SurveyItem, Mapping[str, str]] | None:
    """The item, and for each code the one it is counted as; None where the question cannot be asked."""
    facts, place = question.facts, f"column {question.column + 1}"
    low, high = (_whole(path, place, name, facts[name]) for name in ("Min", "MAX"))
    if facts["Source"] not in WAVES or facts["Scale"] not in ORDINAL or not 0 < high - low < LARGEST:
        raise _bad_fact(
            path,
            place,
            ", ".join(facts[name] for name in ("Source", "Scale", "Min", "MAX")),
            "Source, Scale, Min or MAX is none that the sheet is known to have.",
        )
    read = read_question(facts["Full Question"], range(low, high + 1))
    chosen = {code for shares in question.cells.values() for code in shares}
    missing = {code: text for code, text in read.labels.items() if int(code) < low and is_no_answer(text)}
    cut = [code for code in read.labels if int(code) > high]
    left_out["labels above MAX, whose answers the source cut away"] += len(cut)
    if problem := _unusable(read, chosen - set(missing), range(low, high + 1)):
        left_out[problem] += 1
        return None
    codes = [str(code) for code in range(low, high + 1) if read.only_ends or str(code) in read.labels]
    options = [Option(code, code if read.only_ends else read.labels[code]) for code in codes]
    same = _same_texts(options)
    left_out["options whose words stand twice, counted as one"] += len(same)
    options = [option for option in options if option.code not in same]
    item_id = _item_id(facts, question.column)
    scale, order = _scale("n" if item_id in _NOT_ORDINAL else facts["Scale"], options)
    options = [options[place] for place in order]
    ends = (read.labels.get(str(low), ""), read.labels.get(str(high), ""))
    first, last = ends if read.only_ends else (options[0].text, options[-1].text)
    item = SurveyItem(
        id=item_id,
        text=read.text,
        options=tuple(options),
        scale=scale,
        missing=tuple(Option(code, text) for code, text in missing.items()),
        reversed=scale == "ordinal" and starts_high(first, last),
        topic=f"{facts['Category']} / {facts['Sub Category']}",
        source=facts["Source"],
    )
    return item, same


def _whole(path: Path, place: str, field: str, text: str) -> int:
    code = _CODE.fullmatch(text)
    if code is None:
        raise _bad_fact(path, f"{place}, {field}", text, "is no whole number.")
    return int(code[1])


def _bad_fact(path: Path, field: str, value: str, problem: str) -> CalmError:
    fix = "take the file as its authors published it."
    return CalmError("V40", problem, file=path, field=field, value=value, fix=fix)


def _unusable(read: ReadText, chosen: set[str], codes: range) -> str:
    """Why the question cannot be asked as the people were; empty where it can."""
    if not read.text:
        return "items without a question"
    unknown = {code for code in chosen if int(code) not in codes}
    unread = set() if read.only_ends else chosen - set(read.labels) - unknown
    if read.contradicts:
        return "items whose labels contradict their codes"
    if unknown or unread:
        return "items with a chosen answer whose words the source lost"
    return ""


def _same_texts(options: Sequence[Option]) -> Mapping[str, str]:
    first: dict[str, str] = {}
    return {
        option.code: first[option.text.casefold()]
        for option in options
        if first.setdefault(option.text.casefold(), option.code) != option.code
    }


def _scale(mark: str, options: Sequence[Option]) -> tuple[Scale, Sequence[int]]:
    places = range(len(options))
    if not ORDINAL[mark] or (len(options) > 2 and _NEITHER.fullmatch(options[-1].text)):
        return "nominal", places
    return "ordinal", scale_order([option.text for option in options]) or places


def _item_id(facts: Mapping[str, str], column: int) -> str:
    named = facts["Sub Question"].partition(":")[0].strip()
    return named or f"column-{column + 1}"


def _distributions(
    path: Path, question: _Question, item: SurveyItem, same: Mapping[str, str]
) -> list[ResponseDistribution]:
    wave, date = WAVES[question.facts["Source"]]
    found = []
    for country, shares in question.cells.items():
        merged: Counter[str] = Counter()
        for code, share in shares.items():
            merged[same.get(code, code)] += share  # type: ignore[assignment]  # shares, not counts
        found.append(ResponseDistribution.from_shares(item, Cell(country), merged, wave=wave, date=date, file=path))
    return found


SOURCE = SurveySource(
    name="menavalues",
    title="MENAValues",
    summary="864 questions of World Values Survey 7 and Arab Opinion Index 2022, shares of 16 countries.",
    licence="MIT",
    citation=CITATION,
    folder="menavalues",
    signs=(FILE,),
    load=load,
    obtain=f"take {FILE!r} (folder Dataset) from the authors' repository llm-lab-org/MENA-Values-Benchmark-Evaluating-"
    "Cultural-Alignment-and-Multilingual-Bias-in-Large-Language-Models.",
)
