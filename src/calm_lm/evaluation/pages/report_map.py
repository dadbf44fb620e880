"""The cultural map: people's and the model's points joined by lines, drawn once for a desk and once for a phone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from calm_lm.evaluation.pages.charts import Scale, scale_over
from calm_lm.evaluation.pages.kit import Cell, Html, join, table, tag
from calm_lm.evaluation.pages.pictures import CANDIDATES, Box
from calm_lm.evaluation.pages.report_boxes import opening, scrolling
from calm_lm.evaluation.pages.report_text import culture_and_id, culture_name, finite, number
from calm_lm.evaluation.pages.report_views import TaskView
from calm_lm.evaluation.table import EVERYONE

NEAR = [each for each in CANDIDATES if each[0] <= 18]
CHARACTER, LINE_HEIGHT, REACH = 7.2, 12.0, 5.0
CROWD = 60  # from so many places on marks are smaller
Point = tuple[float, float]


class _Plane(NamedTuple):
    """What all pictures share, so that they can be compared: names and scales of the axes."""

    axes: tuple[str, str]
    across: Scale
    up: Scale


class _Size(NamedTuple):
    """One drawing: width and height in pixels, how many names it may carry, and where it is shown."""

    width: float
    height: float
    names: int
    class_: str


SIZES = (_Size(560.0, 430.0, 40, "wide"), _Size(330.0, 330.0, 20, "narrow"))


def cultural_map(task: TaskView) -> Html:
    """Pictures, one a condition, and all points as a table; nothing where the task has no map."""
    found = task.detail.get("map")
    if not isinstance(found, Mapping):
        return Html("")
    people = _points(found.get("people"), task)
    model = {
        str(name): _points(points, task)
        for name, points in (found.get("model") or {}).items()
        if not task.offensive or name in {each.name for each in task.model}
    }
    axes = _axes(found.get("axes"), task)
    model = {name: _of_all(points, people) for name, points in model.items()}
    joined = {name: sorted(set(points) & set(people)) for name, points in model.items()}
    model = {name: points for name, points in model.items() if joined[name]}
    if not model:
        return Html("")
    titles = {each.name: each.title for each in task.model}
    shown = [(people[each], model[name][each]) for name in model for each in joined[name]]
    across, up = (scale_over([point[axis] for pair in shown for point in pair], most=6) for axis in (0, 1))
    plane = _Plane(axes, across, up)
    figures = [_figure(titles.get(name, name), plane, people, model[name], joined[name]) for name in model]
    listed = _table(axes, people, model, titles)
    hint = tag("p", "◇ people, ● the model asked about the same place; a line joins the two, but where the "
               "model was asked about no place there is one ●. Names go to the longest "
               "lines first; all places stand in the table.", class_="soft")  # fmt: skip
    return join((tag("h3", "Cultural map"), hint, tag("div", join(figures), class_="split"), listed))


def _of_all(points: dict[str, Point], people: Mapping[str, Point]) -> dict[str, Point]:
    """The one point of a condition that names no place stands for every place."""
    return dict.fromkeys(people, points[EVERYONE]) if EVERYONE in points else points


def _points(found: Any, task: TaskView) -> dict[str, Point]:
    """Points by culture; of an offensive task only those of the cultures that it declares."""
    points: dict[str, Point] = {}
    for culture, at in found.items() if isinstance(found, Mapping) else ():
        if isinstance(at, Sequence) and len(at) == 2 and (not task.offensive or culture in (*task.cultures, EVERYONE)):
            x, y = finite(at[0]), finite(at[1])
            if x is not None and y is not None:
                points[str(culture)] = (x, y)
    return points


def _axes(found: Any, task: TaskView) -> tuple[str, str]:
    if task.offensive or not isinstance(found, Sequence) or len(found) != 2:
        return "first axis", "second axis"
    return str(found[0]), str(found[1])


def _figure(
    title: str, plane: _Plane, people: Mapping[str, Point], model: Mapping[str, Point], joined: Sequence[str]
) -> Html:
    mean = sum(math.dist(people[each], model[each]) for each in joined) / max(len(joined), 1)
    said = f"{title}: people and model in the plane of {plane.axes[0]} and {plane.axes[1]}, {len(joined)} places"
    drawings = join(_drawing(size, plane, people, model, joined, said) for size in SIZES)
    caption = tag("figcaption", join((tag("b", title), f": {number(mean)} from people on average")))
    return tag("figure", join((drawings, caption)), class_="map")


def _drawing(
    size: _Size, plane: _Plane, people: Mapping[str, Point], model: Mapping[str, Point],
    joined: Sequence[str], said: str,
) -> Html:  # fmt: skip
    axes, across, up = plane
    left, bottom, margin = 46.0, 36.0, 10.0

    def at(point: Point) -> Point:
        x = left + (size.width - left - margin) * (point[0] - across.low) / (across.high - across.low)
        y = size.height - bottom - (size.height - bottom - margin) * (point[1] - up.low) / (up.high - up.low)
        return x, y

    frame = Box(left, margin, size.width - margin, size.height - bottom)
    parts = [tag("title", said)]
    for tick in across.ticks:
        x = at((tick, up.low))[0]
        parts += [
            _line((x, frame.y0), (x, frame.y1), "c-grid"),
            _text(f"{tick:g}".replace("-", "−"), x, frame.y1 + 14, "middle"),
        ]
    for tick in up.ticks:
        y = at((across.low, tick))[1]
        parts += [
            _line((frame.x0, y), (frame.x1, y), "c-grid"),
            _text(f"{tick:g}".replace("-", "−"), left - 6, y + 4, "end"),
        ]
    parts += [
        _text(_cut(axes[0], frame.x1 - frame.x0), (frame.x0 + frame.x1) / 2, size.height - 4, "middle"),
        tag("text", _cut(axes[1], frame.y1 - frame.y0), x="12", y=f"{size.height / 2:.1f}", text_anchor="middle",
            class_="c-small", transform=f"rotate(-90 12 {size.height / 2:.1f})"),
    ]  # fmt: skip
    spots = {each: (at(people[each]), at(model[each])) for each in joined}
    crowd, alone = len(joined) > CROWD, len(joined) > 1 and len({model[each] for each in joined}) == 1
    half, radius = (3.2, "2.6") if crowd else (5.5, "4")
    if alone:  # asked about no place
        radius = "7"
    else:
        parts += [_line(*spots[each], "c-join c-thin" if crowd else "c-join") for each in joined]
    parts += [
        tag("path", d=f"M{a[0]:.1f} {a[1] - half:.1f}l{half} {half}l-{half} {half}l-{half}-{half}z",
            class_="c-mark s-people c-thin" if crowd else "c-mark s-people")
        for a, _ in spots.values()
    ]  # fmt: skip
    parts += [
        tag("circle", cx=_p(x), cy=_p(y), r=radius, class_="c-mark s-model")
        for x, y in dict.fromkeys(b for _, b in spots.values())
    ]
    parts += [
        tag("text", each, x=_p((box.x0 + box.x1) / 2), y=_p(box.y1 - 2), text_anchor="middle", class_="c-name")
        for each, box in _named(spots, frame, size.names).items()
    ]
    return tag("svg", join(parts), viewBox=f"0 0 {size.width:.0f} {size.height:.0f}", role="img", class_=size.class_)


def _named(spots: Mapping[str, tuple[Point, Point]], frame: Box, most: int) -> dict[str, Box]:
    """A free place beside people's point for as many names as fit, the longest lines first."""
    taken = [_around_point(point) for pair in spots.values() for point in pair]
    placed: dict[str, Box] = {}
    for each in sorted(spots, key=lambda name: -math.dist(*spots[name])):
        width = CHARACTER * min(len(each), 16)
        if len(placed) == most or len(each) > 16:
            continue
        for radius, right, down in NEAR:
            x, y = spots[each][0]
            x0 = x + (radius + 3) * right + width * (right - 1) / 2
            y0 = y + (radius + 3) * down + LINE_HEIGHT * (down - 1) / 2
            box = Box(x0, y0, x0 + width, y0 + LINE_HEIGHT)
            inside = box.x0 >= frame.x0 and box.x1 <= frame.x1 and box.y0 >= frame.y0 and box.y1 <= frame.y1
            if inside and not any(box.overlaps(other, 1.0) for other in taken):
                placed[each] = box
                taken.append(box)
                break
    return placed


