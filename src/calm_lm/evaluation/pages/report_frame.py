"""What stands around the scores: who was asked, the stop rule, the other report, how to read it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calm_lm.evaluation.pages.kit import Cell, Html, bullets, definitions, join, note, section, table, tag, verdict
from calm_lm.evaluation.pages.report_boxes import opening, scrolling
from calm_lm.evaluation.pages.report_text import between, chance, count, counted, finite, number, plainly, signed
from calm_lm.evaluation.pages.report_views import TaskView, standing_of

CARE = (
    "Scores estimate how a few recruited people from a place answered or labelled. They are not a nation's view, and a "
    "country is a convenience of surveys, not a culture. Do not use them to infer a person's ethnicity, faith or "
    "nationality, nor for hiring, policing, credit or migration."
)
MARKS = {"pass": "✓ pass", "fail": "✗ fail", "undecided": "? undecided", "not measured": "– not measured"}
OVERALL = {
    "pass": "The stop rule is met: every threshold that was stated holds.",
    "fail": "The stop rule is not met.",
    "undecided": "The stop rule is undecided: no threshold is missed for certain, but not all are met.",
}
OUTCOMES = {"ahead": "this model is better", "behind": "this model is worse", "level": "not told apart"}


def stop_section(found: Mapping[str, Any]) -> Html:
    """The verdict on thresholds that were stated before the run."""
    verdicts = found.get("verdicts") or []
    tally = [str(each.get("outcome")) for each in verdicts]
    counts = [f"{tally.count(name)} {name}" for name in MARKS if name in tally]
    stated = (
        f"Stated in {found.get('file')}, last changed {found.get('modified')}, "
        f"read {found.get('read')} when this run began (answers kept from an earlier run may be older); "
        f"SHA-256 {found.get('sha256')}."
    )
    rows = []
    for each in verdicts:
        rule, outcome = each.get("rule") or {}, str(each.get("outcome"))
        name = join((_rule(rule), tag("span", str(rule.get("note") or ""), class_="small")))
        value = join((number(each.get("value")), tag("span", between(each.get("interval")), class_="small")))
        said = join((tag("span", MARKS.get(outcome, outcome), class_=f"outcome o-{outcome.replace(' ', '-')}"),
                     tag("span", str(each.get("reason") or ""), class_="small")))  # fmt: skip
        rows.append(([Cell(name, header=True), Cell(value), Cell(said)], None))
    plain = table("A rule that compares shows the difference to the system it names.", ["rule", "measured", "verdict"],
                  rows, class_="dense")  # fmt: skip
    lead = verdict(
        OVERALL.get(str(found.get("overall")), "The stop rule gives no verdict."),
        [*filter(None, ["; ".join(counts)]), stated],
    )
    return section("stop-rule", "Stop rule", lead, scrolling(plain, "Rules"))


def _rule(rule: Mapping[str, Any]) -> str:
    name = rule.get("metric") or rule.get("figure")
    bounds = [f"at most {number(rule['at_most'])}"] if "at_most" in rule else []
    bounds += [f"at least {number(rule['at_least'])}"] if "at_least" in rule else []
    bounds += [f"better than {rule['better_than']}"] if "better_than" in rule else []
    return f"{rule.get('task')}, {rule.get('system')}: {name} {plainly(bounds)} ({rule.get('confidence', 'interval')})"


def measured_section(report: Mapping[str, Any], tasks: Sequence[TaskView]) -> Html:
    """Who was asked what, how, when; what was left out and why."""
    subject, suite = report.get("subject") or {}, report.get("suite") or {}
    conditions = [str(each.get("title") or each.get("name")) for each in report.get("conditions") or []]
    weights = " ".join(str(subject[key]) for key in ("name", "revision") if subject.get(key))
    pairs = [
        ("model", join((tag("b", str(subject.get("title") or "not named")), f" {weights}"))),
        ("fingerprint", tag("code", str(subject.get("fingerprint") or "none"))),
        ("languages", ", ".join(map(str, subject.get("languages") or [])) or "none claimed"),
        ("licence", str(subject.get("licence") or "not stated")),
        ("answers", str(subject.get("answers") or "not stated")),
        ("conditions", "; ".join(conditions) or "none"),
        ("suite", f"{suite.get('name') or 'none'}: {suite.get('title') or ''}".rstrip(": ")),
        ("tasks", plainly([task.title for task in tasks]) or "none"),
        ("made", _made(report)),
    ]
    routed = speakers(report.get("language_models") or {})
    parts: list[str] = [definitions(pairs), _settings(report)]
    if routed:
        said = "; ".join(f"{', '.join(languages)} by {who}" for who, languages in routed.items())
        parts.append(note(
            f"Questions in these languages were answered by other models: {said}. What they answered is marked, "
            "and says nothing about the model under test."
        ))  # fmt: skip
    beyond = report.get("unsupported_languages") or []
    if beyond:
        parts.append(note(
            f"The model that was asked does not claim to read {plainly(list(map(str, beyond)))}, and was asked in it "
            "all the same. "
            "What it answers there says little."
        ))  # fmt: skip
    left = report.get("left_out") or {}
    if left:
        items = (join((tag("b", ", ".join(names)), f": {reason}")) for reason, names in by_reason(left).items())
        parts += [tag("h3", "Left out"), bullets(items)]
    failed = report.get("failed") or {}
    if failed:
        parts += [tag("h3", "Failed"), bullets(join((tag("b", str(name)), f": {why}")) for name, why in failed.items())]
    return section("measured", "What was measured, and on whom", *parts)


def speakers(routed: Mapping[str, Any]) -> dict[str, list[str]]:
    """Models that answered in place of the one under test, with their fingerprint, and in which languages."""
    found: dict[str, list[str]] = {}
    for language, about in routed.items():
        who = f"{about.get('title') or 'not named'} ({str(about.get('fingerprint') or 'no fingerprint')[:16]})"
        found.setdefault(who, []).append(str(language))
    return found


def by_reason(left: Mapping[str, Any]) -> dict[str, list[str]]:
    """Tasks that were left out, those with one reason together."""
    found: dict[str, list[str]] = {}
    for name, reason in left.items():
        found.setdefault(str(reason), []).append(str(name))
    return found


def _settings(report: Mapping[str, Any]) -> Html:
    """How the model was asked and scores were resampled; closed at first, as few ask for it."""
    asked = (report.get("subject") or {}).get("settings") or {}
    run = report.get("manifest") or {}
    seed = {} if run.get("seed") is None else {"seed": run["seed"]}
    found = {**asked, **seed, **(run.get("settings") or {})}
    if not found:
        return Html("")
    pairs = [(str(name).replace("_", " "), _listed(content)) for name, content in found.items()]
    return opening("settings of this run", tag("div", definitions(pairs), class_="settings"))


def _listed(content: Any) -> str:
    if isinstance(content, Mapping):
        return ", ".join(f"{name} {_listed(each)}" for name, each in content.items())
    if isinstance(content, list):
        return ", ".join(map(_listed, content)) or "none"
    return "not set" if content is None else str(content)


def _made(report: Mapping[str, Any]) -> str:
    manifest = report.get("manifest") or {}
    said = [f"{report.get('made_on') or 'on no known day'} by {report.get('made_by') or 'an unknown version'}"]
    said += [f"{name} {manifest[name]}" for name in ("seed", "python", "machine") if manifest.get(name) is not None]
    return ", ".join(said)


def against_section(found: Mapping[str, Any]) -> Html:
    """This report minus another, on the rows that both have."""
    first, second = found.get("first") or {}, found.get("second") or {}
    parts: list[str] = [tag("p", join((
        "This model: ", tag("b", _who(first)), ". The other: ", tag("b", _who(second)),
        ". Only rows that both have are compared; differences are this model minus the other, p after Holm over all.",
    )))]  # fmt: skip
    tally: dict[str, int] = {}
    for name, task in (found.get("tasks") or {}).items():
        rows = []
        for gap in (task.get("conditions") or {}).values():
            standing = standing_of(gap)
            tally[str(standing)] = tally.get(str(standing), 0) + 1
            title = join((str(gap.get("title")), tag("span", OUTCOMES.get(str(standing), ""), class_="small")))
            both = f"{number(gap.get('first'))} and {number(gap.get('second'))}"
            change = join((signed(gap.get("difference")), tag("span", between(gap.get("interval")), class_="small")))
            cells = [Cell(title, header=True), Cell(both), Cell(change), Cell(chance(gap.get("p_holm"))),
                     Cell(signed(gap.get("effect_dz")))]  # fmt: skip
            rows.append((cells, None))
        caption = (
            f"{task.get('metric')}: {counted(int(finite(task.get('rows_matched')) or 0), 'row')} matched, "
            f"{count(task.get('only_in_first'))} only here, {count(task.get('only_in_second'))} only in the other."
        )
        columns = ["", "this, other", "difference", "p (Holm)", "effect"]
        title_ = str(task.get("title") or name)
        parts += [tag("h3", title_), scrolling(table(caption, columns, rows, class_="dense"), title_)]
    left = found.get("not_compared") or {}
    if left:
        parts += [tag("h3", "Not compared"), bullets(f"{name}: {reason}" for name, reason in left.items())]
    better, worse = tally.get("ahead", 0), tally.get("behind", 0)
    lead = f"Better than the other on {better} and worse on {worse} of {counted(sum(tally.values()), 'comparison')}."
    parts.insert(1, verdict(lead, ["Better or worse when the whole 95 % interval says so."]))
    return section("against", "Beside another report", *parts)


def _who(side: Mapping[str, Any]) -> str:
    fingerprint = str(side.get("fingerprint") or "no fingerprint")[:16]
    return f"{side.get('title') or 'not named'} ({fingerprint}, {side.get('made_on') or 'no day'})"


def reading_section() -> Html:
    """How to read the page, what it cannot say, and what the scores are not for."""
    how = (
        "Every score is a mean over places, so that places with many questions do not outvote the others; the worst "
        "place stands beside it, because a mean can hide a place that is served badly.",
        "Intervals hold 95 % of the means that other draws of the same kind of questions would give. They do not cover "
        "other people, other wordings or other years, unless a line says that respondents were redrawn.",
        "Two systems are told apart when the whole interval of their paired difference is on one side. p is corrected "
        "for the number of comparisons of the task (Holm), not over the tasks of the page; a table says where a "
        "difference does not survive that.",
        "The best condition of the model is chosen after the fact, which flatters the model.",
        "Uniform gives every option the same share; it stands for answering at random. A model that is further from "
        "people than uniform is worse than no model.",
        "A score that is not defined is said to be so; it is not zero, and it does not enter a mean.",
    )
    limits = (
        "A country is a convenience of surveys, not a culture, and its mean hides everyone who differs from it.",
        "A survey answer is not behaviour, and an option's probability is not an opinion.",
        "Questions were sampled; what a task assumes and leaves out stands in its card.",
    )
    return section(
        "reading", "How to read this, and what it is not for", tag("h3", "How to read it"), bullets(how),
        tag("h3", "Limits"), bullets(limits), tag("h3", "Care"), note(CARE),
    )  # fmt: skip
