"""WorldValuesBench: answers of World Values Survey 7 by person, as its scripts write them from a user's own copy.

The authors publish the scripts, not the answers. This reading expects, and checks, in the folder of a split (`full`,
`train`, `valid`, `test`) or, for the metadata, above it:

- `question_metadata.json`: question id -> {"question", "use_case", "answer_data_type", "answer_scale_min",
  "answer_scale_max"}. Value questions with a scale of whole numbers are the items, asked as written there: the text
  names the ends of the scale, and the answers are its numbers.
- `full_value_qa.tsv`: a row a person, tab-separated: `D_INTERVIEW` and one column a question with the number, empty
  where there is no answer. The scripts keep no reason for it, so no share of missing answers is known.
- `full_demographic_qa.tsv`: `D_INTERVIEW`, `B_COUNTRY` (the country's English name) and 41 more columns in words, of
  which the fields of a `RespondentProfile` are read.

The layout has no population weights, so shares are those of the sample: the notes say it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from calm_lm.errors import CalmError
from calm_lm.survey.cell import RespondentProfile
from calm_lm.survey.codebook import Codebook, GroupColumn, code_of
from calm_lm.survey.countries import find_country
from calm_lm.survey.instrument import Survey
from calm_lm.survey.item import Option, SurveyItem
from calm_lm.survey.microdata import NOT_ASKED, Lookup, survey_with_cells
from calm_lm.survey.people import People, read_people
from calm_lm.survey.reading import read_json, read_text, require_columns
from calm_lm.survey.registry import SurveySource
from calm_lm.survey.respondents import read_header
from calm_lm.survey.sources.bundled import bundled_codebook

ANSWERS, PEOPLE, METADATA = "value_qa.tsv", "demographic_qa.tsv", "question_metadata.json"
PERSON, COUNTRY, WHOLE = "D_INTERVIEW", "B_COUNTRY", "full"
NO_ANSWER = Option("", "no answer, or not asked")
EMPTY = "empty answers (not answered or not asked: the files do not tell)"
WIDEST = 101
CITATION = (
    "Zhao, Mondal, Tandon, Dillion, Gray, Gu. WorldValuesBench: A Large-Scale Benchmark Dataset for Multi-Cultural "
    "Value Awareness of Language Models. LREC-COLING 2024. Answers: World Values Survey wave 7."
)
NOTES = "Without population weights: the layout has none. Shares are those of the sample."

# field -> column, and how the answers that we name begin, in small letters without hyphens; others are unknown
_WORDED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "sex": ("Q260", {"male": "male", "female": "female"}),
    "education": ("Q275", {
        "early childhood": "none or primary", "primary": "none or primary", "lower secondary": "lower secondary",
        "upper secondary": "upper or post-secondary", "post secondary": "upper or post-secondary",
        "short cycle": "upper or post-secondary", "bachelor": "tertiary", "master": "tertiary", "doctor": "tertiary",
    }),
    "employment": ("Q279", {
        "full time": "full time", "part time": "part time", "self employed": "self-employed", "retired": "retired",
        "homemaker": "homemaker", "housewife": "homemaker", "student": "student", "unemployed": "unemployed",
    }),
    "marital_status": ("Q273", {
        "married": "married", "living together": "living together", "divorced": "divorced", "separated": "separated",
        "widowed": "widowed", "single": "single",
    }),
    "religion": ("Q289", {
        "do not belong": "none", "roman catholic": "Roman Catholic", "protestant": "Protestant",
        "orthodox": "Orthodox", "jew": "Jewish", "muslim": "Muslim", "hindu": "Hindu", "buddhist": "Buddhist",
        "other christian": "other Christian",
    }),
    "settlement": ("H_URBRURAL", {"urban": "urban", "rural": "rural"}),
}  # fmt: skip
# fields given as numbers, cut as those of the survey itself
_BANDED = {"age": "Q262", "income": "Q288"}


class Person(NamedTuple):
    """One row of the demographic file: the country as it is written there, and what is known of the person."""

    country: str
    profile: RespondentProfile


def load(folder: Path) -> Survey:
    """Read a split; errors as in `cut`."""
    return cut(folder, ())


def cut(folder: Path, by: tuple[str, ...]) -> Survey:
    """Read a split: the folder itself, or its part `full`, or the only part it has.

    Raises:
        CalmError: V55 for a missing file, V56 for metadata in another form, V57 for people without a country, people
            that stand twice and torn rows, V33 to V37 for a file that cannot be read, V50 for a group that the file
            lacks, V49, V51, V52 for the answers.
    """
    split = _split(folder)
    answers, people = _file(split, ANSWERS), people_of(folder)
    codebook, skipped = _codebook(_above(split, METADATA), _header(answers))
    known = {field: {name: one.profile.known[field] for name, one in people.items() if field in one.profile.known}
             for field in by}  # fmt: skip
    groups = {field: GroupColumn(field, {each: each for each in values.values()}) for field, values in known.items()}
    lookup = Lookup(PERSON, {COUNTRY: {name: one.country for name, one in people.items()}, **known})
    named = replace(codebook, groups={field: group for field, group in groups.items() if group.values})
    survey = survey_with_cells(answers, named, by=by, lookup=lookup, notes=NOTES)
    found = tuple(replace(each, missing_share=None) for each in survey.distributions)
    left_out = {EMPTY if why == NOT_ASKED else why: count for why, count in survey.left_out.items()}
    return Survey(survey.instrument, found, {**left_out, **skipped})


def people(folder: Path) -> People:
    """Its respondents, by `D_INTERVIEW`; errors as in `cut`."""
    split = _split(folder)
    answers = _file(split, ANSWERS)
    codebook, _ = _codebook(_above(split, METADATA), _header(answers))
    countries = {name: one.country for name, one in people_of(folder).items()}
    return read_people(answers, codebook, usual=PERSON, lookup=Lookup(PERSON, {COUNTRY: countries}))


def people_of(folder: Path) -> Mapping[str, Person]:
    """Everyone in a split by interview number; `profile.cell(*by)` is the cell that `cut` counts a person in.

    Raises:
        CalmError: V55, V57, V34 and V36 as `cut`.
    """
    path = _file(_split(folder), PEOPLE)
    rows = csv.reader(io.StringIO(read_text(path), newline=""), delimiter="\t", strict=True)
    found: dict[str, Person] = {}
    line = 1
    try:
        header = next(rows, [])
        require_columns(path, header, (PERSON, COUNTRY))
        person, country = header.index(PERSON), header.index(COUNTRY)
        line = rows.line_num + 1
        for cells in rows:
            name = cells[person].strip() if len(cells) > person else ""
            if len(cells) != len(header) or not cells[country].strip() or name in found:
                raise _no_person(path, line, name, "a person has no country, stands twice, or the row is torn.")
            told = dict(zip(header, cells, strict=True))
            found[name] = Person(cells[country], RespondentProfile(find_country(cells[country]), **_known(told)))
            line = rows.line_num + 1
    except csv.Error as error:
        raise _no_person(path, line, "", f"the row is malformed ({error}).") from error
    return found


def _no_person(path: Path, row: int, name: str, problem: str) -> CalmError:
    return CalmError("V57", problem, file=path, row=row, field=PERSON, value=name, fix="make the file again.")


def _known(told: Mapping[str, str]) -> dict[str, str]:
    """The fields of a profile that a person's row names."""
    bands = bundled_codebook("wvs7.yaml").groups
    found = {field: bands[field].values.get(code_of(told.get(column, ""))) for field, column in _BANDED.items()}
    for field, (column, beginnings) in _WORDED.items():
        text = told.get(column, "").strip().lower().replace("-", " ")
        found[field] = next((name for start, name in beginnings.items() if text.startswith(start)), None)
    return {field: name for field, name in found.items() if name is not None}


