"""Boxes of the report's page: what is too wide scrolls inside one, what is too long opens on request."""

from __future__ import annotations

from calm_lm.evaluation.pages.kit import Html, join, tag


def scrolling(content: str, name: str, width: float | None = None) -> Html:
    """A box that scrolls sideways instead of the page.

    Args:
        content: a table.
        name: what a screen reader calls the box.
        width: least width of the content in rem; without one only unbroken words ever make it scroll.
    """
    if width is None:
        return tag("div", content, class_="scroll", role="group", aria_label=name)
    inner = tag("div", content, style=f"min-width:{width:.1f}rem")
    return tag("div", inner, class_="scroll", tabindex="0", role="group", aria_label=f"{name}. Scrolls sideways.")


def opening(summary: str, *content: str) -> Html:
    """A part that is closed at first; print shows it."""
    return tag("details", join((tag("summary", summary), *content)))
