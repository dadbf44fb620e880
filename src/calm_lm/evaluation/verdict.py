"""The stop rule: thresholds that were stated before a run, and what the report says of each.

A rule file is a YAML list. Each rule names a task, a system (a condition or a baseline) and one score of it, by
`metric` (the mean over cultures) or `figure`, and exactly one threshold: `at_most`, `at_least`, or `better_than`
another system of the task, or `against` (the same condition in the report that this one is compared with). With
`confidence: interval`, the default, a rule is met or missed only when the whole 95 % interval is on one side; with
`point` the value decides.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors, sha256_bytes

Outcome = Literal["pass", "fail", "undecided", "not measured"]
THRESHOLDS = ("at_most", "at_least", "better_than")
FIELDS = ("task", "system", "metric", "figure", *THRESHOLDS, "confidence", "note")
AGAINST = "against"
LARGEST = 1e300  # beyond, a float is infinite
EXAMPLE = "write, for example: - {task: menavalues, system: neutral, metric: wasserstein, at_most: 0.2}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One threshold.

    Attributes:
        task: name of a task.
        system: condition or baseline that is judged.
        metric: score that is judged, as its mean over cultures; None where a figure is.
        figure: figure that is judged; None where a metric is.
        at_most: greatest value that passes.
        at_least: least value that passes.
        better_than: system of the same task that must be beaten, or `against`.
        confidence: whether the whole 95 % interval or the value alone must pass.
        note: why, in the words of whoever stated it.
    """

    task: str
    system: str
    metric: str | None = None
    figure: str | None = None
    at_most: float | None = None
    at_least: float | None = None
    better_than: str | None = None
    confidence: Literal["interval", "point"] = "interval"
    note: str = ""


class Rules(NamedTuple):
    """A rule file as it was read.

    Attributes:
        rules: in the order of the file.
        file: its name without folders.
        sha256: of its bytes.
        modified: when it was last changed, ISO 8601, UTC.
        read: when it was read, ISO 8601, UTC.
    """

    rules: tuple[Rule, ...]
    file: str
    sha256: str
    modified: str
    read: str


