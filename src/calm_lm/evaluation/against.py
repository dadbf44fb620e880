"""Two reports compared row by row: the same questions, asked of two models, with paired differences.

A report's mean says little about another's when other questions were drawn. So only rows that both have are used, the
differences are redrawn over questions as in one report, and p is corrected for all comparisons at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from calm_lm.errors import CalmError
from calm_lm.evaluation.table import Metric, Table
from calm_lm.files import read_json
from calm_lm.stats.arrays import Floats
from calm_lm.stats.paired import holm

AGAIN = "run `calm evaluate MODEL --suite NAME --out REPORT` for both with the same version."


class _Rows(NamedTuple):
    """One task of one report."""

    declared: Mapping[str, Any]
    seed: Any
    systems: Mapping[str, Any]
    places: dict[tuple[str, str], list[int]]  # (question, culture) -> rows
    values: dict[str, Floats]  # model condition -> headline of each row [N], nan where there is none


class _Matched(NamedTuple):
    """Rows of two tasks that belong together, and how many have no partner."""

    keys: list[tuple[str, str]]
    first: list[int]
    second: list[int]
    only_first: int
    only_second: int


def compare_reports(first_folder: Path, second_folder: Path) -> dict[str, Any]:
    """The first report minus the second, for every task and condition that both have.

    Args:
        first_folder: of the report in question: its `report.json` and `tasks/`.
        second_folder: of the report that it is compared with.

    Returns:
        `first` and `second` (who was asked), `tasks` by name (rows matched, rows that only one has, and under
        `conditions` the values of both on the matched rows, difference, interval over questions, p, p_holm and
        effect_dz), and `not_compared` (task or condition to reason). A difference is first minus second.

    Raises:
        CalmError: E02 where there is no report, E03 for reports of different make, E04 for a task declared
            differently, E05 where no row of a task has a partner, E06 for rows that are damaged, E07 where the two
            have no task and condition in common.
    """
    first, second = read_report(Path(first_folder)), read_report(Path(second_folder))
    if first["schema"] != second["schema"]:
        raise CalmError(
            "E03", f"is a report of another make than {first_folder} ({first['schema']}).",
            file=Path(second_folder) / "report.json", field="schema", value=second["schema"], fix=AGAIN,
        )  # fmt: skip
    tasks: dict[str, Any] = {}
    left: dict[str, str] = {}
    for name in dict.fromkeys([*first["tasks"], *second["tasks"]]):
        if name not in first["tasks"] or name not in second["tasks"]:
            left[name] = f"only the {'first' if name in first['tasks'] else 'second'} report has this task"
            continue
        files = [Path(folder) / "tasks" / f"{name}.json" for folder in (first_folder, second_folder)]
        tasks[name] = _compare_task(files, left)
    gaps = [gap for task in tasks.values() for gap in task["conditions"].values()]
    if not gaps:
        raise CalmError(
            "E07", f"has no task and condition in common with {first_folder}.", file=second_folder,
            fix="run both with the same suite and conditions.",
        )  # fmt: skip
    for gap, p in zip(gaps, holm([gap["p"] for gap in gaps]).tolist(), strict=True):
        gap["p_holm"] = p
    return {"first": _who(first), "second": _who(second), "tasks": tasks, "not_compared": left}


def read_report(folder: Path) -> dict[str, Any]:
    """A finished report.

    Raises:
        CalmError: E02 where there is none.
    """
    file = folder / "report.json"
    report = read_json(file) if file.is_file() else None
    if not isinstance(report, dict) or not {"schema", "tasks", "subject"} <= set(report):
        raise CalmError(
            "E02", "is no finished report.", file=file,
            fix="name the folder that `calm evaluate --out` wrote, or go on with --resume until it is done.",
        )  # fmt: skip
    return report


def _who(report: Mapping[str, Any]) -> dict[str, Any]:
    subject = report["subject"]
    return {
        "title": subject.get("title"), "fingerprint": subject.get("fingerprint"), "made_on": report.get("made_on"),
        "seed": report.get("manifest", {}).get("seed"),
    }  # fmt: skip


def _compare_task(files: list[Path], left: dict[str, str]) -> dict[str, Any]:
    a, b = (_read_rows(file) for file in files)
    name, metric = a.declared["name"], a.declared["metric"]
    differ = [key for key in sorted({*a.declared, *b.declared}) if a.declared.get(key) != b.declared.get(key)]
    if differ:
        raise CalmError(
            "E04", f"declares the task otherwise than {files[0]}.", file=files[1], field=", ".join(differ),
            fix="compare reports of the same task file; run one of them again.",
        )  # fmt: skip
    matched = _match(a, b)
    if not matched.keys:
        raise CalmError(
            "E05", f"has no question and culture in common with {files[0]} (seeds {a.seed} and {b.seed}, "
            f"{matched.only_first} and {matched.only_second} rows).", file=files[1], field="row_scores",
            fix="run both with the same seed and number of items.",
        )  # fmt: skip
    for condition in sorted(a.values.keys() ^ b.values.keys()):
        left[f"{name}, {condition}"] = (
            f"only the {'first' if condition in a.values else 'second'} report has this condition"
        )
    table = Table([key[0] for key in matched.keys], [key[1] for key in matched.keys], seed=int(a.seed or 0))
    conditions = {}
    for condition in [each for each in a.values if each in b.values]:
        said = a.systems[condition]
        score = said["metrics"][metric]
        headline = Metric(metric, score["title"], score["higher_is_better"])
        titles = [each.systems[condition]["title"] for each in (a, b)]
        spoke = {name: each.systems[condition].get("answered_by") for name, each in (("first", a), ("second", b))}
        one, other = a.values[condition][matched.first], b.values[condition][matched.second]
        gap = table.compare(headline, one, other)
        if gap is None:
            left[f"{name}, {condition}"] = "no row on which both answered"
            continue
        both = np.isfinite(one) & np.isfinite(other)
        on = [float(table.means(np.where(both, each, np.nan))[0]) for each in (one, other)]
        conditions[condition] = {
            # titles differ where another model answered for one of the two
            "title": titles[0] if titles[0] == titles[1] else f"{titles[0]} − {titles[1]}",
            "first": on[0],
            "second": on[1],
            "rows": int(both.sum()),
            **({"answered_by": spoke} if any(spoke.values()) else {}),
            **gap,
        }
    return {
        "title": a.declared["title"], "metric": metric, "rows_matched": len(matched.keys),
        "only_in_first": matched.only_first, "only_in_second": matched.only_second,
        "seeds": [a.seed, b.seed], "conditions": conditions,
    }  # fmt: skip


def _match(a: _Rows, b: _Rows) -> _Matched:
    """Rows with the same question and culture; one that stands several times is matched in order or not at all."""
    keys: list[tuple[str, str]] = []
    first: list[int] = []
    second: list[int] = []
    for key, rows in a.places.items():
        others = b.places.get(key, [])
        if len(rows) == len(others):
            keys += [key] * len(rows)
            first += rows
            second += others
    counts = [sum(map(len, each.places.values())) - len(keys) for each in (a, b)]
    return _Matched(keys, first, second, *counts)


def _read_rows(file: Path) -> _Rows:
    """The rows of a task's file, by model condition."""
    found = read_json(file)
    try:
        rows = found["row_scores"]
        questions, cultures = rows["questions"], rows["cultures"]
        values = {
            name: np.asarray([np.nan if value is None else value for value in column], dtype=np.float64)
            for name, column in rows["systems"].items()
            if found["systems"][name]["role"] == "model"
        }
        places: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, key in enumerate(zip(questions, cultures, strict=True)):
            places[key].append(number)
        if any(len(column) != len(questions) for column in values.values()):
            raise ValueError("a system has more or fewer scores than there are questions")
        declared, seed = found["task"], found["asked"].get("seed")
        if not {"name", "title", "metric"} <= set(declared):
            raise ValueError("the task is not declared")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CalmError(
            "E06", f"holds no scores by row that can be read ({error!r}).", file=file, field="row_scores", fix=AGAIN
        ) from error
    return _Rows(declared, seed, found["systems"], dict(places), values)