def _split(folder: Path) -> Path:
    """Where the answers lie."""
    if any(folder.glob(f"*{ANSWERS}")):
        return folder
    parts = sorted({path.parent for path in folder.glob(f"*/*{ANSWERS}")})
    whole = [part for part in parts if part.name == WHOLE] or parts
    if len(whole) != 1:
        problem = f"holds {len(parts)} parts with answers: {', '.join(part.name for part in parts)}." if parts else (
            f"there is no {ANSWERS} in this folder or a part of it.")  # fmt: skip
        raise _layout(folder, problem)
    return whole[0]


def _file(split: Path, name: str) -> Path:
    found = sorted(split.glob(f"*{name}"))
    if len(found) != 1:
        raise _layout(split, f"holds {len(found)} files named *{name}.")
    return found[0]


def _above(split: Path, name: str) -> Path:
    for place in (split, split.parent, split.parent.parent):
        if (place / name).is_file():
            return place / name
    raise _layout(split, f"there is no {name} in this folder or above.")


def _layout(folder: Path, problem: str) -> CalmError:
    return CalmError("V55", problem, file=folder, fix=f"name the folder of one part. {SOURCE.obtain}")


def _header(path: Path) -> Sequence[str]:
    header, _ = read_header(path, PERSON)
    require_columns(path, header, (PERSON,))
    return header


