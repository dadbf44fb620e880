"""`calm`: the commands by name, loaded when one of them runs, and what an exit code means.

The table below is all that `calm --help` reads. A command is a plain function or a `typer.Typer` in a module of
this room; torch and every other heavy library stay inside the functions. Exit codes: 0 done, 2 the user's
mistake, 130 interrupted, 1 ours, or a report that was written and holds nothing.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
import typer.core
import typer.main

from calm_lm import __version__
from calm_lm.errors import CalmError
from calm_lm.files import disk_errors

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Place(NamedTuple):
    """Where a command lives, and its line in `calm --help`."""

    module: str
    attribute: str
    help: str


COMMANDS = {
    "demo": Place("demo", "demo", "Show the whole thing on bundled data, in minutes."),
    "train": Place("train", "train", "Train CALM on a registered data set or a file of your own."),
    "evaluate": Place("evaluate", "evaluate", "Judge a run, or any model, beside people and baselines."),
    "predict": Place("predict", "predict", "Predict labels and vote shares for readers of a culture."),
    "inspect": Place("inspect", "inspect", "Show what led to an answer, from tokens to reflection."),
    "data": Place("data", "app", "List, show, check and get data sets."),
    "export": Place("export", "app", "Write survey tasks out for lm-eval and Inspect."),
    "survey": Place("survey", "app", "Show, check, compare and split what people answered."),
    "quiz": Place("quiz", "app", "Quiz people before and after they learn about places."),
    "config": Place("config", "app", "Show every setting, its value and where the value comes from."),
    "env": Place("env", "env", "Print versions, devices and caches for a bug report."),
}


def load_command(name: str) -> Any:
    """The command behind a name of `COMMANDS`, imported now."""
    place = COMMANDS[name]
    found = getattr(import_module(f"calm_lm.cli.{place.module}"), place.attribute)
    shelf = typer.Typer()
    if isinstance(found, typer.Typer):
        shelf.add_typer(found, name=name)
    else:
        shelf.command(name)(found)
    return typer.main.get_group(shelf).commands[name]


class LazyGroup(typer.core.TyperGroup):
    """A group that knows its commands by name and help line, and imports one when it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, place in COMMANDS.items():
            self.add_command(typer.core.TyperCommand(name, help=place.help))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the real command in the place of its help line."""
        name, stub, rest = super().resolve_command(ctx, args)
        return name, stub if name is None else load_command(name), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command; an interrupt says how to go on where one can."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            chosen = ctx.invoked_subcommand
            resumable = chosen in COMMANDS and any(p.name == "resume" for p in load_command(chosen).params)
            _tell("interrupted; add --resume to go on" if resumable else "interrupted")
            raise SystemExit(130) from None


app = typer.Typer(cls=LazyGroup, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"calm-lm {__version__}")
        raise typer.Exit


@app.callback()
def start(
    offline: Annotated[bool, typer.Option("--offline", help="Use no network; the same as CALM_OFFLINE=1.")] = False,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Processor threads to use.", show_default="all cores")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Culturally self-aware language models: train, inspect and measure them.

    Independent and unofficial. --offline and --threads may stand anywhere on the line.
    """
    if offline or os.environ.get("CALM_OFFLINE") == "1":
        os.environ["CALM_OFFLINE"] = "1"
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported, which is later than here
    if threads is not None:
        os.environ |= dict.fromkeys(THREAD_VARIABLES, str(threads))  # read when torch and numpy are imported


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and leave with its exit code.

    Args:
        arguments: the words after `calm`; None takes those of the process.

    Raises:
        SystemExit: always.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            if isinstance(sys.stdout, TextIOWrapper):  # names that a terminal cannot show are escaped, as in errors
                sys.stdout.reconfigure(errors="backslashreplace")
            app(args=_general_options_first(given), prog_name="calm")
        finally:
            sys.stdout.flush()
    except CalmError as error:
        _tell(str(error))
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:  # `calm ... | head`: nobody reads on, and the flush at exit must not complain either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:  # a folder nobody may look into, a name too long
            _tell(_disk_trouble(error))
            raise SystemExit(2) from None
        traceback.print_exc()
        _tell("this is our fault, not yours; please report it with the lines above and the output of `calm env`")
        raise SystemExit(1) from None


def _disk_trouble(error: OSError) -> str:
    """What readers say of trouble with the disk, for a look at a path that none of them wrapped."""
    try:
        with disk_errors(Path(os.fsdecode(error.filename))):
            raise error
    except CalmError as told:
        return str(told)


def _general_options_first(words: Sequence[str]) -> list[str]:
    """Move `--offline` and `--threads N`, up to a `--`, in front of the command."""
    end = words.index("--") if "--" in words else len(words)
    front: list[str] = []
    rest: list[str] = []
    left = iter(words[:end])
    for word in left:
        if word == "--offline" or word.startswith("--threads="):
            front.append(word)
        elif word == "--threads":
            front += [word, *islice(left, 1)]
        else:
            rest.append(word)
    return [*front, *rest, *words[end:]]


def _tell(message: str) -> None:
    """One line on standard error; brackets in it are no markup."""
    from rich.console import Console
    from rich.text import Text

    line = "".join(char if char.isprintable() else " " for char in message)
    Console(stderr=True, highlight=False).print(Text.assemble(("calm: ", "bold red"), line), soft_wrap=True)
