"""Charts as inline SVG without a script, for any width: positions are percentages, sizes and text are pixels.

Every chart stands beside its numbers, so the pictures are hidden from screen readers. Systems differ by shape as well
as by colour; colours are the style sheet's, so charts follow light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from calm_lm.evaluation.pages.kit import Html, join, tag

Shape = Literal["circle", "square", "triangle", "cross", "bar", "star", "diamond"]
OF_BASELINES: tuple[Shape, ...] = ("square", "triangle", "cross", "bar", "star")
MARGIN = 3.0  # per cent of the width on both sides, so that no mark is cut
HEIGHT = 22
OUTLINES = {
    "square": "M-4.5-4.5h9v9h-9z",
    "triangle": "M0-5.5L5.5 4.5h-11z",
    "cross": "M-4.5-4.5L4.5 4.5M4.5-4.5L-4.5 4.5",
    "bar": "M0-7V7",
    "star": "M0-6V6M-5.5-3L5.5 3M5.5-3L-5.5 3",
    "diamond": "M0-6.5L6.5 0L0 6.5L-6.5 0z",
}


class Scale(NamedTuple):
    """A linear scale and its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Per cent of the width."""
        part = (value - self.low) / (self.high - self.low)
        return MARGIN + (100 - 2 * MARGIN) * min(max(part, 0.0), 1.0)


class Mark(NamedTuple):
    """A value with its interval, drawn in one shape; `kind` is a class of the style sheet."""

    value: float
    interval: tuple[float, float] | None
    shape: Shape
    kind: str


def scale_over(values: Iterable[float], *, zero: bool = False, most: int = 4) -> Scale:
    """A scale over the values with at most `most` round ticks beyond the first; `zero` takes 0 in."""
    found = [*values, *([0.0] if zero else [])] or [0.0, 1.0]
    low, high = min(found), max(found)
    if high - low < 1e-9 * max(1.0, abs(low), abs(high)):
        low, high = low - 0.5 * max(abs(low), 1e-3), high + 0.5 * max(abs(high), 1e-3)
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1.0, 2.0, 2.5, 5.0, 10.0) if each * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Scale(first * step, last * step, tuple(round(each * step, 12) for each in range(first, last + 1)))


def strip(marks: Sequence[Mark], scale: Scale, *, bar_to: float | None = None) -> Html:
    """One line of a chart: intervals below, shapes above, and a bar from zero where one is asked for."""
    parts = [_grid(scale)]
    if bar_to is not None:
        ends_ = sorted((scale.at(0.0), scale.at(bar_to)))
        parts.append(
            tag("rect", x=_percent(ends_[0]), y="5", width=_percent(ends_[1] - ends_[0]), height="12", rx="2",
                class_="c-bar")
        )  # fmt: skip
    parts += [_whisker(mark, scale) for mark in marks if mark.interval is not None]
    parts += [_placed(mark, scale) for mark in marks]
    return tag("svg", join(parts), class_="strip", height=str(HEIGHT), aria_hidden="true", focusable="false")


def axis(scale: Scale) -> Html:
    """The scale's numbers, to stand under strips of the same width."""
    digits = max((len(f"{each:.6g}".partition(".")[2]) for each in scale.ticks), default=0)
    every = 1 if len(scale.ticks) <= 4 else 2
    texts = [
        tag("text", f"{tick:.{min(digits, 4)}f}".replace("-", "−"), x=_percent(scale.at(tick)), y="13",
            text_anchor="middle")
        for tick in scale.ticks[::every]
    ]  # fmt: skip
    return tag("svg", join(texts), class_="strip axis", height="18", aria_hidden="true", focusable="false")


def legend(entries: Iterable[tuple[Shape, str, str]]) -> Html:
    """Which shape is whom: shape, class, name."""
    items = [
        tag("li", join((tag("svg", _drawn(shape, kind, "8", "8"), class_="key", width="16", height="16",
                            aria_hidden="true", focusable="false"), name)))
        for shape, kind, name in entries
    ]  # fmt: skip
    return tag("ul", join(items), class_="legend")


