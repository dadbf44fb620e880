"""What `calm train` is told to train on, and what it writes for TensorBoard."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from calm_lm.errors import CalmError
from calm_lm.training.board import open_boards


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Every figure of the event files in a folder, by its step."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: {each.step: each.value for each in events.Scalars(tag)} for tag in events.Tags()["scalars"]}


def test_data_are_named_by_an_option_too_and_events_tell_what_the_log_tells(
    calm, own_table, columns, settings, tmp_path, capsys, monkeypatch_session
) -> None:
    out = tmp_path / "run"
    assert calm("train", *settings, "--data", own_table, *columns, "--out", out, "--tensorboard") == 0
    assert f"--data {own_table}" in capsys.readouterr().out  # of the command that comes next
    facts = yaml.safe_load((out / "config.yaml").read_text())
    assert facts["data"]["name"] == "own"
    assert facts["config"]["backbone"]["read_layer"] == 2  # the first word is a setting, not a recipe
    told: dict[str, dict[int, float]] = {}
    for line in (out / "seed-0" / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        step = record.pop("step") + 1
        for name, value in record.items():
            told.setdefault(name, {})[step] = value
    seen = scalars(out / "seed-0" / "tensorboard")
    assert seen.keys() == told.keys() >= {"loss", "valid"}
    for name, values in told.items():
        assert seen[name] == pytest.approx(values, rel=1e-6), name


def test_an_option_goes_before_the_data_of_a_recipe(calm, own_table, capsys, tmp_path) -> None:
    recipe = tmp_path / "recipe.yaml"
    for settings, told in (("{patience: 1}", own_table.name), ("{epochs: -1}", recipe.name)):
        recipe.write_text(f"data: crehate\ntrain: {settings}\n")
        assert calm("train", recipe, "--data", own_table, "--text", "nowhere", "--out", tmp_path / "run") == 2
        assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], "R30"), (["train.epochs=1"], "T20"), (["own.csv", "--data", "demo"], "R30"),
        (["train.epochs=-1", "--data", "demo"], "T25"), (["--data", "nowhere"], "D"),
        (["--data", "demo", "train.epochs=-1"], "T25"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_on(calm, capsys, tmp_path, words, code) -> None:
    assert calm("train", *words, "--out", tmp_path / "run") == 2
    assert f"[{code}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_data_set_brings_the_recipe_of_its_name(calm, capsys, tmp_path) -> None:
    said = []
    for words in (["train", "blend"], ["train", "--data", "blend"]):
        assert calm(*words, "--data-dir", tmp_path, "--out", tmp_path / "run") == 2
        said.append(capsys.readouterr().err)
    assert said[0] == said[1]
    assert "[R30]" not in said[0]


def test_a_resumed_seed_hides_what_was_told_of_later_steps(tmp_path) -> None:
    for first, last, loss in ((1, 5, 1.0), (3, 6, 2.0)):
        with open_boards(tmp_path) as boards:
            report = boards(0)
            for step in range(first, last):
                report(step, 5, {"loss": loss})
    assert scalars(tmp_path / "seed-0" / "tensorboard")["loss"] == {1: 1, 2: 1, 3: 2, 4: 2, 5: 2}


def test_a_seed_that_reports_nothing_leaves_no_folder(tmp_path) -> None:
    with open_boards(tmp_path) as boards:
        boards(0)
    assert list(tmp_path.iterdir()) == []


def test_events_that_cannot_be_written_are_one_error(tmp_path) -> None:
    (tmp_path / "seed-0").write_text("in the way")
    with open_boards(tmp_path) as boards, pytest.raises(CalmError, match="F01"):
        boards(0)(1, 1, {"loss": 1.0})


def test_without_tensorboard_one_line_says_so_before_any_work(calm, own_table, columns, capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert calm("train", own_table, *columns, "--tensorboard", "--out", tmp_path / "run") == 2
    assert "calm-lm[tensorboard]" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
