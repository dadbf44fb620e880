"""Inline SVG: intervals in a table's cells, and the readers in the plane."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from calm_lm.errors import CalmError
from calm_lm.evaluation.pages.kit import Html, tag
from calm_lm.evaluation.plane import Plane, Point

# Stand-ins that matplotlib draws with; they become the page's own colours, so that the picture follows light and dark.
INK, SOFT, LINE, ACCENT, WARN, CARD = "#010203", "#010204", "#010205", "#010206", "#010207", "#010208"
PAGE_COLOURS = {
    INK: "currentColor",
    SOFT: "var(--soft)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    WARN: "var(--warn)",
    CARD: "var(--card)",
}
DOT, FAR = 5.0, 14.0  # pixels: half a point's size, and how far a label may lie from it without a line
RADII = (7, 12, 18, 26, 36, 50, 70, 95)
QUARTERS = (0, 4, 2, 6, 1, 3, 5, 7)  # eighths of a turn: right and left before above and below before the corners
CANDIDATES = [
    (radius, round(math.cos(eighth * math.pi / 4), 3), round(math.sin(eighth * math.pi / 4), 3))
    for radius in RADII
    for eighth in QUARTERS
]


def interval_picture(
    low: float, middle: float, high: float, scale: tuple[float, float], mark: float | None = None
) -> Html:
    """A line from low to high with a stroke at the middle, on a scale; `mark` is a dashed line across."""
    start, end = scale

    def at(value: float) -> str:
        return f"{100 * (value - start) / max(end - start, 1e-9):.2f}"

    strokes = [
        _stroke(at(low), at(high), 6.5, 6.5, "stroke:var(--soft);stroke-width:2"),
        _stroke(at(middle), at(middle), 1.5, 11.5, "stroke:currentColor;stroke-width:3"),
    ]
    if mark is not None:
        strokes.insert(
            0, _stroke(at(mark), at(mark), 0, 13, "stroke:var(--warn);stroke-width:1.5;stroke-dasharray:2 2")
        )
    return tag("svg", Html("".join(strokes)), viewBox="0 0 100 13", preserveAspectRatio="none", class_="spark",
               aria_hidden="true", focusable="false")  # fmt: skip


def _stroke(x1: str, x2: str, y1: float, y2: float, style: str) -> str:
    return tag("line", x1=x1, x2=x2, y1=str(y1), y2=str(y2), style=style, vector_effect="non-scaling-stroke")


def require_matplotlib() -> None:
    """Fail before the work rather than after it.

    Raises:
        CalmError: E20 when matplotlib is not installed.
    """
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise CalmError("E20", "the picture of the plane needs matplotlib.", fix='pip install "calm-lm[viz]".')


class Box(NamedTuple):
    """A rectangle in pixels."""

    x0: float
    y0: float
    x1: float
    y1: float

    def overlaps(self, other: Box, gap: float = 1.5) -> bool:
        """Whether two boxes touch or come closer than the gap."""
        apart_x = self.x1 + gap <= other.x0 or other.x1 + gap <= self.x0
        apart_y = self.y1 + gap <= other.y0 or other.y1 + gap <= self.y0
        return not (apart_x or apart_y)


def plane_picture(plane: Plane, names: Sequence[str], description: str) -> Html:
    """The points of a plane with their names, as SVG text that is the same for the same numbers.

    Args:
        plane: the points.
        names: what to write beside each, in their order.
        description: what a reader who cannot see it should know.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "calm", "svg.fonttype": "path", "font.family": "DejaVu Sans", "font.size": 12}):
        figure = Figure(figsize=(5.4, 4.6), dpi=72, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        figure.patch.set_alpha(0)
        axes.patch.set_alpha(0)
        _draw_frame(axes, plane)
        for point in plane.points:
            marker, colour = ("D", WARN) if point.blend else ("o", ACCENT)
            axes.plot(point.x, point.y, marker, color=colour, markersize=8, markeredgewidth=0)
        axes.margins(0.18)
        _place_names(figure, axes, plane.points, names)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(stream.getvalue(), description)


def _draw_frame(axes: Any, plane: Plane) -> None:
    axes.axhline(0, color=LINE, linewidth=1, zorder=0)
    axes.axvline(0, color=LINE, linewidth=1, zorder=0)
    for side in axes.spines.values():
        side.set_color(LINE)
    axes.tick_params(colors=SOFT, labelsize=10, length=0)
    first, second = plane.explained
    axes.set_xlabel(f"first axis, {first:.0%} of the spread", color=SOFT, fontsize=11)
    axes.set_ylabel(f"second axis, {second:.0%} of the spread", color=SOFT, fontsize=11)


def _place_names(figure: Any, axes: Any, points: Sequence[Point], names: Sequence[str]) -> None:
    """Write the names where `arrange_labels` says; a name that had to go far gets a line to its point."""
    figure.canvas.draw()
    figure.set_layout_engine("none")
    renderer = figure._get_renderer()
    frame = Box(*axes.get_window_extent(renderer).extents)
    spots = [tuple(axes.transData.transform((point.x, point.y))) for point in points]
    labels = [
        axes.annotate(name, (point.x, point.y), xytext=(0, 0), textcoords="offset points", color=INK, va="bottom")
        for name, point in zip(names, points, strict=True)
    ]
    extents = [label.get_window_extent(renderer) for label in labels]
    boxes = arrange_labels(spots, [(extent.width, extent.height) for extent in extents], frame)
    for (x, y), point, label, box in zip(spots, points, labels, boxes, strict=True):
        label.set_position((box.x0 - x, box.y0 - y))
        label.set_bbox({"facecolor": CARD, "edgecolor": "none", "pad": 1})
        if not box.overlaps(Box(x, y, x, y), FAR):
            middle = axes.transData.inverted().transform(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2))
            axes.plot((point.x, middle[0]), (point.y, middle[1]), color=SOFT, linewidth=0.8, zorder=1)


def arrange_labels(spots: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]], frame: Box) -> list[Box]:
    """A box for each label: the first place around its point, near before far, that nothing else covers.

    Args:
        spots: the points, in pixels.
        sizes: width and height of each label.
        frame: where labels must stay.

    Returns:
        Boxes that cover neither a point nor each other; where there is no such place, the nearest one to the right.
    """
    taken = [Box(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in spots]
    placed: list[Box] = []
    for (x, y), (width, height) in zip(spots, sizes, strict=True):
        boxes = [_around(x, y, width, height, *where) for where in CANDIDATES]
        free = (box for box in boxes if _inside(box, frame) and not any(box.overlaps(other) for other in taken))
        placed.append(next(free, boxes[0]))
        taken.append(placed[-1])
    return placed


def _around(x: float, y: float, width: float, height: float, radius: float, right: float, up: float) -> Box:
    """A box of this size beside a point: `right` and `up` from -1 to 1 say on which side."""
    left = x + radius * right + (width * (right - 1) / 2)
    bottom = y + radius * up + (height * (up - 1) / 2)
    return Box(left, bottom, left + width, bottom + height)


def _inside(box: Box, frame: Box) -> bool:
    return box.x0 >= frame.x0 and box.x1 <= frame.x1 and box.y0 >= frame.y0 and box.y1 <= frame.y1


def _inline(svg: str, description: str) -> Html:
    """The svg element alone, in the page's colours, with a description instead of metadata."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = svg.replace("<svg ", '<svg role="img" aria-labelledby="plane-said" ', 1)
    svg = svg.replace(">", f">{tag('title', description, id='plane-said')}", 1)
    for drawn, shown in PAGE_COLOURS.items():
        svg = svg.replace(drawn, shown)
    return Html(svg)