def _grid(scale: Scale) -> Html:
    return join(
        tag("line", x1=_percent(scale.at(tick)), x2=_percent(scale.at(tick)), y1="0", y2=str(HEIGHT), class_="c-grid")
        for tick in scale.ticks
    )


def _whisker(mark: Mark, scale: Scale) -> Html:
    low, high = mark.interval or (mark.value, mark.value)
    middle = str(HEIGHT / 2)
    return tag("line", x1=_percent(scale.at(low)), x2=_percent(scale.at(high)), y1=middle, y2=middle,
               class_=f"c-whisker {mark.kind}")  # fmt: skip


def _placed(mark: Mark, scale: Scale) -> Html:
    return _drawn(mark.shape, mark.kind, _percent(scale.at(mark.value)), str(HEIGHT / 2))


def _drawn(shape: Shape, kind: str, x: str, y: str) -> Html:
    """A shape around a point; the inner svg carries it to a place given in per cent without stretching it."""
    if shape == "circle":
        return tag("circle", cx=x, cy=y, r="5", class_=f"c-mark {kind}")
    outline = tag(
        "path",
        d=OUTLINES[shape],
        class_=f"c-mark {kind} {'c-open' if shape in ('cross', 'bar', 'star') else ''}".strip(),
    )
    return tag("svg", outline, x=x, y=y, overflow="visible")


def _percent(value: float) -> str:
    return f"{value:.2f}%"


class Bin(NamedTuple):
    """Answers of about the same confidence: how sure, how often right, how many."""

    confidence: float
    right: float
    held: float


def calibration_chart(bins: Sequence[Bin], said: str) -> Html:
    """Share right over confidence; the dashed line is where both agree, a larger dot holds more answers."""
    side, edge = 260.0, 42.0  # the edge holds the ticks and, beside them, the name of the axis
    most = max(each.held for each in bins) or 1.0

    def x(value: float) -> str:
        return f"{edge + (side - edge - 8) * min(max(value, 0.0), 1.0):.1f}"

    def y(value: float) -> str:
        return f"{side - edge - (side - edge - 8) * min(max(value, 0.0), 1.0):.1f}"

    ordered = sorted(bins)
    parts = [tag("title", said)]
    for tick in (0.0, 0.5, 1.0):
        parts += [
            tag("line", x1=x(tick), x2=x(tick), y1=y(0), y2=y(1), class_="c-grid"),
            tag("line", x1=x(0), x2=x(1), y1=y(tick), y2=y(tick), class_="c-grid"),
            tag("text", f"{tick:g}", x=x(tick), y=f"{side - edge + 15:.1f}", text_anchor="middle", class_="c-small"),
            tag("text", f"{tick:g}", x=f"{edge - 6:.1f}", y=f"{float(y(tick)) + 4:.1f}", text_anchor="end",
                class_="c-small"),
        ]  # fmt: skip
    parts += [
        tag("line", x1=x(0), x2=x(1), y1=y(0), y2=y(1), class_="c-agree"),
        tag("polyline", points=" ".join(f"{x(each.confidence)},{y(each.right)}" for each in ordered), class_="c-line"),
        *(
            tag("circle", cx=x(each.confidence), cy=y(each.right), r=f"{2.5 + 6 * math.sqrt(each.held / most):.1f}",
                class_="c-mark s-model")
            for each in ordered
        ),
        tag("text", "confidence", x=x(0.5), y=f"{side - 3:.1f}", text_anchor="middle", class_="c-small"),
        tag("text", "share right", x="10", y=y(0.5), text_anchor="middle", class_="c-small",
            transform=f"rotate(-90 10 {y(0.5)})"),
    ]  # fmt: skip
    return tag("svg", join(parts), viewBox=f"0 0 {side:.0f} {side:.0f}", role="img", class_="calibration")
