"""Charts of a task's headline: all systems with their intervals, and the model place by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calm_lm.evaluation.pages.charts import OF_BASELINES, Mark, Scale, Shape, axis, legend, scale_over, strip
from calm_lm.evaluation.pages.kit import Cell, Html, join, table, tag
from calm_lm.evaluation.pages.report_boxes import opening, scrolling
from calm_lm.evaluation.pages.report_joint import ROLE_WORDS
from calm_lm.evaluation.pages.report_text import between, counted, culture_and_id, culture_name, number
from calm_lm.evaluation.pages.report_views import Judged, Score, TaskView
from calm_lm.evaluation.table import EVERYONE

MOST_BARS = 24  # with more places the chart shows the worst and the best, the table all
AT_ENDS = 10
ENDS = {True: "higher is better", False: "lower is better", None: "neither end is good"}


def shapes_of(task: TaskView) -> dict[str, tuple[Shape, str]]:
    """Shape and class by system, the same in all charts of a task."""
    found: dict[str, tuple[Shape, str]] = {}
    baselines = 0
    for each in task.systems:
        if each.role == "model":
            found[each.name] = ("circle", "s-model")
        elif each.role == "people":
            found[each.name] = ("diamond", "s-people")
        else:
            found[each.name] = (OF_BASELINES[baselines % len(OF_BASELINES)], "s-baseline")
            baselines += 1
    return found


def _headline(task: TaskView) -> Score | None:
    return next((each.headline for each in task.systems if each.headline is not None), None)


def systems_chart(task: TaskView, shapes: Mapping[str, tuple[Shape, str]]) -> Html:
    """Dots and intervals of all systems on the headline, the best on top."""
    headline = _headline(task)
    if headline is None:
        return tag("p", "No system has this task's headline score.")
    known = [each for each in task.systems if each.headline is not None]
    scale = _scale([each.headline for each in known if each.headline is not None])
    sign = -1.0 if headline.higher_is_better else 1.0

    def place(each: Judged) -> tuple[bool, float]:
        value = None if each.headline is None else each.headline.value
        return value is None, 0.0 if value is None else sign * value

    rows = []
    for each in sorted(known, key=place):
        score = each.headline
        assert score is not None
        name = join((each.title, tag("span", ROLE_WORDS.get(each.role, each.role), class_="small")))
        marks = [] if score.value is None else [Mark(score.value, score.interval, *shapes[each.name])]
        value = join((
            tag("span", number(score.value), class_="value" if score.value is not None else "soft"),
            tag("span", between(score.interval), class_="small"),
        ))  # fmt: skip
        worst = "–"
        if score.worst_culture not in (None, EVERYONE):
            worst = join((number(score.worst), tag("span", culture_and_id(str(score.worst_culture)), class_="small")))
        cells = [Cell(name, header=True), Cell(strip(marks, scale), "plot"), Cell(value), Cell(worst)]
        rows.append((cells, f"r-{each.role}"))
    rows.append(([Cell("", header=True), Cell(axis(scale), "plot"), Cell(""), Cell("")], "axis"))
    title = f"{headline.title}: {ENDS[headline.higher_is_better]}"
    caption = "Mean over places with its 95 % interval over questions, the best on top."
    return join((tag("h3", title), table(caption, ["", "", "mean", "worst place"], rows, class_="dense chart four")))


def _scale(scores: Sequence[Score], *, zero: bool = False) -> Scale:
    values = [score.value for score in scores if score.value is not None]
    values += [end for score in scores if score.value is not None for end in score.interval or ()]
    return scale_over(values, zero=zero)


# -- place by place ----------------------------------------------------------------------------------------


def places_chart(task: TaskView, shapes: Mapping[str, tuple[Shape, str]]) -> Html:
    """The best condition as bars and the others as shapes, the worst place on top; all numbers in a table."""
    best = task.best("model")
    if best is None or best.headline is None or len(task.cultures) < 2:
        return Html("")
    score = best.headline
    known = {name: value for name, (value, _) in score.by_culture.items() if value is not None}
    order = sorted(known, key=lambda name: known[name] if score.higher_is_better else -known[name])
    if not order:
        return tag("p", "No place has a score of its own.")
    shown = order if len(order) <= MOST_BARS else order[:AT_ENDS] + order[-AT_ENDS:]
    others = [each for each in task.others if each.headline is not None]
    scale = scale_over(
        [value for each in (best, *others) for name in shown if (value := _at(each, name)) is not None]
        + [end for name in shown for end in score.by_culture[name][1] or ()],
        zero=True,
    )  # fmt: skip
    rows: list[tuple[list[Cell], str | None]] = []
    for number_, name in enumerate(shown):
        if number_ == AT_ENDS and len(shown) < len(order):
            gap = Cell(f"… {len(order) - len(shown)} more in the table", header=True)
            rows.append(([gap, Cell(""), Cell("")], "more"))
        marks = [Mark(value, None, *shapes[each.name]) for each in others if (value := _at(each, name)) is not None]
        mine = Mark(known[name], score.by_culture[name][1], *shapes[best.name])
        said = [number(known[name])]
        if name == score.worst_culture and score.higher_is_better is not None:
            said.append(tag("span", "worst", class_="tag-worst"))
        cells = [Cell(_place(name), header=True),
                 Cell(strip([*marks, mine], scale, bar_to=known[name]), "plot"), Cell(join(said, " "))]  # fmt: skip
        rows.append((cells, None))
    rows.append(([Cell("", header=True), Cell(axis(scale), "plot"), Cell("")], "axis"))
    caption = f"{score.title} by place ({ENDS[score.higher_is_better]}): the model as {best.title}, the worst on top."
    keys = legend((*shapes[each.name], each.title) for each in (best, *others))
    many = "" if len(shown) == len(order) else f", {AT_ENDS} worst and {AT_ENDS} best"
    return join((
        tag("h3", f"Place by place{many}"), keys,
        table(caption, ["", "", "the model"], rows, class_="dense chart three"), _all_places(task),
    ))  # fmt: skip


def _at(system: Judged, culture: str) -> float | None:
    return None if system.headline is None else system.headline.by_culture.get(culture, (None, None))[0]


def _place(name: str) -> Html:
    known, place = culture_name(name), name.partition(", ")[0]  # a group's name says all but the id of its place
    return join((known, tag("span", place, class_="aside") if known != name else ""))


def _all_places(task: TaskView) -> Html:
    """Every place and every system."""
    systems = [each for each in task.systems if each.headline is not None]
    rows = []
    for culture in sorted(task.cultures, key=culture_name):
        cells = [Cell(_place(culture), header=True)]
        for each in systems:
            value, interval = (
                (None, None) if each.headline is None else each.headline.by_culture.get(culture, (None, None))
            )
            cells.append(Cell(join((number(value), tag("span", between(interval), class_="small")))))
        rows.append((cells, None))
    plain = table("The headline by place and system.", ["place", *(each.title for each in systems)], rows,
                  class_="dense")  # fmt: skip
    box = scrolling(plain, "All places", 9 + 5.6 * len(systems))
    return opening(f"All {counted(len(rows), 'place')} as a table", box)
