"""The two modes of `calm evaluate`, and which options belong to which: the panel of `--help` that an option stands in.

So the table below is all there is to keep: an option that stands in one of these panels is refused where its panel
does not apply, and one in no panel belongs to both modes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import typer

from calm_lm.cli.options import OWN_TABLE, is_table
from calm_lm.errors import CalmError

ROWS = "A run on labelled rows (--data)"
SUITE = "Any model on a suite of tasks (--suite, --tasks)"
SETTINGS = "Settings of a suite"
ENDPOINTS = "Endpoints in a suite"


class Panel(NamedTuple):
    """A group of options.

    Attributes:
        applies: whether it does, from what was given as `--data` and as `--trained-on`.
        problem: what is said of an option that was given where its panel does not apply.
        fix: how to mend it.
    """

    applies: Callable[[str | None, str | None], bool]
    problem: str
    fix: str


_OF_SUITE = Panel(
    lambda data, _: data is None,
    "is for a suite of tasks (--suite, --tasks), and this is a run on labelled rows (--data).",
    "leave it out, or ask the run through a suite: --suite core --out REPORT.",
)
PANELS = {
    ROWS: Panel(
        lambda data, _: data is not None,
        "is for a run on labelled rows (--data), and this is a suite of tasks (--suite, --tasks).",
        "leave it out, or judge a run on rows: --data crehate.",
    ),
    OWN_TABLE: Panel(
        lambda data, trained_on: is_table(data or trained_on or ""),
        "is for a table of your own (--data FILE, or --trained-on FILE in a suite).",
        "leave it out, or name such a table: --data own.csv.",
    ),
    SUITE: _OF_SUITE,
    SETTINGS: _OF_SUITE,
    ENDPOINTS: _OF_SUITE,
}


def given_options(context: typer.Context, data: str | None, trained_on: str | None) -> frozenset[str]:
    """The names of the parameters that stand on the command line.

    Args:
        context: of the command.
        data: what was given as `--data`, which decides the mode.
        trained_on: what was given as `--trained-on`.

    Raises:
        CalmError: R25 for an option of the other mode, which would otherwise do nothing.
    """
    given = [each for each in context.command.params if _is_given(context, each.name)]
    for option in given:
        panel = PANELS.get(getattr(option, "rich_help_panel", None) or "")
        if panel is not None and not panel.applies(data, trained_on):
            raise CalmError("R25", panel.problem, field=_written(option), fix=panel.fix)
    return frozenset(each.name for each in given if each.name is not None)


def _is_given(context: typer.Context, name: str | None) -> bool:
    source = None if name is None else context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _written(option: object) -> str:
    """As a user writes it: `--items`, or `KEY=VALUE` of an argument."""
    names: list[str] = getattr(option, "opts", [])
    return names[0] if names and names[0].startswith("-") else "KEY=VALUE"
