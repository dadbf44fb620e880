"""`calm evaluate MODEL --suite`: any model beside people and baselines, as a page, tables and JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from calm_lm.cli import options
from calm_lm.errors import CalmError

if TYPE_CHECKING:
    from calm_lm.evaluation.tasks.spec import Suite


@dataclass(frozen=True, slots=True)
class SuiteArguments:
    """The words of a command line that are about a suite; `given` names those that stand on it."""

    suite: str | None
    tasks: str | None
    out: Path | None
    resume: bool
    conditions: str | None
    items: int | None
    seed: int
    samples: int
    connections: int
    timeout: float
    retries: int
    allow_language: bool
    stop_rule: Path | None
    against: Path | None
    judge: str | None
    trained_on: str | None
    language_models: tuple[str, ...]
    data_dir: Path | None
    json: Path | None
    settings: tuple[str, ...]
    given: frozenset[str]


def run(model: str, given: SuiteArguments) -> None:
    """Ask, score, write the report, print its tables."""
    from calm_lm.cli.display import console, live_progress
    from calm_lm.cli.evaluate_settings import check_uses, read_settings, recorded, wrong_value
    from calm_lm.cli.report_display import show_report
    from calm_lm.evaluation.against import compare_reports, read_report
    from calm_lm.evaluation.asking.asker import Asker
    from calm_lm.evaluation.asking.conditions import parse_conditions
    from calm_lm.evaluation.asking.open_subject import OpenOptions, model_kind, open_subject
    from calm_lm.evaluation.asking.speakers import parse_routes
    from calm_lm.evaluation.pages.report import render_report
    from calm_lm.evaluation.suite import ANSWERS, SuiteOptions, conditions_of, run_suite
    from calm_lm.evaluation.verdict import judge as judge_rules
    from calm_lm.evaluation.verdict import read_rules
    from calm_lm.files import write_json, write_text
    from calm_lm.lm.answer_cache import AnswerCache
    from calm_lm.lm.loading import check_device
    from calm_lm.training.norm_sources import open_norms

    settings = read_settings(given.settings)
    out = check_out(given.out, resume=given.resume)
    suite = chosen_suite(given, settings.presentations)
    conditions = conditions_of(suite, parse_conditions(() if given.conditions is None else given.conditions.split(",")))
    rules = None if given.stop_rule is None else read_rules(given.stop_rule)  # stated before anything is asked
    if given.against is not None:
        read_report(given.against)  # a wrong folder is told now, not when everything is asked
    routes = parse_routes(given.language_models)
    tested = [model_kind(each) for each in (model, *routes.values())]
    judges = [] if given.judge is None else [model_kind(given.judge)]
    tell_norms = any(each.culture == "norms" for each in conditions)
    check_uses(given.given | settings.model_fields_set, tested, judges, tell_norms=tell_norms)
    if settings.device is not None:
        check_device(settings.device)  # before a folder is begun that would have to be resumed
    opening = OpenOptions(
        offline=options.is_offline(), device=settings.device, dtype=settings.dtype, samples=given.samples,
        temperature=settings.temperature, connections=given.connections, timeout=given.timeout, retries=given.retries,
    )  # fmt: skip
    norms = open_norms(settings.norms) if tell_norms else None
    if norms is not None and not len(norms):
        raise wrong_value("norms", settings.norms, "holds no record.")
    used = recorded(settings.model_dump() | asdict(given), tested, judges, norms)
    trained_on = None
    if given.trained_on is not None:
        trained_on = options.load_data(given.trained_on, given.data_dir, options.OwnColumns())
        if options.is_table(given.trained_on):  # all of one's own rows, not the part that a split would have trained on
            trained_on = replace(trained_on, splits={"train": tuple(trained_on)})
        if not trained_on.splits.get("train"):
            raise CalmError(
                "R17", "has no training rows to look for.", field="--trained-on", value=given.trained_on,
                fix="name the data that the model was trained on, or a table of its texts.",
            )  # fmt: skip
    with live_progress() as live, AnswerCache(out / ANSWERS) as cache:
        names = dict.fromkeys([model, *routes.values(), *([] if given.judge is None else [given.judge])])
        opened = {name: open_subject(name, opening, cache, lambda line: live.tell(line, 0, 0)) for name in names}
        subject, judge = opened[model], None
        if given.judge is not None:
            judge = Asker(opened[given.judge], cache, live.tell)
        chosen = SuiteOptions(
            out, conditions, given.data_dir, given.seed, given.allow_language, trained_on, settings.replicates, used,
            {language: opened[name] for language, name in routes.items()},
        )  # fmt: skip
        report = run_suite(subject, suite, chosen, cache, norms=norms, judge=judge, progress=live.tell)
    write_json(out / "report.json", report)
    if given.against is not None:
        report["against"] = compare_reports(out, given.against)
    if rules is not None:
        report["stop_rule"] = judge_rules(rules, report)
    write_json(out / "report.json", report)
    write_text(out / "report.html", render_report(report))
    if given.json is not None:
        write_json(given.json, report)
    show_report(console(), report)
    console().print(f"The report: {out / 'report.html'} (and report.json beside it)", markup=False, soft_wrap=True)
    if report["failed"]:
        count, (problem, _, fix) = len(report["failed"]), next(iter(report["failed"].values())).rpartition(" Fix: ")
        raise CalmError(
            "R18", f"{count} {'task' if count == 1 else 'tasks'} failed, the others are in the report: {problem}",
            file=out / "report.json", field="failed", value=", ".join(report["failed"]), fix=fix,
        )  # fmt: skip


def check_out(out: Path | None, *, resume: bool) -> Path:
    """The report's folder; answers that lie there are used again only when that is wanted.

    Raises:
        CalmError: R08 without a folder, R09 for one that holds answers already.
    """
    if out is None:
        raise CalmError(
            "R08", "a suite needs a folder for its report and answers.", field="--out", fix="add --out REPORT."
        )
    if not resume and (out / "answers.sqlite").exists():
        raise CalmError(
            "R09", "holds the answers of an earlier run.", file=out, fix="add --resume to go on there, or name another."
        )
    return out


def chosen_suite(given: SuiteArguments, presentations: int | None) -> Suite:
    """The suite by name, cut to the tasks and sizes asked for; tasks alone make a suite of their own."""
    from calm_lm.evaluation.tasks.spec import Suite, Wanted, load_suite, load_task

    if given.suite is not None:
        suite = load_suite(given.suite)
        if given.tasks is not None:
            wanted = [name.strip() for name in given.tasks.split(",")]
            for name in wanted:
                if name not in [each.task.name for each in suite.tasks]:
                    raise CalmError(
                        "R10", f"is no task of the suite {suite.name}.", field="--tasks", value=name,
                        fix=f"use {', '.join(each.task.name for each in suite.tasks)}, or leave --suite out.",
                    )  # fmt: skip
            suite = replace(suite, tasks=tuple(each for each in suite.tasks if each.task.name in wanted))
    else:
        names = [name.strip() for name in (given.tasks or "").split(",") if name.strip()]
        if not names:
            raise CalmError(
                "R19", "names no task.", field="--tasks", value=given.tasks, fix="write --tasks menavalues."
            )
        standard = load_suite("toy").conditions
        loaded = [load_task(name) for name in names]
        for task in loaded:
            if [each.name for each in loaded].count(task.name) > 1:
                raise CalmError(
                    "R31", "stands twice, and a report has one place for each task.", field="--tasks", value=task.name,
                    fix="name each task once, and give your own file another `name`.",
                )  # fmt: skip
        suite = Suite("chosen", "Tasks chosen by name.", standard, tuple(Wanted(task) for task in loaded))
    if given.items is not None:
        if given.items < 1:
            raise CalmError("R11", "is no number of items.", field="--items", value=given.items, fix="write 1 or more.")
        suite = replace(suite, tasks=tuple(replace(each, items=given.items) for each in suite.tasks))
    if presentations is not None:
        suite = replace(suite, tasks=tuple(replace(each, presentations=presentations) for each in suite.tasks))
    return suite
