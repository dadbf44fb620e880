"""Runs the tasks of a suite on one model, keeping each as it is done, and puts the report together."""

from __future__ import annotations

import datetime
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calm_lm import __version__
from calm_lm.culture.norms import NormStore
from calm_lm.data.example import Dataset
from calm_lm.errors import CalmError, UnavailableError
from calm_lm.evaluation.asking.asker import Asker, Progress
from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.asking.subject import Subject
from calm_lm.evaluation.kinds.registry import kind_of
from calm_lm.evaluation.leaks import find_leaks
from calm_lm.evaluation.result import TaskResult
from calm_lm.evaluation.summary import summarise
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Suite
from calm_lm.files import write_json
from calm_lm.lm.answer_cache import AnswerCache

SCHEMA = "calm-report/1"
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
    """

    out: Path
    conditions: tuple[Condition, ...]
    data_dir: Path | None = None
    seed: int = 0
    allow_language: bool = False
    trained_on: Dataset | None = None


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
    """
    unsupported = set(check_languages(subject, [each.language for each in options.conditions], options))
    began = time.monotonic()
    results: dict[str, TaskResult] = {}
    left_out: dict[str, str] = {}
    failed: dict[str, str] = {}
    bill: dict[str, Any] = {}
    asker = Asker(subject, cache, progress)
    for wanted in suite.tasks:
        before, judged_before = asker.cost.copy(), None if judge is None else judge.cost.copy()
        try:
            unsupported |= set(check_languages(subject, wanted.task.languages, options))
            plan = Plan(wanted, options.conditions, options.data_dir, options.seed)
            result = kind_of(wanted.task.kind)(asker, plan, norms=norms, judge=judge)
        except UnavailableError as error:
            left_out[wanted.task.name] = str(error)
            continue
        except CalmError as error:
            if ends_everything(error):
                raise
            failed[wanted.task.name] = str(error)
            continue
        results[wanted.task.name] = result
        bill[wanted.task.name] = asker.cost.since(before)
        if judge is not None and judged_before is not None and judge.cost != judged_before:
            bill[wanted.task.name]["judge"] = judge.cost.since(judged_before)
        kept = result.to_json() | {"row_scores": result.rows()}
        write_json(options.out / "tasks" / f"{wanted.task.name}.json", kept)
    tasks = {name: result.to_json() for name, result in results.items()}
    return {
        "schema": SCHEMA,
        "made_by": f"calm-lm {__version__}",
        "made_on": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "suite": {"name": suite.name, "title": suite.title},
        "subject": about(subject),
        "conditions": [{"name": each.name, "title": each.title} for each in options.conditions],
        "unsupported_languages": sorted(unsupported),
        "dimensions": summarise(tasks),
        "tasks": tasks,
        "left_out": left_out,
        "failed": failed,
        "leaks": None if options.trained_on is None else find_leaks(options.trained_on, results),
        "cost": {"tasks": bill, "seconds": time.monotonic() - began},
        "manifest": {"seed": options.seed, "python": platform.python_version(), "machine": platform.machine()},
    }


def ends_everything(error: CalmError) -> bool:
    """Whether no other task could go on either: the endpoint (L40 to L59) or the disk (F) gave way."""
    return error.code[0] == "F" or error.code[:2] in ("L4", "L5")


def about(subject: Subject) -> dict[str, Any]:
    """Who answered."""
    identity = subject.identity
    return {
        "title": subject.title, "name": identity.name, "revision": identity.revision,
        "fingerprint": identity.fingerprint, "languages": list(identity.languages), "licence": identity.licence,
        "answers": "exact probabilities" if subject.exact else "samples", "settings": subject.settings,
    }  # fmt: skip


def check_languages(subject: Subject, languages: Sequence[str], options: SuiteOptions) -> list[str]:
    """Languages that are asked in although the model does not claim to read them.

    Raises:
        CalmError: E35 unless that was allowed.
    """
    claimed = {language.split("-")[0] for language in subject.identity.languages}
    beyond = [each for each in dict.fromkeys(languages) if claimed and each.split("-")[0] not in claimed]
    if beyond and not options.allow_language:
        raise UnavailableError(
            "E35", f"{subject.title} reads {', '.join(sorted(claimed))}; what it answers in another language means "
            "little.", field="language", value=", ".join(beyond),
            fix="name a multilingual model or endpoint, or add --allow-unsupported-language: the report marks it.",
        )  # fmt: skip
    return beyond


def conditions_of(suite: Suite, chosen: Sequence[Condition]) -> tuple[Condition, ...]:
    """The conditions chosen, or the suite's own."""
    from calm_lm.evaluation.asking.conditions import parse_conditions

    return tuple(chosen) or parse_conditions(suite.conditions)
