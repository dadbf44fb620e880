"""What a terminal shows while something takes long, and the tables at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID
    from rich.table import Table
    from rich.text import Text

EIGHTHS = " ▏▎▍▌▋▊▉"


def console() -> Console:
    """Standard output; width follows the terminal, colours go when it is none."""
    from rich.console import Console

    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=100)  # a pipe has no width of its own


class LiveProgress:
    """One line per kind of work, with what is done, what is left and when it ends.

    `tell(what, done, total)` is the callback every room takes; a total of 0 is a plain message.
    """

    def __init__(self, bar: Bar, say: Callable[[str], None]) -> None:
        self._bar, self._say = bar, say
        self._tasks: dict[str, TaskID] = {}

    def tell(self, what: str, done: int, total: int) -> None:
        """Move one line on, or print a message."""
        if total == 0:
            self._say(what)
            return
        if what not in self._tasks:
            if done >= total:
                return
            self._tasks[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._tasks[what], completed=done, total=total)

    def steps(
        self, title: str, *others: Callable[[int, int, dict[str, float]], None]
    ) -> Callable[[int, int, dict[str, float]], None]:
        """The callback of a training loop (step, steps in all, newest losses), which `others` are told too."""

        def report(step: int, total: int, losses: dict[str, float]) -> None:
            for other in others:
                other(step, total, losses)
            shown = f"{title}  loss {losses['loss']:.3f}"
            if title not in self._tasks:
                self._tasks[title] = self._bar.add_task(shown, total=total)
            self._bar.update(self._tasks[title], completed=step, total=total, description=shown)

        return report


@contextmanager
def live_progress() -> Iterator[LiveProgress]:
    """Progress lines for the time of a block; on a pipe each line is printed once, when its work ends."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    out = console()
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=out) as bar:
        yield LiveProgress(bar, lambda line: out.print(line, markup=False))


def heading(screen: Console, title: str) -> None:
    """A title in bold, below an empty line."""
    screen.print()
    screen.print(title, style="bold", markup=False)


def bar(share: float, width: int) -> str:
    """A share from 0 to 1 in eighths of characters, padded to `width`."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    drawn = "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")
    return drawn.ljust(width)


def number(value: float | None, digits: int = 3) -> str:
    """A figure of a table; an undefined one is a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(pair: Sequence[float | None] | None) -> str:
    """A 95 % interval as `low to high`."""
    if pair is None or pair[0] is None:
        return ""
    return f"{number(pair[0])} to {number(pair[1])}"


def score_table(title: str, systems: Mapping[str, Mapping[str, Any]], metrics: Sequence[str]) -> Table:
    """One row per system: mean over cultures with its interval, and the worst culture, for each metric."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_lines=False)
    table.add_column("system", no_wrap=True)
    for metric in metrics:
        table.add_column(metric.replace("_", " "), justify="right")
        table.add_column("95 %", justify="right", style="dim")
        table.add_column("worst", justify="right")
    for name, scores in systems.items():
        cells: list[str] = []
        for metric in metrics:
            score = scores[metric]
            worst = score["worst_culture"]
            cells += [
                number(score["mean"]),
                interval(score["interval"]),
                f"{number(score['worst'])} {worst}" if worst and worst != "all" else "",
            ]
        table.add_row(name, *cells)
    return table


def plain_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """A table of values as they are, folded where they are long."""
    from rich.table import Table

    table = Table(title=plain_cell(title))
    for column in columns:
        table.add_column(plain_cell(column), overflow="fold")
    for row in rows:
        table.add_row(*(plain_cell(value) for value in row))
    return table


def plain_cell(value: object) -> Text:
    """A value as a cell: brackets in it are no markup, and characters that steer a terminal are escaped."""
    from rich.text import Text

    word = {"None": "-", "True": "yes", "False": "no"}.get(repr(value), str(value))
    return Text("".join(char if char.isprintable() else ascii(char)[1:-1] for char in word))


def say(content: Table | str) -> None:
    """Print a table, or a line that is not wrapped."""
    from rich.console import Console

    Console(highlight=False).print(
        plain_cell(content) if isinstance(content, str) else content, soft_wrap=isinstance(content, str)
    )


def write_result(path: Path | None, value: dict[str, Any]) -> None:
    """The result as JSON, where a file was named."""
    from calm_lm.files import write_json

    if path is not None:
        write_json(path, value)
