"""What a quiz of two forms came to: each person's gain, its interval, and how many people a study needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from calm_lm.data.records import read_records
from calm_lm.errors import CalmError
from calm_lm.evaluation.kinds.quiz_kit import LETTERS, SCHEMA
from calm_lm.files import read_json
from calm_lm.stats.arrays import Floats, as_fractions, require, require_same
from calm_lm.stats.bootstrap import Interval, bootstrap_mean
from calm_lm.stats.effects import cohens_dz

COLUMNS = ("person", "form", "item", "answer")


class Gain(NamedTuple):
    """Shares right before and after, the mean gain of a person with its interval over people, and the effect size.

    Attributes:
        people: how many have both forms.
        before: mean share right on the form taken first, 0 to 1.
        after: on the other.
        gain: after minus before.
        interval: of the gain, people redrawn.
        dz: mean gain over its standard deviation; `nan` where all gain the same.
    """

    people: int
    before: float
    after: float
    gain: float
    interval: Interval
    dz: float


def read_scores(key_file: Path, answers: Path) -> dict[str, dict[str, float]]:
    """Share right of each person on each form that they took.

    Args:
        key_file: `key.json` of the kit.
        answers: table with the columns person, form (1 or 2), item (number from 1 on the form) and answer (A to D, or
            empty where none was chosen, which counts as wrong).

    Raises:
        CalmError: E88 for a file that is no key, E89 for a row that does not fit the key, E90 for an item answered
            twice, E91 for one left out of the table.
    """
    key = _read_key(key_file)
    found: dict[tuple[str, str], dict[int, bool]] = {}
    for record in read_records(answers, COLUMNS):
        if isinstance(record, CalmError):
            raise record
        person, form, item, answer = (str(record.cells[name] or "").strip() for name in COLUMNS)
        number = int(item) - 1 if item.isascii() and item.isdigit() else -1
        for field, value, good in (
            ("person", person, bool(person)),
            ("form", form, form in key),
            ("item", item, form in key and 0 <= number < len(key[form])),
            ("answer", answer, answer.upper() in ("", *LETTERS)),
        ):
            if not good:
                raise CalmError("E89", "does not fit the key.", file=answers, row=record.row, field=field, value=value,
                                fix="form 1 or 2, the item's number on the form, a letter from A to D.")  # fmt: skip
        given = found.setdefault((person, form), {})
        if number in given:
            raise CalmError("E90", "is answered twice by this person.", file=answers, row=record.row, field="item",
                            value=item, fix="keep one of the rows.")  # fmt: skip
        given[number] = answer.upper() == LETTERS[key[form][number]]
    scores: dict[str, dict[str, float]] = {}
    for (person, form), given in found.items():
        if len(given) < len(key[form]):
            missing = min(set(range(len(key[form]))) - given.keys()) + 1
            raise CalmError("E91", f"has no row for item {missing} of form {form}.", file=answers, field="person",
                            value=person, fix="write a row with an empty answer where none was chosen.")  # fmt: skip
        scores.setdefault(person, {})[form] = float(np.mean(list(given.values())))
    return scores


def paired_gain(before: npt.ArrayLike, after: npt.ArrayLike, seed: int = 0) -> Gain:
    """Gain of people who took both forms.

    Args:
        before: share right of each person on the form taken first [N], N from 2.
        after: on the form taken last [N].
        seed: of the draws.

    Raises:
        CalmError: S06 for what is no share, S09 for other people, S12 for fewer than two.
    """
    first, last = as_fractions(before, "before"), as_fractions(after, "after")
    require_same("after", last.shape, "before", first.shape)
    gains: Floats = last - first
    interval = bootstrap_mean(gains, np.arange(len(gains)), seed=seed)
    return Gain(len(gains), float(first.mean()), float(last.mean()), float(gains.mean()), interval, cohens_dz(gains))


def power_table(gains: Sequence[float], spread: float, people: Sequence[int], level: float = 0.05) -> Floats:
    """Chance that a two-sided paired t-test finds a gain, by gain and number of people [len(gains), len(people)].

    Args:
        gains: true mean gains in shares of the form.
        spread: standard deviation of single people's gains, above 0; 0.15 is a start where nothing is known.
        people: numbers of participants, each from 2.
        level: of the test.
    """
    from scipy import stats

    require(spread > 0, "spread", spread, "a number above 0")
    require(all(n >= 2 for n in people), "people", list(people), "numbers from 2")
    table = np.empty((len(gains), len(people)))
    for column, n in enumerate(people):
        limit = stats.t.ppf(1 - level / 2, n - 1)
        for row, gain in enumerate(gains):
            shift = gain / spread * np.sqrt(n)
            table[row, column] = stats.nct.sf(limit, n - 1, shift) + stats.nct.cdf(-limit, n - 1, shift)
    return table


def _read_key(path: Path) -> dict[str, list[int]]:
    """Index of the right option of every item, by form."""
    value: Any = read_json(path)
    try:
        if value["schema"] == SCHEMA:
            key = {form: [int(item["answer"]) for item in value["forms"][form]] for form in ("1", "2")}
            if all(0 <= answer < len(LETTERS) for answers in key.values() for answer in answers):
                return key
    except (KeyError, TypeError, ValueError):
        pass
    raise CalmError("E88", "is no key of a quiz.", file=path, field="schema", fix="give the key.json of the kit.")
