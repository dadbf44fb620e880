"""The README's commands and its Python are run as they stand, in an empty folder, in their order."""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from calm_lm.cli.main import load_command

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip()
    for language, block in BLOCKS
    if language == ""
    for line in block.splitlines()
    if re.match(r"(\.venv/bin/)?calm ", line.strip())
]
EXPERIMENTS = re.findall(r"^python (experiments/.+)$", README, flags=re.MULTILINE)
PYTHON = [block for language, block in BLOCKS if language == "python"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the result of `make demo` and a table of one's own."""
    place = tmp_path_factory.mktemp("readme")
    run("calm demo", place)
    with (place / "own.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sentence", "country", "hate"])
        for number in range(40):
            for reader in ("AU", "SG"):
                writer.writerow(
                    [f"Remark number {number} on the weather.", reader, (number + (reader == "AU")) % 3 == 0]
                )
    return place


def run(command: str, folder: Path) -> str:
    words = shlex.split(command.removeprefix(".venv/bin/"))
    words = [sys.executable, "-m", "calm_lm", *words[1:]]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=1_200, env=dict(os.environ))
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_readme_has_what_is_tested_here() -> None:
    assert len(COMMANDS) >= 14
    assert len(EXPERIMENTS) >= 1
    assert len(PYTHON) == 1
    assert "make demo" in README
    assert "make test" in README
    assert "@@" not in README


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_word_of_a_command_is_known(command: str) -> None:
    """Also of the commands that need data or hours: their options and choices are read, and nothing is run."""
    name, *words = shlex.split(command)[1:]
    chosen = load_command(name)
    while hasattr(chosen, "commands"):
        chosen = chosen.commands[words.pop(0)]
    chosen.make_context(name, words)


@pytest.mark.parametrize("line", EXPERIMENTS)
def test_the_options_of_an_experiment_are_known(line: str) -> None:
    script, *words = shlex.split(line)
    known = (ROOT / script).read_text("utf-8") + (ROOT / "experiments" / "common.py").read_text("utf-8")
    assert [word for word in words if word.startswith("--") and f'add_argument("{word}"' not in known] == []


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_commands_and_python_run(folder: Path) -> None:
    for command in COMMANDS:
        if "--data-dir DATA" in command:  # needs the data, and minutes
            run(shlex.join([*shlex.split(command)[:2], "--help"]), folder)
        else:
            assert run(command, folder).strip()
    done = subprocess.run([sys.executable, "-c", PYTHON[0]], cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
