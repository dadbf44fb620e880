"""The Values Survey Module 2013 from the user's own files: its texts are under copyright and never come with us.

Get the questionnaire from the rights holder (geerthofstede.com) and write it as a table, CSV or JSON lines:

    item,text,option1,option2,option3,option4,option5
    m01,"In your ideal job ...","...","...","...","...","..."

with `m01` to `m24`, options in the order of the codes 1 to 5. Rows `m25` to `m30` (what respondents say of themselves)
may stand there; they are left out, because no score uses them. Answers are a second table, one row a respondent:

    country,weight,m01,m02,...,m24
    NO,1.0,2,1,...,4

`country` is a culture id and `weight` may be absent. An answer is 1 to 5; empty, `9` and `-1` are missing: counted, and
in no mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calm_lm.culture.ids import check_id
from calm_lm.data.tables import Row, read_table
from calm_lm.errors import CalmError
from calm_lm.survey.cell import Cell
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.instrument import Instrument, Survey
from calm_lm.survey.item import Option, SurveyItem
from calm_lm.survey.vsm import ABOUT_RESPONDENTS, CONTENT_ITEMS

LICENCE = "VSM-2013-terms"
CITATION = "Hofstede & Minkov. Values Survey Module 2013. www.geerthofstede.com."
_CODES = ("1", "2", "3", "4", "5")
_MISSING = (Option("", "empty"), Option("9", "no answer"), Option("-1", "no answer"))
_ANSWERS = (*_CODES, *(option.code for option in _MISSING))


def read_questionnaire(path: Path) -> Instrument:
    """The 24 content items of a user's questionnaire, in English.

    Args:
        path: `.csv` or `.jsonl`, with the columns of the example above.

    Raises:
        CalmError: D10 to D25 for a malformed file, V86 for an item that is unknown or stands twice,
            V68 for one that is missing, V69 for one without five options.
    """
    options = tuple(f"option{code}" for code in _CODES)
    found: dict[str, SurveyItem] = {}
    passed: set[str] = set()
    for row in read_table(path, ("item", "text"), optional=options).rows:
        item = row.text("item").strip()
        if item not in (*CONTENT_ITEMS, *ABOUT_RESPONDENTS) or item in found or item in passed:
            raise CalmError(
                "V86", "is no item of the VSM 2013, or stands twice.", fix="use m01 to m30, each once.",
                **row.place("item"),
            )  # fmt: skip
        if item in ABOUT_RESPONDENTS:
            passed.add(item)
        else:
            found[item] = _item(row, item, options)
    for item in CONTENT_ITEMS:
        if item not in found:
            raise CalmError("V68", "the item is missing.", file=path, field="item", value=item, fix="give m01 to m24.")
    return Instrument.of(
        (found[item] for item in CONTENT_ITEMS),
        name="vsm2013",
        title="Values Survey Module 2013",
        licence=LICENCE,
        citation=CITATION,
        notes=(
            "Copyrighted: not to be copied in whole or in parts without the owner's written permission. For comparing "
            "matched samples of countries, at least 20 respondents each; scores of single persons mean nothing. "
            f"{len(passed)} items about respondents left out."
        ),
    )


def read_answers(path: Path, instrument: Instrument, *, wave: str = "", date: str = "") -> Survey:
    """How respondents of each country answered.

    Args:
        path: `.csv`, `.jsonl` or `.parquet`, one row a respondent: `country`, `m01` to `m24`, optionally `weight`.
        instrument: as `read_questionnaire` gives it.
        wave: of the survey.
        date: when people were asked.

    Returns:
        A distribution by item and country. `left_out` names the items to which nobody of a country gave a valid answer,
        with how many were asked: they have no distribution.

    Raises:
        CalmError: D10 to D25 for a malformed file, C04 or C05 for an id that is no country, V87 for an answer that is
            no code, V88 for a weight that is none, V80 for a file without respondents.
    """
    rows = read_table(path, ("country", *CONTENT_ITEMS), optional=("weight",)).rows
    if not rows:
        raise CalmError("V80", "holds no respondent.", file=path, fix="write one row a respondent below the header.")
    groups: dict[str, list[Row]] = {}
    for row in rows:
        country = check_id(row.text("country"), file=row.file, row=row.number, field="country")
        groups.setdefault(country, []).append(row)
    distributions: list[ResponseDistribution] = []
    left_out: dict[str, int] = {}
    for country in sorted(groups):
        weights = np.array([_weight(row) for row in groups[country]])
        for item in CONTENT_ITEMS:
            answers = np.array([_answer(row, item) for row in groups[country]])
            valid = np.isin(answers, _CODES)
            if not valid.any():
                left_out[f"{item}, {country}: no valid answer"] = len(answers)
                continue
            distributions.append(
                ResponseDistribution.from_counts(
                    instrument.items[item],
                    Cell(country),
                    {code: float(weights[answers == code].sum()) for code in _ANSWERS},
                    known_n=int(valid.sum()),
                    n_effective=float(weights[valid].sum() ** 2 / (weights[valid] ** 2).sum()),
                    weighted="weight" in rows[0].cells,
                    wave=wave,
                    date=date,
                )
            )
    return Survey(instrument, tuple(distributions), left_out)


def _item(row: Row, item: str, options: Sequence[str]) -> SurveyItem:
    for option in options:
        if not row.cells.get(option, "").strip():
            raise CalmError(
                "V69", "the item needs five options.", file=row.file, row=row.number, field=option, value=item,
                fix="give the texts of the answers 1 to 5 in the columns option1 to option5.",
            )  # fmt: skip
    return SurveyItem(
        id=item,
        text=row.text("text"),
        options=tuple(Option(code, row.text(option)) for code, option in zip(_CODES, options, strict=True)),
        missing=_MISSING,
        source="VSM 2013",
    )


def _answer(row: Row, item: str) -> str:
    code = row[item].strip()
    if code not in _ANSWERS:
        raise CalmError(
            "V87", "is no answer.", fix="write 1 to 5, and 9, -1 or nothing for a missing answer.", **row.place(item)
        )
    return code


def _weight(row: Row) -> float:
    text = row.cells.get("weight", "1")
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise CalmError(
            "V88", "is no weight.", fix="give a finite number above 0, or leave the column out.", **row.place("weight")
        )
    return weight
