"""`calm evaluate MODEL --suite`: any model beside people and baselines, as a page, tables and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calm_lm.cli import options
from calm_lm.errors import CalmError

if TYPE_CHECKING:
    from calm_lm.culture.norms import NormStore
    from calm_lm.data.example import Dataset
    from calm_lm.evaluation.asking.open_subject import OpenOptions
    from calm_lm.evaluation.suite import SuiteOptions
    from calm_lm.evaluation.tasks.spec import Suite
    from calm_lm.evaluation.verdict import Rules


@dataclass(frozen=True, slots=True)
class SuiteArguments:
    """The words of a command line that are about a suite; `given` names those that stand on it.

    `columns` are those of a table of the user's own that `trained_on` names.
    """

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
    columns: options.OwnColumns
    settings: tuple[str, ...]
    given: frozenset[str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run needs, all of it checked before anything is asked.

    Attributes:
        model: name of the model under test.
        routes: names of those that answer single languages, by language.
        judge: name of the one that judges free text.
        suite: the tasks.
        opening: how models are loaded or reached.
        options: how the suite is run; its language models are still to be opened.
        norms: records for conditions that tell norms.
        rules: thresholds, read before anything is asked.
    """

    model: str
    routes: Mapping[str, str]
    judge: str | None
    suite: Suite
    opening: OpenOptions
    options: SuiteOptions
    norms: NormStore | None
    rules: Rules | None


def run(model: str, given: SuiteArguments) -> None:
    """Ask, score, write the report, print its tables.

    Raises:
        CalmError: what `prepare` and asking raise, R18 for tasks that failed, E57 and E58 for a report that holds
            nothing; the report is written before.
    """
    from calm_lm.cli.display import console
    from calm_lm.cli.report_display import show_report
    from calm_lm.evaluation.suite_report import nothing_measured

    prepared = prepare(model, given)
    report = ask(prepared)
    write(report, prepared, given)
    show_report(console(), report)
    out = prepared.options.out
    console().print(f"The report: {out / 'report.html'} (and report.json beside it)", markup=False, soft_wrap=True)
    if report["failed"]:
        count, (problem, _, fix) = len(report["failed"]), next(iter(report["failed"].values())).rpartition(" Fix: ")
        raise CalmError(
            "R18", f"{count} {'task' if count == 1 else 'tasks'} failed, the others are in the report: {problem}",
            file=out / "report.json", field="failed", value=", ".join(report["failed"]), fix=fix,
        )  # fmt: skip
    if (nothing := nothing_measured(report, out)) is not None:
        raise nothing


def prepare(model: str, given: SuiteArguments) -> Prepared:
    """Everything that can be found wrong with a command line before anything is asked.

    Raises:
        CalmError: for settings, folder, suite, conditions, rules, models, device, norms and training rows.
    """
    from calm_lm.cli.evaluate_settings import check_uses, read_settings, recorded
    from calm_lm.evaluation.against import read_report
    from calm_lm.evaluation.asking.conditions import parse_conditions
    from calm_lm.evaluation.asking.open_subject import OpenOptions, model_kind
    from calm_lm.evaluation.asking.speakers import parse_routes
    from calm_lm.evaluation.suite import SuiteOptions, conditions_of
    from calm_lm.evaluation.verdict import read_rules
    from calm_lm.lm.loading import check_device

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
    norms = norms_to_tell(settings.norms) if tell_norms else None
    used = recorded(settings.model_dump() | asdict(given), tested, judges, norms)
    chosen = SuiteOptions(
        out, conditions, given.data_dir, given.seed, given.allow_language, training_rows(given), settings.replicates,
        used,
    )  # fmt: skip
    return Prepared(model, routes, given.judge, suite, opening, chosen, norms, rules)


def norms_to_tell(source: str) -> NormStore:
    """Records for conditions that put norms into the context.

    Raises:
        CalmError: R28 where there is none; what reading them raises.
    """
    from calm_lm.cli.evaluate_settings import wrong_value
    from calm_lm.training.norm_sources import open_norms

    norms = open_norms(source)
    if not norms:
        raise wrong_value("norms", source, "holds no record.")
    return norms


def training_rows(given: SuiteArguments) -> Dataset | None:
    """What the model was trained on, to be looked for in the questions.

    Raises:
        CalmError: R17 where there is no training row; what reading them raises.
    """
    if given.trained_on is None:
        return None
    found = options.load_data(given.trained_on, given.data_dir, given.columns)
    # of one's own table all rows, not the part that a split would have trained on, unless a column tells which part
    if options.is_table(given.trained_on) and given.columns.split is None:
        found = replace(found, splits={"train": tuple(found)})
    if not found.splits.get("train"):
        raise CalmError(
            "R17", "has no training rows to look for.", field="--trained-on", value=given.trained_on,
            fix="name the data that the model was trained on, or a table of its texts.",
        )  # fmt: skip
    return found


def ask(prepared: Prepared) -> dict[str, Any]:
    """Open the models and run the suite; what was answered before is not asked again."""
    from calm_lm.cli.display import live_progress
    from calm_lm.evaluation.asking.asker import Asker
    from calm_lm.evaluation.asking.open_subject import open_subject
    from calm_lm.evaluation.suite import ANSWERS, run_suite
    from calm_lm.lm.answer_cache import AnswerCache

    judging = [] if prepared.judge is None else [prepared.judge]
    names = dict.fromkeys([prepared.model, *prepared.routes.values(), *judging])
    with live_progress() as live, AnswerCache(prepared.options.out / ANSWERS) as cache:
        opened = {
            name: open_subject(name, prepared.opening, cache, lambda line: live.tell(line, 0, 0)) for name in names
        }
        judge = None if prepared.judge is None else Asker(opened[prepared.judge], cache, live.tell)
        routed = {language: opened[name] for language, name in prepared.routes.items()}
        return run_suite(
            opened[prepared.model], prepared.suite, replace(prepared.options, language_models=routed), cache,
            norms=prepared.norms, judge=judge, progress=live.tell,
        )  # fmt: skip


def write(report: dict[str, Any], prepared: Prepared, given: SuiteArguments) -> None:
    """Compare with an earlier report, judge by the rules that were stated, and write page and JSON."""
    from calm_lm.evaluation.against import compare_reports
    from calm_lm.evaluation.pages.report import render_report
    from calm_lm.evaluation.verdict import judge
    from calm_lm.files import write_json, write_text

    out = prepared.options.out
    write_json(out / "report.json", report)  # a comparison reads it
    if given.against is not None:
        report["against"] = compare_reports(out, given.against)
    if prepared.rules is not None:
        report["stop_rule"] = judge(prepared.rules, report)
    write_json(out / "report.json", report)
    write_text(out / "report.html", render_report(report))
    if given.json is not None:
        write_json(given.json, report)


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
