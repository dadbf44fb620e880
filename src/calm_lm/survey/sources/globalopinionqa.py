"""GlobalOpinionQA: questions of Pew Global Attitudes and the World Values Survey with shares by country.

Two layouts are read: `global_opinions.csv`, the full set as its authors publish it (2,556 questions), or the subset of
1,270 questions in `distributional_test_globalopinionqa_small.json(.gz)`. Files that hold only means (`mean_weights`,
`steerability_*`) are not read: a mean is no distribution.

What this reading decides, because the files do not say it:

- Scale: by the words of the options (`calm_lm.survey.answers.scale_order`); all others, and every item with two
  options, are nominal.
- Don't know, refused, missing and never heard of are missing codes; "Neither (VOL)", "Depends (VOL)" are answers. A
  line of totals that the tables list among the options is dropped and the rest divided by its sum.
- "China (Non-national sample)" and the like keep a cell of their own (`sample=non-national`), apart from the national
  one. Where two labels of one item name one cell ("Britain", "Great Britain"), the first counts.
- Pew asks some questions under one variable about another person or party in each country. The published text names one
  of them for all (an Indian politician, "asked" in Spain). That cannot be seen from the file; the notes say so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from calm_lm.data.tables import find
from calm_lm.errors import CalmError
from calm_lm.files import sha256_bytes
from calm_lm.survey.answers import is_no_answer, is_total, scale_order, starts_high
from calm_lm.survey.cell import Cell
from calm_lm.survey.countries import country_id
from calm_lm.survey.distribution import NOT_ONE, ResponseDistribution
from calm_lm.survey.instrument import Instrument, Survey
from calm_lm.survey.item import Option, SurveyItem
from calm_lm.survey.reading import literal, number, read_json, read_rows
from calm_lm.survey.registry import SurveySource

FULL = "global_opinions.csv"
SUBSET = "distributional_test_globalopinionqa_small.json"
CITATION = (
    "Durmus and others. Towards Measuring the Representation of Subjective Global Opinions in Language Models. "
    "arXiv 2306.16388, 2023."
)
NOTES = (
    "Non-commercial. How many people answered is not published. Where Pew asked about another person or party in each "
    "country under one variable, the text names one of them for all countries: read items on leaders and parties with "
    "care. Scales are told from the words of the options."
)

_QUESTION = re.compile(r"Question:\s*(?P<text>.*?)\s*\nOptions:.*\nAnswer:\s*", re.DOTALL)
_SAMPLE = re.compile(r"(?P<country>.*?)\s*\((?P<sample>[^()]*) sample\)")
_TABLE = re.compile(r"(?:defaultdict\(<class 'list'>,\s*)?(?P<table>\{.*\})\)?", re.DOTALL)


class _Answers(NamedTuple):
    """Shares of one question and one label, as they stand in a file."""

    text: str
    options: tuple[str, ...]
    label: str
    shares: tuple[float, ...]
    source: str
    file: Path
    row: int


def load(folder: Path) -> Survey:
    """Read the full set where it is there, else the subset.

    Args:
        folder: holds one of the two files.

    Raises:
        CalmError: V28 without either file, V34 to V39 for a file that cannot be read, V41 for a question, V33 for an
            unknown country label, V01 to V03 and V25 for an item, V10 and V11 for shares.
    """
    full, subset = find(folder, FULL), find(folder, SUBSET)
    if full is not None:
        answers = _from_csv(full)
    elif subset is not None:
        answers = _from_json(subset)
    else:
        raise CalmError("V42", "holds no distributions of GlobalOpinionQA.", file=folder, fix=SOURCE.obtain)
    left_out: Counter[str] = Counter()
    items: dict[str, SurveyItem] = {}
    found: dict[tuple[str, Cell], ResponseDistribution] = {}
    for each in answers:
        item_id = f"q-{sha256_bytes(repr((each.text, each.options)).encode())[:12]}"
        if item_id not in items:
            items[item_id] = _item(item_id, each)
        item, cell = items[item_id], _cell(each)
        if (item_id, cell) in found:
            left_out["second labels of one country in an item"] += 1
            continue
        distribution = _distribution(item, cell, each, left_out)
        if distribution is not None:
            found[item_id, cell] = distribution
    instrument = Instrument.of(
        items.values(),
        name="globalopinionqa",
        title=SOURCE.title,
        licence=SOURCE.licence,
        citation=CITATION,
        notes=NOTES,
    )
    return Survey(instrument, tuple(found.values()), dict(left_out))


def _from_json(path: Path) -> Iterator[_Answers]:
    records = read_json(path)
    if not isinstance(records, list):
        raise _bad(path, 1, "the file", type(records).__name__, "must be a list of records.")
    for row, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise _bad(path, row, "record", record, "must be a record with question, options, attribute.")
        question, options, label = (record.get(name) for name in ("question", "options", "attribute"))
        match = _QUESTION.fullmatch(question) if isinstance(question, str) else None
        if match is None:
            raise _bad(path, row, "question", question, "must hold 'Question:', 'Options:' and 'Answer:'.")
        if not isinstance(label, str):
            raise _bad(path, row, "attribute", label, "must be the name of a country.")
        texts = _options(path, row, options)
        shares = _shares(path, row, label, record.get("gold_distribution"), len(texts))
        yield _Answers(match["text"], texts, label, shares, "", path, row)


def _from_csv(path: Path) -> Iterator[_Answers]:
    for row in read_rows(path, ("question", "selections", "options", "source")):
        at = row.number
        texts = _options(path, at, literal(row["options"], file=path, row=at, field="options"))
        match = _TABLE.fullmatch(row["selections"].strip())
        table = literal(match["table"] if match else "None", file=path, row=at, field="selections")
        if not isinstance(table, dict):
            raise _bad(path, at, "selections", row["selections"], "must be a table of countries.")
        for label, shares in table.items():
            given = _shares(path, at, str(label), shares, len(texts))
            yield _Answers(row["question"].strip(), texts, str(label), given, row["source"].strip(), path, at)


def _options(path: Path, row: int, options: Any) -> tuple[str, ...]:
    if not isinstance(options, (list, tuple)) or not all(isinstance(each, (str, int, float)) for each in options):
        raise _bad(path, row, "options", options, "must be a list of texts.")
    return tuple(" ".join(str(each).split()) for each in options)


def _shares(path: Path, row: int, label: str, shares: Any, count: int) -> tuple[float, ...]:
    if not isinstance(shares, (list, tuple)) or len(shares) != count:
        raise _bad(path, row, f"shares of {label}", shares, f"must be a list of {count} shares, one for each option.")
    # above one where a line of totals stands among the options
    return tuple(number(each, file=path, row=row, field=f"shares of {label}", high=100.0) for each in shares)


def _bad(path: Path, row: int, field: str, value: object, problem: str) -> CalmError:
    fix = "take the file as its authors published it."
    return CalmError("V41", problem, file=path, row=row, field=field, value=value, fix=fix)


def _item(item_id: str, answers: _Answers) -> SurveyItem:
    coded = [Option(str(place), text) for place, text in enumerate(answers.options, start=1)]
    valid = [option for option in coded if not is_no_answer(option.text) and not is_total(option.text)]
    order = scale_order([option.text for option in valid])
    options = valid if order is None else [valid[place] for place in order]
    return SurveyItem(
        id=item_id,
        text=answers.text,
        options=tuple(options),
        scale="nominal" if order is None else "ordinal",
        missing=tuple(option for option in coded if is_no_answer(option.text)),
        reversed=order is not None and starts_high(options[0].text, options[-1].text),
        source=answers.source,
    )


def _cell(answers: _Answers) -> Cell:
    match = _SAMPLE.fullmatch(answers.label.strip())
    country = match["country"] if match else answers.label
    sample = match["sample"].strip().lower() if match else "current national"
    groups = () if sample in ("national", "current national") else (("sample", sample.removesuffix(" national")),)
    known = country_id(country, file=answers.file, row=answers.row, field="country")
    return Cell(known, groups)


def _distribution(
    item: SurveyItem, cell: Cell, answers: _Answers, left_out: Counter[str]
) -> ResponseDistribution | None:
    shares = _without_totals(answers, left_out)
    if not sum(shares[code] for code in item.codes):
        left_out["distributions without a valid answer"] += 1
        return None
    try:
        return ResponseDistribution.from_shares(item, cell, shares, file=answers.file, row=answers.row)
    except CalmError as error:
        if error.code != NOT_ONE:
            raise
        left_out["distributions whose shares do not sum to one"] += 1
        return None


def _without_totals(answers: _Answers, left_out: Counter[str]) -> Mapping[str, float]:
    coded = {str(place): share for place, share in enumerate(answers.shares, start=1)}
    totals = _totals(answers.options)
    if not totals:
        return coded
    left_out["lines of totals among the options"] += len(totals)
    kept = {code: share for code, share in coded.items() if code not in totals}
    whole = sum(kept.values())
    return {code: share / whole if whole else 0.0 for code, share in kept.items()}


def _totals(options: Sequence[str]) -> set[str]:
    return {str(place) for place, text in enumerate(options, start=1) if is_total(text)}


SOURCE = SurveySource(
    name="globalopinionqa",
    title="GlobalOpinionQA",
    summary="Pew Global Attitudes and World Values Survey questions with shares by country; a subset of 1,270, or all.",
    licence="CC-BY-NC-SA-4.0",
    citation=CITATION,
    folder="globalopinionqa-subsets",
    signs=(f"{FULL}*", f"{SUBSET}*"),
    load=load,
    obtain=f"put {FULL} of the data set Anthropic/llm_global_opinions there, or {SUBSET} of the repository "
    "BunsenFeng/modular_pluralism. Both are for non-commercial use.",
)