def _around_point(point: Point) -> Box:
    return Box(point[0] - REACH, point[1] - REACH, point[0] + REACH, point[1] + REACH)


def _table(
    axes: tuple[str, str], people: Mapping[str, Point], model: Mapping[str, Mapping[str, Point]],
    titles: Mapping[str, str],
) -> Html:  # fmt: skip
    rows = []
    for each in sorted({*people, *(name for points in model.values() for name in points)}, key=culture_name):
        cells = [Cell(culture_and_id(each), header=True), Cell(_pair(people.get(each)))]
        cells += [Cell(_pair(points.get(each))) for points in model.values()]
        rows.append((cells, None))
    columns = ["place", "people", *(titles.get(name, name) for name in model)]
    plain = table(f"{axes[0]} and {axes[1]} of every place.", columns, rows, class_="dense")
    return opening(f"All {len(rows)} places of the map", scrolling(plain, "Points of the map", 6 + 7.0 * len(columns)))


def _pair(point: Point | None) -> str:
    return "–" if point is None else f"{number(point[0])}, {number(point[1])}"


def _cut(name: str, room: float) -> str:
    fits = max(int(room / 6.5), 4)
    return name if len(name) <= fits else f"{name[: fits - 1]}…"


def _line(start: Point, end: Point, kind: str) -> Html:
    return tag("line", x1=_p(start[0]), y1=_p(start[1]), x2=_p(end[0]), y2=_p(end[1]), class_=kind)


def _text(said: str, x: float, y: float, anchor: str) -> Html:
    return tag("text", said, x=_p(x), y=_p(y), text_anchor=anchor, class_="c-small")


def _p(value: float) -> str:
    return f"{value:.1f}"
