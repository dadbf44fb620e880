"""WorldValuesBench: answers of World Values Survey 7 by person, in the layout that its scripts write.

The authors publish the scripts, a user runs them on an own copy of the survey. This reading expects, and checks:

- `codebook.json`: question id -> {"question": text, "choices": {code: text}}; negative codes are no answers.
- `question_metadata.json`: question id -> {"answer_data_type": "ordinal" | "nominal", ...}; what has another type, and
  what the codebook has no choices for, is left out and counted.
- `value_qa.tsv`: a row a person, tab-separated: `D_INTERVIEW` and one column a question, with codes.
- `demographic_qa.tsv`: `D_INTERVIEW` and `B_COUNTRY`, the country's English name.

The layout has no population weights, so shares are those of the sample: the notes say it.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calm_lm.errors import CalmError
from calm_lm.survey.codebook import Codebook, code_of
from calm_lm.survey.instrument import Survey
from calm_lm.survey.item import Option, Scale, SurveyItem
from calm_lm.survey.microdata import Lookup, survey_from_microdata
from calm_lm.survey.reading import read_json, read_text, require_columns
from calm_lm.survey.registry import SurveySource

ANSWERS, PEOPLE, CODEBOOK, METADATA = "value_qa.tsv", "demographic_qa.tsv", "codebook.json", "question_metadata.json"
PERSON, COUNTRY = "D_INTERVIEW", "B_COUNTRY"
NOT_ASKED = {"-3": "not applicable", "-4": "not asked"}
CITATION = (
    "Zhao, Mondal, Tandon, Dillion, Gray, Gu. WorldValuesBench: A Large-Scale Benchmark Dataset for Multi-Cultural "
    "Value Awareness of Language Models. LREC-COLING 2024. Answers: World Values Survey wave 7."
)
NOTES = "Without population weights: the layout has none. Shares are those of the sample."


def load(folder: Path) -> Survey:
    """Read the four files of a split (for instance `full/test`), the two JSON files beside it or above.

    Raises:
        CalmError: V55 for a missing file, V56 for JSON in another form, V57 for people without a country or twice, V33
            to V37 for a file that cannot be read, V49 to V52 for the answers.
    """
    people = _countries(_find(folder, PEOPLE))
    codebook, skipped = _codebook(_find(folder, CODEBOOK), _find(folder, METADATA), _header(_find(folder, ANSWERS)))
    survey = survey_from_microdata(_find(folder, ANSWERS), codebook, lookup=Lookup(PERSON, people), notes=NOTES)
    return Survey(survey.instrument, survey.distributions, {**survey.left_out, **skipped})


def _find(folder: Path, name: str) -> Path:
    for place in (folder, folder.parent, folder.parent.parent):
        if (place / name).is_file():
            return place / name
    fix = f"put {ANSWERS}, {PEOPLE}, {CODEBOOK} and {METADATA} there."
    raise CalmError("V55", f"there is no {name} in this folder or above.", file=folder, fix=fix)


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        header = [name.strip('"') for name in stream.readline().rstrip("\r\n").split("\t")]
    require_columns(path, header, (PERSON,))
    return header


def _countries(path: Path) -> Mapping[str, str]:
    rows = csv.reader(read_text(path).splitlines(), delimiter="\t")
    header = next(rows, [])
    require_columns(path, header, (PERSON, COUNTRY))
    person, country = header.index(PERSON), header.index(COUNTRY)
    found: dict[str, str] = {}
    for row, cells in enumerate(rows, start=2):
        if len(cells) != len(header) or not cells[country].strip() or cells[person] in found:
            raise CalmError(
                "V57", "a person has no country, stands twice, or the row is torn.", file=path, row=row,
                field=PERSON, value=cells[person] if len(cells) > person else "", fix="make the file again.",
            )  # fmt: skip
        found[cells[person].strip()] = cells[country]
    return found


def _codebook(path: Path, metadata_path: Path, header: list[str]) -> tuple[Codebook, Mapping[str, int]]:
    entries, metadata = (_table(each) for each in (path, metadata_path))
    items: list[SurveyItem] = []
    skipped = 0
    for name in header:
        kind = _field(metadata_path, metadata, name, "answer_data_type") if name in metadata else None
        scale: Scale | None = (
            "ordinal" if kind == "ordinal" else "nominal" if kind in ("nominal", "categorical") else None
        )
        choices = _choices(path, name, entries[name]) if name in entries else {}
        options = tuple(Option(code, text) for code, text in choices.items() if not code.startswith("-"))
        if name == PERSON or scale is None or len(options) < 2:
            skipped += name != PERSON
            continue
        missing = tuple(Option(code, text) for code, text in choices.items() if code.startswith("-"))
        items.append(SurveyItem(name, str(_field(path, entries, name, "question")), options, scale, missing))
    codebook = Codebook(
        name="worldvaluesbench",
        title=SOURCE.title,
        licence=SOURCE.licence,
        citation=CITATION,
        items=tuple(items),
        columns={item.id: item.id for item in items},
        missing={},
        not_asked=NOT_ASKED,
        country=COUNTRY,
        coding="label",
    )
    return codebook, {"columns without an ordinal or nominal question": skipped} if skipped else {}


def _table(path: Path) -> Mapping[str, Any]:
    table = read_json(path)
    if not isinstance(table, dict):
        raise _bad(path, None, table, "must map question ids to entries.")
    return table


def _field(path: Path, table: Mapping[str, Any], name: str, key: str) -> Any:
    entry = table[name]
    if not isinstance(entry, dict) or key not in entry:
        raise _bad(path, name, entry, f"the question has no {key!r}.")
    return entry[key]


def _choices(path: Path, name: str, entry: object) -> Mapping[str, str]:
    choices = entry.get("choices") if isinstance(entry, dict) else None
    if choices is None:
        return {}
    if not isinstance(choices, dict) or not all(isinstance(text, str) for text in choices.values()):
        raise _bad(path, name, choices, "'choices' must map codes to texts.")
    return {code_of(code): text for code, text in choices.items()}


def _bad(path: Path, field: str | None, value: object, problem: str) -> CalmError:
    return CalmError("V56", problem, file=path, field=field, value=value, fix=SOURCE.obtain)


SOURCE = SurveySource(
    name="worldvaluesbench",
    title="WorldValuesBench",
    summary="World Values Survey 7 by person in the layout of WorldValuesBench; you run its scripts on your own copy.",
    licence="WVS terms",
    citation=CITATION,
    folder="worldvaluesbench",
    signs=(ANSWERS, f"*/{ANSWERS}"),
    load=load,
    obtain="run the scripts of the repository Demon702/WorldValuesBench on your own copy of World Values Survey 7, and "
    f"put {ANSWERS}, {PEOPLE} (of one split), {CODEBOOK} and {METADATA} there.",
)