class _Measured(NamedTuple):
    """What a rule is about, or why it is not there."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    higher_is_better: bool | None = None
    missing: str = ""


# -- reading -----------------------------------------------------------------------------------------------


def read_rules(path: Path) -> Rules:
    """Read a rule file; call it before anything is asked.

    Raises:
        CalmError: F01 for a file that cannot be read, E10 for one that is no YAML list of rules, E11 for an unknown
            field, E12 for one that stands twice, E13 for a missing or empty one, E14 for none or several of the
            thresholds or of metric and figure, E15 for a threshold that is no number, E16 for another confidence.
    """
    import yaml

    path = Path(path)
    with disk_errors(path):
        data = path.read_bytes()
        changed = path.stat().st_mtime
    try:
        text = data.decode("utf-8")
        loaded: Any = yaml.safe_load(text)
        root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
        problem = "" if isinstance(loaded, list) and loaded else "holds no list of rules."
    except (yaml.YAMLError, ValueError, AttributeError, LookupError, RecursionError) as error:
        # the four others are what PyYAML lets through for `2024-99-99`, `!!bool x` and deep nesting
        problem = f"is not readable YAML ({' '.join(str(error).split())[:200]})."
    if problem:
        raise CalmError("E10", problem, file=path, fix=EXAMPLE)
    rules = tuple(_rule(path, given, node) for given, node in zip(loaded, root.value, strict=True))
    return Rules(rules, path.name, sha256_bytes(data), _moment(changed), _moment(None))


def _moment(stamp: float | None) -> str:
    now = datetime.datetime.now(datetime.UTC)
    moment = now if stamp is None else datetime.datetime.fromtimestamp(stamp, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _rule(path: Path, given: Any, node: Any) -> Rule:
    row = node.start_mark.line + 1
    if not isinstance(given, dict):
        _refuse_missing(path, row, "task", given)
    names = [str(key.value) for key, _ in node.value]
    rows = {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
    for name in names:
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, n=1)
            raise CalmError(
                "E11", "is no field of a rule.", file=path, row=rows[name], field=name,
                fix=f"did you mean {near[0]}?" if near else f"use {', '.join(FIELDS)}.",
            )  # fmt: skip
        if names.count(name) > 1:
            raise CalmError(
                "E12", "stands twice in one rule.", file=path, row=rows[name], field=name, fix="keep one of the two."
            )
    for name in ("task", "system", "metric", "figure", "better_than", "note"):
        if name in ("task", "system") or name in given:
            said = given.get(name)
            if not isinstance(said, str) or not said.strip():
                _refuse_missing(path, rows.get(name, row), name, said)
    for choices in (("metric", "figure"), THRESHOLDS):
        chosen = [name for name in choices if name in given]
        if len(chosen) != 1:
            raise CalmError(
                "E14", f"a rule has exactly one of {', '.join(choices)}; this one has {', '.join(chosen) or 'none'}.",
                file=path, row=row, field=", ".join(chosen) or choices[0], fix=EXAMPLE,
            )  # fmt: skip
    for name in ("at_most", "at_least"):
        said = given.get(name, 0.0)
        if isinstance(said, bool) or not isinstance(said, int | float) or not abs(said) < LARGEST:
            raise CalmError(
                "E15", "is not a number.", file=path, row=rows[name], field=name, value=said, fix="write it as in 0.25."
            )
    if given.get("confidence", "interval") not in ("interval", "point"):
        raise CalmError(
            "E16", "is no kind of confidence.", file=path, row=rows["confidence"], field="confidence",
            value=given["confidence"], fix="write interval (the whole 95 % interval must pass) or point.",
        )  # fmt: skip
    plain: dict[str, Any] = {name: said.strip() if isinstance(said, str) else said for name, said in given.items()}
    return Rule(**plain)


def _refuse_missing(path: Path, row: int, field: str, value: object) -> NoReturn:
    raise CalmError("E13", "is missing, empty or no text.", file=path, row=row, field=field, value=value, fix=EXAMPLE)


# -- judging -----------------------------------------------------------------------------------------------


def judge(rules: Rules, report: Mapping[str, Any]) -> dict[str, Any]:
    """What a report says of each rule.

    Args:
        rules: as read before the run.
        report: of `run_suite`, with `against` where a rule asks for it.

    Returns:
        `overall` (fail when any rule fails; else undecided when any is undecided or not measured; else pass),
        `file`, `sha256`, `modified`, `read`, and `verdicts`: the rule, its outcome, value, interval and reason.
    """
    verdicts: list[dict[str, Any]] = []
    for rule in rules.rules:
        found = _difference(rule, report) if rule.better_than is not None else _score(rule, report)
        outcome, reason = _decide(rule, found)
        reason += _who_answered(rule, report)
        stated = {name: value for name, value in asdict(rule).items() if value not in (None, "")}
        interval = None if found.low is None else [found.low, found.high]
        verdicts.append(
            {"rule": stated, "outcome": outcome, "value": found.value, "interval": interval, "reason": reason}
        )
    return {
        "overall": overall([each["outcome"] for each in verdicts]), "file": rules.file, "sha256": rules.sha256,
        "modified": rules.modified, "read": rules.read, "verdicts": verdicts,
    }  # fmt: skip


def _who_answered(rule: Rule, report: Mapping[str, Any]) -> str:
    """A remark where another model than the one under test answered what a rule is about."""
    system = report["tasks"].get(rule.task, {}).get("systems", {}).get(rule.system, {})
    said = [f"{language} answered by {who}" for language, who in system.get("answered_by", {}).items()]
    return f" ({'; '.join(said)})" if said else ""


def overall(outcomes: Sequence[Outcome]) -> Outcome:
    """One failed rule fails the run; a run passes only when every rule does."""
    if "fail" in outcomes:
        return "fail"
    return "pass" if outcomes and all(each == "pass" for each in outcomes) else "undecided"


def _decide(rule: Rule, found: _Measured) -> tuple[Outcome, str]:
    """Compare what was measured, or its interval, with the threshold."""
    if found.value is None:
        return "not measured", found.missing
    if rule.better_than is not None:
        bound, below = 0.0, not found.higher_is_better
    else:
        bound, below = (rule.at_most, True) if rule.at_most is not None else (rule.at_least or 0.0, False)
    strict = rule.better_than is not None  # to be as good as another is not to be better

    def passes(value: float) -> bool:
        return (value < bound if below else value > bound) or (value == bound and not strict)

    if rule.confidence == "point":
        return ("pass", "the value passes") if passes(found.value) else ("fail", "the value does not pass")
    if found.low is None or found.high is None:
        return "undecided", "there is no interval"
    ends = passes(found.low), passes(found.high)
    if all(ends):
        return "pass", "the whole interval passes"
    return (
        ("undecided", "the interval crosses the threshold") if any(ends) else ("fail", "no part of the interval passes")
    )


def _score(rule: Rule, report: Mapping[str, Any], system: str | None = None) -> _Measured:
    """The metric or figure of a rule for its system."""
    task = report["tasks"].get(rule.task)
    if task is None:
        reason = report.get("left_out", {}).get(rule.task)
        return _Measured(missing=f"the task was left out: {reason}" if reason else "the report has no such task")
    who = task["systems"].get(system or rule.system)
    if who is None:
        return _Measured(missing=f"the task has no system {system or rule.system}")
    name = rule.metric or rule.figure
    found = who["metrics" if rule.metric else "figures"].get(name)
    value = None if found is None else found["mean" if rule.metric else "value"]
    if found is None or value is None:
        return _Measured(missing=f"{name} is not defined for {system or rule.system}")
    low, high = found["interval"] or (None, None)
    return _Measured(value, low, high, found["higher_is_better"])


def _difference(rule: Rule, report: Mapping[str, Any]) -> _Measured:
    """The rule's system minus the one it must beat: paired where the report has that, else from their intervals."""
    own = _score(rule, report)
    if own.value is None:
        return own
    if own.higher_is_better is None:
        return _Measured(missing=f"neither end of {rule.metric or rule.figure} is better")
    if rule.better_than == AGAINST:
        found = report.get("against", {}).get("tasks", {}).get(rule.task, {})
        gap = found.get("conditions", {}).get(rule.system)
        if gap is None or found.get("metric") != rule.metric:
            return _Measured(missing="the report is not compared with another on this score")
        return _gap(gap, 1.0)
    for pair in report["tasks"][rule.task]["paired"]:
        if rule.metric == pair["metric"] and {pair["a"], pair["b"]} == {rule.system, rule.better_than}:
            return _gap(pair, 1.0 if pair["a"] == rule.system else -1.0)
    other = _score(rule, report, rule.better_than)
    if other.value is None:
        return other
    low, high = (
        (None, None)
        if own.low is None or own.high is None or other.low is None or other.high is None
        else (own.low - other.high, own.high - other.low)  # wider than a paired one: it can only leave more undecided
    )
    return _Measured(own.value - other.value, low, high, own.higher_is_better)


def _gap(pair: Mapping[str, Any], sign: float) -> _Measured:
    if pair["difference"] is None:
        return _Measured(missing="the difference is not defined")
    first, second = pair["interval"] or (None, None)
    low, high = (None, None) if first is None or second is None else sorted((sign * first, sign * second))
    return _Measured(sign * pair["difference"], low, high, pair["higher_is_better"])
