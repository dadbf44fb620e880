"""One task's part of the page: who scores what, place by place, refusals, differences, calibration, the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calm_lm.evaluation.pages.charts import Bin, calibration_chart
from calm_lm.evaluation.pages.kit import Cell, Html, definitions, join, section, table, tag
from calm_lm.evaluation.pages.report_boxes import opening, scrolling
from calm_lm.evaluation.pages.report_extras import extras
from calm_lm.evaluation.pages.report_map import cultural_map
from calm_lm.evaluation.pages.report_scores import ENDS, places_chart, shapes_of, systems_chart
from calm_lm.evaluation.pages.report_text import (
    UNDEFINED,
    between,
    chance,
    count,
    counted,
    duration,
    finite,
    number,
    plainly,
    share,
    signed,
)
from calm_lm.evaluation.pages.report_views import Judged, Score, TaskView, standing_of
from calm_lm.evaluation.table import EVERYONE

MOST_PAIRS = 40
SURE = 0.05
PER_CENT = "\N{NO-BREAK SPACE}%"
OUTCOMES = {"ahead": "better", "behind": "worse", "level": "not told apart"}


def task_section(task: TaskView, bill: Mapping[str, Any]) -> Html:
    """Everything about one task; parts that the task does not have are absent."""
    shapes = shapes_of(task)
    return section(
        task.anchor, task.title, _facts(task, bill), systems_chart(task, shapes), places_chart(task, shapes),
        _refusals(task), _paired(task), _calibration(task), cultural_map(task), extras(task), _card(task),
    )  # fmt: skip


def _facts(task: TaskView, bill: Mapping[str, Any]) -> Html:
    known = {name: finite(task.asked.get(name)) for name in ("items", "items_at_hand", "presentations", "seed")}
    said = []
    if known["items"] is not None:
        of = f" of the {count(known['items_at_hand'])} at hand" if known["items_at_hand"] is not None else ""
        said.append(f"{count(known['items'])} items{of}")
    if known["presentations"] is not None:
        said.append(f"{counted(int(known['presentations']), 'presentation')} of each")
    places = [] if task.cultures == (EVERYONE,) else [counted(len(task.cultures), "place")]
    said.append(", ".join([*places, counted(task.rows, "row")]))
    if known["seed"] is not None:
        said.append(f"seed {known['seed']:.0f}")
    if finite(bill.get("questions")) is not None:
        said.append(f"{count(bill['questions'])} questions in {duration(bill.get('seconds'))}")
    skipped = task.asked.get("left_out_by_the_loader")
    left = ""
    if isinstance(skipped, Mapping) and skipped:
        left = f" Left out by the loader: {plainly([f'{count(n)} {why}' for why, n in skipped.items()])}."
    skipped = task.asked.get("conditions_left_out")
    if skipped:
        why = [f"{name} ({reason})" for name, reason in skipped.items()] if isinstance(skipped, Mapping) else skipped
        left += f" Not asked under {plainly(list(map(str, why)))}."
    skipped = task.asked.get("languages_left_out")
    if skipped:
        left += f" Not asked in {plainly(list(map(str, skipped)))}, which no model of this run claims to read."
    judge = task.asked.get("judge")
    if isinstance(judge, Mapping):
        itself = ", the same model as the one judged" if task.asked.get("judges_itself") else ""
        left += f" Judged by {judge.get('title')}{itself}."
    for remark in task.asked.get("notes") or ():
        left += f" {remark}"
    masked = " The texts of this data set are offensive; none is shown." if task.offensive else ""
    return tag("p", f"{'; '.join(said)}.{left}{masked}", class_="soft")


# -- refusals, differences, calibration ----------------------------------------------------------------------


def _refusals(task: TaskView) -> Html:
    """Shares without an answer, and what the headline could have been had they been answers."""
    rows = []
    for each in task.model:
        silent, refused = each.figures.get("no_answer"), each.figures.get("refused")
        bounds = each.detail.get("refusal_bounds")
        if silent is None and refused is None and not isinstance(bounds, Mapping):
            continue
        cells = [Cell(each.title, header=True), Cell(_share(silent)), Cell(_share(refused))]
        within = between((bounds.get("low"), bounds.get("high"))) if isinstance(bounds, Mapping) else ""
        rows.append(([*cells, Cell(within or "–")], None))
    if not rows:
        return Html("")
    caption = (
        "Shares of the answers with 95 % intervals. Bounds: the headline if all that was no answer had gone where it "
        "helps most, and where it hurts most."
    )
    columns = ["", "no valid answer", "of it refused", "headline within"]
    plain = table(caption, columns, rows, class_="dense")
    return join((tag("h3", "Refusals and what they hide"), scrolling(plain, "Refusals")))


def _share(score: Score | None) -> Html:
    if score is None or score.value is None:
        return tag("span", UNDEFINED if score is not None else "–", class_="soft")
    small = (
        ""
        if score.interval is None
        else f"{share(score.interval[0]).removesuffix(PER_CENT)} to {share(score.interval[1])}"
    )
    return join((share(score.value), tag("span", small, class_="small")))


def _paired(task: TaskView) -> Html:
    """The model under each condition against everything else."""
    titles = {each.name: each.title for each in task.systems}
    rows = []
    for pair in task.paired[:MOST_PAIRS]:
        a, b = (titles.get(str(pair.get(key)), str(pair.get(key))) for key in ("a", "b"))
        name = join((f"{a} − {b}", tag("span", _outcome(pair), class_="small")))
        gap = join((signed(pair.get("difference")), tag("span", between(pair.get("interval")), class_="small")))
        cells = [
            Cell(name, header=True),
            Cell(gap),
            Cell(chance(pair.get("p_holm"))),
            Cell(signed(pair.get("effect_dz"))),
        ]
        rows.append((cells, None))
    if not rows:
        return Html("")
    better = ENDS[task.higher_is_better]
    more = "" if len(task.paired) <= MOST_PAIRS else f" The first {MOST_PAIRS} of {len(task.paired)}; all in the JSON."
    caption = (
        f"The same rows, first minus second ({better}), 95 % interval over questions, p after Holm for "
        f"{counted(len(task.paired), 'comparison')}, effect size d_z.{more}"
    )
    return join((
        tag("h3", "Paired differences"),
        table(caption, ["", "difference", "p (Holm)", "effect d_z"], rows, class_="dense four"),
    ))  # fmt: skip


def _outcome(pair: Mapping[str, Any]) -> str:
    """What the interval says, and whether that survives the correction for many comparisons."""
    standing, p = standing_of(pair), finite(pair.get("p_holm"))
    if standing is None:
        return ""
    survives = standing == "level" or (p is not None and p < SURE)
    return OUTCOMES[standing] + ("" if survives else ", not after Holm")


def _calibration(task: TaskView) -> Html:
    """How often an answer is right that the model gives with a confidence."""
    figures = []
    for each in task.systems:
        bins = bins_of(each.detail.get("calibration"))
        if bins:
            said = f"Calibration of {each.title}: share right over confidence"
            total = counted(round(sum(one.held for one in bins)), "answer")
            caption = tag("figcaption", join((tag("b", each.title), f", {total}", _errors(each))))
            figures.append(tag("figure", join((calibration_chart(bins, said), caption, _bins(bins, each.title)))))
    if not figures:
        return Html("")
    hint = tag("p", "On the dashed line an answer given with a confidence of 0.8 is right in 80 of 100 cases; below it "
               "the model is surer than it should be. A larger dot holds more answers.", class_="soft")  # fmt: skip
    return join((tag("h3", "Calibration"), hint, tag("div", join(figures), class_="many")))


def _errors(system: Judged) -> Html:
    """Calibration errors, where the task has them: what is left without chance, and the number of the literature."""
    ours, usual = system.figures.get("calibration_error"), system.figures.get("ece")
    if ours is None or ours.value is None:
        return Html("")
    within = f" ({between(ours.interval)})" if ours.interval else ""
    beside = "" if usual is None or usual.value is None else f"; ECE, to which chance adds: {number(usual.value)}"
    return tag("span", f"error less what chance adds: {number(ours.value)}{within}{beside}", class_="small")


def bins_of(found: Any) -> list[Bin]:
    """Bins that hold an answer and all three numbers."""
    listed = found.get("bins") if isinstance(found, Mapping) else found
    bins = []
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, Mapping):
            confidence, right, held = (finite(each.get(key)) for key in ("confidence", "right", "rows"))
            if confidence is not None and right is not None and held is not None and held > 0:
                bins.append(Bin(confidence, right, held))
    return bins


def _bins(bins: Sequence[Bin], title: str) -> Html:
    rows = [
        ([Cell(number(each.confidence), header=True), Cell(number(each.right)), Cell(count(each.held))], None)
        for each in bins
    ]
    plain = table(f"Bins of {title}.", ["confidence", "share right", "answers"], rows, class_="dense")
    return opening("as a table", scrolling(plain, f"Bins of {title}"))


# -- the card ------------------------------------------------------------------------------------------------


def _card(task: TaskView) -> Html:
    card = task.declared.get("card") or {}
    said = [
        ("assumes", card.get("assumes")), ("labels by", card.get("labels_by")), ("language", card.get("language")),
        ("gaps", card.get("gaps")), ("data", task.declared.get("data")), ("licence", task.declared.get("licence")),
        ("citation", task.declared.get("citation")),
    ]  # fmt: skip
    pairs = [(name, str(content) if content else "not stated") for name, content in said]
    return tag("div", join((tag("h3", "Evaluation card"), definitions(pairs))), class_="card")
