from __future__ import annotations

import getpass
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from calm_lm.cli import env


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A user named x7zq whose home, cache and data lie in a made-up place."""
    folder = tmp_path / "home" / "x7zq"
    folder.mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: folder)
    monkeypatch.setattr(getpass, "getuser", lambda: "x7zq")
    monkeypatch.setenv("CALM_CACHE", str(folder / ".cache" / "calm-lm"))
    monkeypatch.setenv("CALM_DATA", str(tmp_path / "disk" / "x7zq" / "sets"))
    return folder


def test_what_is_printed_is_what_is_written(home, tmp_path):
    path = tmp_path / "env.json"
    app = typer.Typer()
    app.command()(env.env)
    shown = CliRunner().invoke(app, ["--json", str(path)])
    assert shown.exit_code == 0, shown.output
    written = json.loads(path.read_text())
    assert written["packages"]["torch"] in shown.output
    for group, facts in written.items():
        assert group in shown.output
        assert [name for name in facts if name not in shown.output] == []


def test_nothing_personal_is_in_it(home):
    shown = json.dumps(env.describe())
    assert "x7zq" not in shown
    assert "~/.cache/calm-lm" in shown
    assert "/disk/USER/sets" in shown


def test_every_direct_dependency_has_its_version(home):
    packages = env.describe()["packages"]
    assert {"torch", "transformers", "numpy", "pydantic", "typer"} <= set(packages)
    assert packages["pytest"] == pytest.__version__  # of an extra that is installed
    assert "calm-lm" not in packages
    assert None not in packages.values()


def test_an_absent_package_is_none():
    assert env.version_of("calm-lm-that-is-not-there") is None


def test_the_cache_is_measured_and_its_absence_is_no_error(home):
    assert env.describe()["caches"] == {"folder": "~/.cache/calm-lm"}
    part = home / ".cache" / "calm-lm" / "states" / "deep"
    part.mkdir(parents=True)
    (part / "shard").write_bytes(bytes(2_500_000))
    assert env.describe()["caches"]["states, MB"] == 2.5


def test_data_sets_that_are_here_are_named(home, tmp_path):
    assert env.describe()["data"]["data sets here"] == ["demo"]


@pytest.mark.parametrize(
    ("path", "shown"), [("~", "~"), ("~/x", "~/x"), ("/disk/x7zq/y", "/disk/USER/y"), ("/disk/x7zq2", "/disk/x7zq2")]
)
def test_paths_tell_no_name(home, path, shown):
    assert env.hide_user(Path(path.replace("~", str(home)))) == shown
