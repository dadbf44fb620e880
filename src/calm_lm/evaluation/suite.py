"""Runs the tasks of a suite on one model, keeping each as it is done, and puts the report together."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from calm_lm.culture.norms import NormStore
from calm_lm.data.example import Dataset
from calm_lm.errors import CalmError, UnavailableError
from calm_lm.evaluation.asking.asker import Asker, Progress
from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.asking.speakers import Speakers
from calm_lm.evaluation.asking.subject import Subject
from calm_lm.evaluation.kinds.registry import check_settings, kind_of
from calm_lm.evaluation.result import TaskResult
from calm_lm.evaluation.suite_report import Outcomes, report_of
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Suite, Task, Wanted
from calm_lm.files import write_json
from calm_lm.lm.answer_cache import AnswerCache

ANSWERS = "answers.sqlite"


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """How a suite is run this time.

    Attributes:
        out: folder of the report and of the answers; asking goes on there after a kill.
        conditions: ways of asking, the first is the reference.
        data_dir: folder of the data sets.
        seed: of samples, orders and draws.
        allow_language: ask in a language that the model does not claim to read.
        trained_on: rows whose texts are looked for in the questions; None looks for none.
        replicates: of the bootstrap behind every interval.
        settings: how models were loaded and asked, as the manifest is to tell it.
        language_models: who is asked in place of the model under test, by primary language subtag.
    """

    out: Path
    conditions: tuple[Condition, ...]
    data_dir: Path | None = None
    seed: int = 0
    allow_language: bool = False
    trained_on: Dataset | None = None
    replicates: int = 1_000
    settings: Mapping[str, Any] = field(default_factory=dict)
    language_models: Mapping[str, Subject] = field(default_factory=dict)


def run_suite(
    subject: Subject,
    suite: Suite,
    options: SuiteOptions,
    cache: AnswerCache,
    *,
    norms: NormStore | None = None,
    judge: Asker | None = None,
    progress: Progress,
) -> dict[str, Any]:
    """Run every task and return the report.

    What this model or the data at hand cannot do is left out, a task that fails is named with its error, and the
    others go on.

    Args:
        subject: the model under test; nothing in it is changed.
        suite: the tasks.
        options: how.
        cache: where answers are kept.
        norms: records for conditions that put norms into the context.
        judge: the model that judges free text, for tasks that need one.
        progress: told of every piece.

    Raises:
        CalmError: E35 for a route or a condition in a language that who would answer does not claim to read.
    """
    asker = Asker(subject, cache, progress, options.language_models)
    speakers, allow = asker.speakers, options.allow_language
    speakers.check(list(options.language_models), allow=allow)
    unsupported = set(speakers.check([each.language for each in options.conditions], allow=allow))
    began = time.monotonic()
    done = Outcomes()
    for wanted in suite.tasks:
        name, before = wanted.task.name, asker.cost.copy()
        judged_before = None if judge is None else judge.cost.copy()
        try:
            result, languages = run_task(wanted, asker, options, norms, judge)
        except UnavailableError as error:
            done.left_out[name] = str(error)
            continue
        except CalmError as error:
            if ends_everything(error):
                raise
            done.failed[name] = str(error)
            continue
        unsupported |= set(speakers.unread(languages))
        done.results[name] = result
        done.bill[name] = asker.cost.since(before)
        if judge is not None and judged_before is not None and judge.cost != judged_before:
            done.bill[name]["judge"] = judge.cost.since(judged_before)
        kept = result.to_json() | {"row_scores": result.rows()}
        write_json(options.out / "tasks" / f"{name}.json", kept)
    return report_of(subject, suite, options, done) | {
        "unsupported_languages": sorted(unsupported),
        "cost": {"tasks": done.bill, "seconds": time.monotonic() - began},
    }


def run_task(
    wanted: Wanted, asker: Asker, options: SuiteOptions, norms: NormStore | None, judge: Asker | None
) -> tuple[TaskResult, tuple[str, ...]]:
    """One task's result, and the languages that it was asked in.

    Raises:
        UnavailableError: what this model or the data at hand cannot do.
        CalmError: what is wrong with the task, or what ends the run.
    """
    speakers = asker.speakers
    languages = asked_languages(wanted.task, speakers, allow=options.allow_language)
    plan = Plan(
        wanted, wanted.asked_under(options.conditions), options.data_dir, options.seed, options.replicates,
        languages.asked,
    )  # fmt: skip
    run = kind_of(wanted.task.kind)
    check_settings(wanted.task)
    result = run(asker, plan, norms=norms, judge=judge)
    mark_speakers(result, plan, speakers, languages)
    return result, languages.asked


def ends_everything(error: CalmError) -> bool:
    """Whether no other task could go on either: the endpoint (L40 to L59) or the disk (F) gave way."""
    return error.code[0] == "F" or error.code[:2] in ("L4", "L5")


class Languages(NamedTuple):
    """Languages of a task whose questions are there already: those it is asked in, and those that nobody reads."""

    asked: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def asked_languages(task: Task, speakers: Speakers, *, allow: bool) -> Languages:
    """The part of a task's languages that whoever would answer claims to read; all of them where that is allowed.

    Raises:
        UnavailableError: E35 where no language is left.
    """
    unread = {} if allow else speakers.unread(task.languages)
    if len(unread) == len(task.languages):
        speakers.check(task.languages, allow=allow)
    return Languages(tuple(each for each in task.languages if each not in unread), tuple(unread))


def mark_speakers(result: TaskResult, plan: Plan, speakers: Speakers, languages: Languages) -> None:
    """Say of every condition which languages another model than the one under test answered, and what was not asked.

    A condition chooses the language of a task whose own is English; the questions of others are in their own.
    """
    spoken = {each.name: each.language for each in plan.conditions}
    for system in result.systems:
        if system.role in ("model", "control"):
            own = plan.task.languages == ("en",)
            asked = (spoken.get(system.name, "en"),) if own else languages.asked
            others = {each: speakers.other(each) for each in asked}
            system.answered_by = {each: who.title for each, who in others.items() if who is not None}
    if languages.left_out:
        result.asked["languages_left_out"] = list(languages.left_out)


def conditions_of(suite: Suite, chosen: Sequence[Condition]) -> tuple[Condition, ...]:
    """The conditions chosen, or the suite's own."""
    from calm_lm.evaluation.asking.conditions import parse_conditions

    return tuple(chosen) or parse_conditions(suite.conditions)
