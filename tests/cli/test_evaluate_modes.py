"""Every option of `calm evaluate` belongs to one of its modes or to both, and is refused in the other."""

from __future__ import annotations

import subprocess
import sys

import pytest

from calm_lm.cli.main import load_command
from calm_lm.cli.modes import PANELS, ROWS
from calm_lm.cli.options import OWN_TABLE

BOTH = {"model", "json", "data_dir"}
CHOOSE = {"data", "suite", "tasks"}  # they say which mode it is
OPTIONS = {each.name: each for each in load_command("evaluate").params}
TABLED = {name: each.rich_help_panel for name, each in OPTIONS.items() if each.rich_help_panel in PANELS}
OF_ROWS = [name for name, panel in TABLED.items() if panel in (ROWS, OWN_TABLE) and name not in CHOOSE]
OF_SUITE = [name for name in TABLED if name not in (*OF_ROWS, *CHOOSE)]


def words(name: str) -> list[str]:
    """An option as one would give it; its default too, for what was written was meant."""
    option = OPTIONS[name]
    if not option.opts[0].startswith("-"):
        return ["device=cpu"]
    if option.is_flag:
        return [option.opts[0]]
    return [option.opts[0], str(option.default if isinstance(option.default, int | float | str) else 3)]


def refusal(calm, capsys, *given: object) -> str:
    assert calm("evaluate", "nowhere", *given) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_no_option_is_forgotten():
    assert set(OPTIONS) - set(TABLED) == BOTH
    assert set(PANELS) == set(TABLED.values())  # and no panel is left over
    assert len(OF_ROWS) > 10
    assert len(OF_SUITE) > 10


@pytest.mark.parametrize("name", OF_SUITE)
def test_what_is_for_a_suite_is_refused_on_rows(calm, capsys, name):
    error = refusal(calm, capsys, "--data", "own.csv", *words(name))
    assert "[R25]" in error
    assert words(name)[0].replace("device=cpu", "KEY=VALUE") in error
    assert "--suite, --tasks" in error


@pytest.mark.parametrize("name", OF_ROWS)
@pytest.mark.parametrize("mode", [("--suite", "toy"), ("--tasks", "toy-survey")])
def test_what_is_for_rows_is_refused_in_a_suite(calm, capsys, name, mode):
    error = refusal(calm, capsys, *mode, "--out", "x", *words(name))
    assert "[R25]" in error
    assert words(name)[0] in error
    assert "--data" in error


@pytest.mark.parametrize("name", [name for name in OF_ROWS if TABLED[name] == OWN_TABLE])
def test_columns_of_ones_own_table_are_refused_for_a_registered_set(calm, capsys, name):
    error = refusal(calm, capsys, "--data", "demo", *words(name))
    assert "[R25]" in error
    assert words(name)[0] in error


@pytest.mark.parametrize(
    "mode", [(), ("--data", "demo", "--suite", "toy"), ("--data", "demo", "--tasks", "toy-survey")]
)
def test_one_mode_is_said(calm, capsys, mode):
    assert "[R12]" in refusal(calm, capsys, *mode)


@pytest.mark.parametrize("mode", [("--data", "own.csv", "--text", "t"), ("--suite", "toy", "--seed", "1")])
def test_what_fits_the_mode_and_what_the_environment_says_are_not_refused(calm, capsys, monkeypatch, tmp_path, mode):
    monkeypatch.setenv("CALM_DATA", str(tmp_path))
    error = refusal(calm, capsys, *mode, "--json", tmp_path / "x.json")
    assert "[R25]" not in error  # but that there is no such run
    assert "[T40]" in error or "[R08]" in error


def test_help_shows_the_modes(calm, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert calm("evaluate", "--help") == 0
    shown = capsys.readouterr().out
    assert [panel for panel in PANELS if f" {panel} " not in shown] == []


def test_help_loads_nothing_heavy():
    heavy = ("torch", "numpy", "scipy", "pydantic", "httpx", "yaml")
    code = f"import calm_lm.cli.evaluate, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
