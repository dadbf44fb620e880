"""What led to an answer, through the command line: terminal, JSON and page say the same."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from calm_lm.cli.display import bar
from calm_lm.cli.inspect import BAR, show_inspections
from calm_lm.model.answers import Inspection, Prediction, TokenTrace

TEXT = "The guest [bold]waits[/bold] by the Japanese gate & bows."


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def inspected(calm, run_folder, tmp_path, wide, capsys) -> tuple[str, dict, str]:
    """What the terminal shows, the JSON and the page, for two readers and their blend."""
    page, told = tmp_path / "page.html", tmp_path / "told.json"
    readers = ["--culture", "AU", "--culture", "GB", "--culture", "AU=0.5,GB=0.5"]
    assert calm("inspect", run_folder, TEXT, *readers, "--html", page, "--json", told) == 0
    return capsys.readouterr().out, json.loads(told.read_text()), page.read_text()


def test_the_json_holds_every_stage_for_each_reader(inspected) -> None:
    _, told, _ = inspected
    assert told["text"] == TEXT
    assert [each["prediction"]["reader"] for each in told["inspections"]] == ["AU", "GB", "AU=0.5,GB=0.5"]
    for each in told["inspections"]:
        assert sum(each["dimensions"].values()) == pytest.approx(1, abs=1e-5)
        for name, shares in each["experts"].items():
            assert sum(shares) == pytest.approx(1, abs=1e-5)
            assert len(each["chosen"][name]) == 2
        assert "".join(token["token"] for token in each["tokens"]).replace(" ", "") in TEXT.replace(" ", "")
        assert each["prediction"]["reflection"]


def test_readers_share_the_tokens_and_their_clusters(inspected) -> None:
    first, *others = (each["tokens"] for each in inspected[1]["inspections"])
    assert all(tokens == first for tokens in others)
    assert any(token["explicit"] for token in first)
    assert not all(token["explicit"] for token in first)


def test_terminal_and_page_say_what_the_json_says(inspected) -> None:
    shown, told, page = inspected
    assert TEXT in shown  # brackets are text, no markup
    assert "Page:" in shown
    assert "waits[/bold] by the Japanese gate &amp; bows." in page
    for each in told["inspections"]:
        for share in (*each["prediction"]["probabilities"].values(), *each["dimensions"].values()):
            assert f"{share:.2f}" in shown
            assert f"{share:.2f}" in page
        assert f"{each['identity_shift']:.3f}" in shown
        assert f"{each['identity_shift']:.3f}" in page
        assert each["prediction"]["reflection"][0]["self_prompt"] in page
    assert all(name in shown and name in page for name in ("Australia", "United Kingdom", "Reflection changed"))


def test_the_terminal_keeps_to_its_width(inspected) -> None:
    assert max(len(line) for line in inspected[0].splitlines() if not line.startswith("Page:")) <= 100


def test_without_a_culture_nobody_reads(calm, run_folder, capsys, wide) -> None:
    assert calm("inspect", run_folder, TEXT) == 0
    shown = capsys.readouterr().out
    assert "no reader" in shown
    assert "Between" not in shown


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([TEXT, "--culture", "AU", "--culture", "AU=1"], "E21"),
        ([TEXT, "--culture", "QQ"], "C04"),
        ([TEXT, "--culture", "BR"], "M01"),
        (["  "], "M02"),
    ],
)
def test_a_mistake_is_one_error_and_writes_nothing(calm, run_folder, tmp_path, capsys, arguments, code) -> None:
    page = tmp_path / "page.html"
    assert calm("inspect", run_folder, *arguments, "--html", page) == 2
    assert f"[{code}]" in capsys.readouterr().err
    assert not page.exists()


def test_a_folder_without_a_model_is_refused(calm, tmp_path, capsys) -> None:
    assert calm("inspect", tmp_path, TEXT) == 2
    assert "[T40]" in capsys.readouterr().err


@given(st.floats(0, 1), st.floats(0, 1))
def test_bars_are_as_long_as_their_shares(low: float, high: float) -> None:
    low, high = sorted((low, high))
    lengths = [sum(" ▏▎▍▌▋▊▉█".index(mark) for mark in bar(share, BAR)) for share in (low, high)]
    assert lengths[0] <= lengths[1]
    assert lengths[1] == pytest.approx(high * 48, abs=0.5)
    assert len(bar(low, BAR)) == BAR == 6


def test_long_texts_wrap_with_their_clusters_below(capsys) -> None:
    tokens = tuple(TokenTrace(f"word{i}" * (1 + i % 3), i % 5 == 0, i % 5, (i + 1) % 5) for i in range(60))
    answer = Prediction("AU", "odd", {"fine": 0.4, "odd": 0.6}, {"fine": 0.5, "odd": 0.5}, True, "odd", ())
    told = Inspection(answer, tokens, {"context": 1.0}, {"context": (0.5, 0.5)}, {"context": (0, 1)}, 0.1, 1.0)
    screen = Console(width=80, highlight=False)
    show_inspections(screen, "some text", [told])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    found: list[tuple[str, int, int]] = []
    for at, line in enumerate(lines):
        if line.startswith("e  "):
            words, latent = lines[at - 1], lines[at + 1]
            for match in re.finditer(r"\S+", words):
                found.append((match[0].strip("«»"), int(line[match.start()]), int(latent[match.start()])))
    assert found == [(token.token, token.cluster_explicit, token.cluster_latent) for token in tokens]
    assert sum("«" in word for line in lines for word in line.split()) == 12 + 1  # and the heading's own
    assert any("abstains" in line for line in lines)
