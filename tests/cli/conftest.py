"""A trained run made through the command line, on a tiny language model and a user's own table."""

from __future__ import annotations

import csv
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from calm_lm.cli.main import main

Calm = Callable[..., int]


@pytest.fixture(scope="session")
def world() -> ModuleType:
    place = Path(__file__).parent.parent / "training" / "tiny_world.py"
    spec = importlib.util.spec_from_file_location("tiny_world", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def calm() -> Calm:
    """Run a command line in this process; returns its exit code. What it sets in the environment is taken back."""

    def run(*arguments: object) -> int:
        before = dict(os.environ)
        try:
            with pytest.raises(SystemExit) as stop:
                main([str(argument) for argument in arguments])
        finally:
            os.environ.clear()
            os.environ.update(before)
        return int(stop.value.code or 0)

    return run


@pytest.fixture(scope="session")
def own_table(world: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every invented text read by four countries; AU finds odd what others do not."""
    path = tmp_path_factory.mktemp("own") / "own.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sentence", "country", "verdict", "panel"])
        for number, text in enumerate(world.TEXTS):
            for reader in world.READERS:
                odd = (number % 3 == 0) or (reader == "AU" and number % 2 == 0)
                writer.writerow([text, reader, world.LABELS[odd], "1|4" if odd else "4|1"])
    return path


@pytest.fixture(scope="session")
def columns() -> list[str]:
    return ["--text", "sentence", "--culture", "country", "--label", "verdict", "--votes", "panel"]


@pytest.fixture(scope="session")
def settings(world: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides that make a run take a second."""
    folder = world.save_lm(tmp_path_factory.mktemp("lm"))
    return [
        f"backbone.name={folder}", "backbone.sentence=null", "backbone.read_layer=2", "model.width=16",
        "model.mlp_hidden=16", "model.expert_ff=16", "model.expert_layers=1", "train.epochs=1.0",
        "train.evaluations=2", "train.batch_rows=32",
    ]  # fmt: skip


@pytest.fixture(scope="session")
def run_folder(calm, own_table, columns, settings, tmp_path_factory, monkeypatch_session) -> Path:
    """A run of two seeds."""
    folder = tmp_path_factory.mktemp("runs") / "own"
    assert calm("train", own_table, *settings, *columns, "--out", folder, "--seeds", "0-1") == 0
    return folder


@pytest.fixture(scope="session")
def monkeypatch_session(tmp_path_factory):
    """An own cache for all commands of this room."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CALM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield patch
