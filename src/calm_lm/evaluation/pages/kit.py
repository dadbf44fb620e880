"""The parts that every page is made of. All text is escaped here; what a part returns is safe to place in another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from typing import NamedTuple

from calm_lm import __version__

KINDS = 6  # label colours in the style sheet; further labels start over
DISCLAIMER = (
    "Made with calm-lm, an independent and unofficial reimplementation of CALM (Culturally Self-Aware Language "
    "Models) from public descriptions. Not affiliated with the paper's authors."
)


class Html(str):
    """Markup that is finished; any other string is text and gets escaped."""

    __slots__ = ()


def safe(content: str) -> Html:
    """Text escaped, finished markup as it is."""
    return content if isinstance(content, Html) else Html(escape(content))


def join(parts: Iterable[str], between: str = "") -> Html:
    """Parts one after the other."""
    return Html(safe(between).join(safe(part) for part in parts))


def tag(name: str, content: str = "", **attributes: str | None) -> Html:
    """An element; `class_` becomes `class`, an underscore becomes a hyphen, None leaves the attribute out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{safe(content)}</{name}>")


def paragraphs(*texts: str, class_: str | None = None) -> Html:
    """One paragraph each."""
    return join(tag("p", text, class_=class_) for text in texts)


def bullets(items: Iterable[str]) -> Html:
    """An unordered list."""
    return tag("ul", join(tag("li", item) for item in items))


def note(*texts: str) -> Html:
    """A boxed remark that must not be overlooked."""
    return tag("div", paragraphs(*texts), class_="note", role="note")


def verdict(lead: str, details: Iterable[str]) -> Html:
    """What a part of the page comes to: one sentence, and what it rests on."""
    return tag("div", join((tag("p", tag("strong", lead)), bullets(details))), class_="verdict")


def words(label: str) -> str:
    """A label as a reader says it."""
    return label.replace("_", " ")


def chip(label: str, labels: Sequence[str]) -> Html:
    """A label with the colour of its place among all labels; the word carries the meaning."""
    return tag("span", words(label), class_=f"chip k{labels.index(label) % KINDS}")


def bar(share: float, *, strong: bool = True) -> Html:
    """A share from 0 to 1 as a bar; the number stands beside it in words."""
    width = f"width:{100 * min(max(share, 0.0), 1.0):.1f}%"
    return tag("span", tag("i", style=width), class_="bar" if strong else "bar rest", aria_hidden="true")


class Cell(NamedTuple):
    """One cell of a table; `header` makes it the row's name."""

    content: str
    class_: str | None = None
    header: bool = False


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[tuple[Sequence[Cell], str | None]],
    *,
    class_: str | None = None,
) -> Html:
    """A table with scoped headers; a row is its cells and a class or None."""
    head = tag("thead", tag("tr", join(tag("th", column, scope="col") for column in columns)))
    body = tag("tbody", join(tag("tr", join(_cell(cell) for cell in cells), class_=kind) for cells, kind in rows))
    return tag("table", join((tag("caption", caption), head, body)), class_=class_)


def by_reader(caption: str, corner: str, readers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Html:
    """A table with one column a reader, all equally wide; with many readers it scrolls inside the page."""
    plain = table(caption, [corner, *readers], ((cells, None) for cells in rows), class_="dense equal")
    width = f"min-width:{6 + 6 * len(readers)}rem" if len(readers) > 3 else None
    name = f"{caption} Scrolls sideways." if width else None
    inner = tag("div", plain, style=width)
    return tag("div", inner, class_="scroll", tabindex="0" if width else None, role="group" if width else None,
               aria_label=name)  # fmt: skip


def _cell(cell: Cell) -> Html:
    if cell.header:
        return tag("th", cell.content, scope="row", class_=cell.class_)
    return tag("td", cell.content, class_=cell.class_)


def definitions(pairs: Iterable[tuple[str, str]]) -> Html:
    """Names and what they stand for."""
    return tag("dl", join(join((tag("dt", name), tag("dd", said))) for name, said in pairs), class_="steps")


def section(anchor: str, title: str, *parts: str) -> Html:
    """One part of the page with its heading."""
    heading = tag("h2", title, id=f"{anchor}-title")
    return tag("section", join((heading, *parts)), id=anchor, aria_labelledby=f"{anchor}-title")


def page(
    title: str,
    *,
    kicker: str,
    heading: str,
    lede: str,
    notices: Sequence[str],
    sections: Mapping[str, tuple[str, Html]],
) -> str:
    """A whole document.

    Args:
        title: of the browser's window.
        kicker: small line over the heading.
        heading: the one h1.
        lede: what it is, in a sentence or two.
        notices: what a reader must know first: what the data is, what the scores are not for.
        sections: anchor to name in the contents and the section itself.
    """
    contents = join(tag("li", tag("a", name, href=f"#{anchor}")) for anchor, (name, _) in sections.items())
    top = join((
        tag("p", kicker, class_="kicker"), tag("h1", heading), tag("p", lede, class_="lede"),
        tag("nav", tag("ol", contents), aria_label="Contents"),
    ))  # fmt: skip
    body = join((
        tag("header", tag("div", top), class_="top"),
        tag("main", join((note(*notices), *(part for _, part in sections.values())))),
        tag("footer", join((tag("p", DISCLAIMER), tag("p", f"calm-lm {__version__}")))),
    ))  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"{tag('title', title)}\n<style>\n{_style()}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


@cache
def _style() -> str:
    return (resources.files("calm_lm.evaluation.pages") / "style.css").read_text("utf-8")
