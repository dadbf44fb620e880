"""A page read as a parser and as a browser reads it: what it is made of, how wide it gets, what it looks like."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest

VOID = {"meta", "br", "img", "hr", "input", "link"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,900",
)  # fmt: skip
# A window has a least width, a frame has none. The frame's own page runs no script; the one around it opens what can
# be opened, and measures.
MEASURE = """<!doctype html><body style="margin:0">
<iframe id="f" width="{width}" height="{height}" style="border:0" srcdoc="{page}">
</iframe><pre id="out">not measured</pre><script>
document.getElementById("f").onload = event => {{
  const page = event.target.contentDocument, root = page.documentElement;
  for (const each of page.querySelectorAll("details")) each.open = true;
  let cut = 0;
  for (const each of page.querySelectorAll("td, th, p, li, dd, h1, h2, h3, caption, figcaption"))
    if (!each.closest(".scroll") && !each.closest(".hidden") && each.getBoundingClientRect().width > 1)
      cut += each.scrollWidth > each.clientWidth + 1 && !["inline"].includes(getComputedStyle(each).display);
  const sections = page.querySelectorAll("section").length;
  document.getElementById("out").textContent =
    `WIDTH=${{root.scrollWidth}} HEIGHT=${{root.scrollHeight}} CUT=${{cut}} SECTIONS=${{sections}}`;
}};
</script>"""


class Page(HTMLParser):
    """What a page is made of; fails when elements do not close in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def of(self, name: str) -> Iterator[dict[str, str | None]]:
        return (attributes for each, attributes in self.elements if each == name)


class Measured(NamedTuple):
    """Pixels of a page in a frame, elements whose text is cut, and sections."""

    width: int
    height: int
    cut: int
    sections: int


def browse(folder: Path, page: Path, *flags: str) -> str:
    """Chromium's own output on a page."""
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags, page.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout.decode()


def measure(folder: Path, page: str, width: int, height: int = 900) -> Measured:
    """A page as a frame of that size shows it, everything opened."""
    (folder / "frame.html").write_text(MEASURE.format(width=width, height=height, page=html.escape(page)))
    dom = browse(folder, folder / "frame.html", "--dump-dom", "--virtual-time-budget=5000")
    found = re.search(r"WIDTH=(\d+) HEIGHT=(\d+) CUT=(\d+) SECTIONS=(\d+)", dom)
    assert found is not None
    return Measured(*map(int, found.groups()))
