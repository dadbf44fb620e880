r"""The picture of the README: the first two charts of a task's section in a report, as Chromium shows them.

python experiments/report_picture.py REPORT docs/pictures/report.png \
    --task "MENAValues: values and opinions in 16 countries"
"""

from __future__ import annotations

import argparse
import html
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")
CHARTS = 2


def main() -> None:
    """Cut the page, take the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="folder of `calm evaluate --suite`")
    parser.add_argument("picture", type=Path, help="PNG to write")
    parser.add_argument("--task", required=True, help="title of the task")
    parser.add_argument("--size", default="1100,1335", help="width and height in pixels")
    given = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("report_picture: needs chromium on the path")
    page = cut((given.report / "report.html").read_text("utf-8"), given.task)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        source.write_text(page, "utf-8")
        shot = f"--screenshot={given.picture.resolve()}"
        command = [chromium, *FLAGS, f"--user-data-dir={folder}/profile", f"--window-size={given.size}", shot]
        subprocess.run([*command, source.as_uri()], check=True, capture_output=True, timeout=120)  # noqa: S603


def cut(report: str, task: str) -> str:
    """The head of the page and the beginning of the task's section, up to the chart after the last that is wanted."""
    head, _, body = report.partition("<body>")
    sections = re.findall(r"<section\b.*?</section>", body, re.DOTALL)
    mine = [section for section in sections if f">{html.escape(task)}</h2>" in section]
    if len(mine) != 1:
        sys.exit(f"report_picture: {len(mine)} sections are titled {task!r}")
    charts = [found.start() for found in re.finditer(r"<h3\b", mine[0])]
    end = charts[CHARTS] if len(charts) > CHARTS else len(mine[0])
    return f"{head}<style>section {{ border: 0; margin: 0; padding: 0; }}</style><body><main>{mine[0][:end]}"


if __name__ == "__main__":
    main()