def _codebook(path: Path, header: Sequence[str]) -> tuple[Codebook, Mapping[str, int]]:
    metadata = read_json(path)
    if not isinstance(metadata, dict):
        raise _bad(path, None, metadata, "must map question ids to entries.")
    items = [_item(path, name, metadata[name]) for name in header if name in metadata and name != PERSON]
    kept = tuple(item for item in items if item is not None)
    skipped = len(header) - 1 - len(kept)
    codebook = Codebook(
        name="worldvaluesbench",
        title=SOURCE.title,
        licence=SOURCE.licence,
        citation=CITATION,
        items=kept,
        columns={item.id: item.id for item in kept},
        missing={},
        not_asked={NO_ANSWER.code: NO_ANSWER.text},
        country=COUNTRY,
        coding="label",
    )
    return codebook, {"columns without a scale of numbers": skipped} if skipped else {}


def _item(path: Path, name: str, entry: Any) -> SurveyItem | None:
    """A question on a scale of whole numbers; None for any other."""
    if not isinstance(entry, dict) or not isinstance(entry.get("question"), str):
        raise _bad(path, name, entry, "the question has no text.")
    if entry.get("answer_data_type") != "ordinal":
        return None
    low, high = entry.get("answer_scale_min"), entry.get("answer_scale_max")
    if not isinstance(low, int) or not isinstance(high, int) or not 0 < high - low < WIDEST:
        raise _bad(path, name, f"{low} to {high}", "the scale has no two ends.")
    options = tuple(Option(str(code), str(code)) for code in range(low, high + 1))
    return SurveyItem(name, entry["question"], options, "ordinal", (NO_ANSWER,), topic=str(entry.get("category", "")))


def _bad(path: Path, field: str | None, value: object, problem: str) -> CalmError:
    return CalmError("V56", problem, file=path, field=field, value=value, fix=SOURCE.obtain)


SOURCE = SurveySource(
    name="worldvaluesbench",
    title="WorldValuesBench",
    summary="World Values Survey 7 by person in the layout of WorldValuesBench; you run its scripts on your own copy.",
    licence="WVS terms",
    citation=CITATION,
    folder="worldvaluesbench",
    signs=(f"*{ANSWERS}", f"*/*{ANSWERS}"),
    load=load,
    cut=cut,
    people=people,
    obtain="run data_preparation.py of the repository Demon702/WorldValuesBench on your own copy of World Values "
    f"Survey 7, and put what it writes there: {METADATA} and the folder full with full_{ANSWERS} and full_{PEOPLE}.",
)
