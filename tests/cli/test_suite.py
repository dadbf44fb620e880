"""`calm evaluate MODEL --suite`: a real endpoint on loopback, real files, real kills."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from chat_server import ChatServer

from calm_lm.evaluation.tasks.spec import FOLDER
from calm_lm.survey.registry import load_survey

SMALL = ("--suite", "toy", "--items", "3", "--samples", "2", "--conditions", "neutral,persona+country")
ENOUGH = ("--items", "6")  # questions for an interval


def first_option(prompt: str, seed: int) -> str:
    """Always the option listed first, by its label; a number where numbers are asked for."""
    listed = [line.split(".")[0] for line in prompt.splitlines() if line[:2] in ("A.", "1.")]
    return listed[0] if listed else "1"


@pytest.fixture
def server():
    with ChatServer(first_option) as running:
        yield running


def test_a_suite_leaves_a_page_a_json_and_every_tasks_rows(calm, server, tmp_path, capsys):
    out = tmp_path / "report"
    assert calm("evaluate", server.name, *SMALL, "--out", out, "--json", tmp_path / "copy.json") == 0
    report = json.loads((out / "report.json").read_text())
    assert report == json.loads((tmp_path / "copy.json").read_text())
    assert report["schema"] == "calm-report/1"
    assert report["subject"]["answers"] == "samples"
    systems = report["tasks"]["toy-survey"]["systems"]
    assert {"neutral", "persona+country", "uniform", "population-mean"} <= set(systems)
    # one voice, whatever the place: nothing of people's diversity is left, and places are alike
    assert systems["persona+country"]["figures"]["distinctness"]["value"] == pytest.approx(0)
    assert report["cost"]["tasks"]["toy-survey"]["from_cache"] == 0
    assert json.loads((out / "tasks" / "toy-survey.json").read_text())["row_scores"]["questions"]
    page = (out / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "report.html" in capsys.readouterr().out


def test_going_on_asks_nothing_twice_and_starting_over_must_be_said(calm, server, tmp_path, capsys):
    out = tmp_path / "report"
    assert calm("evaluate", server.name, *SMALL, "--out", out) == 0
    asked = sum(server.asked.values())
    first = json.loads((out / "report.json").read_text())
    assert max(server.asked.values()) == 1
    assert calm("evaluate", server.name, *SMALL, "--out", out) == 2
    assert "[R09]" in capsys.readouterr().err
    assert calm("evaluate", server.name, *SMALL, "--out", out, "--resume") == 0
    assert sum(server.asked.values()) == asked
    second = json.loads((out / "report.json").read_text())
    assert second["tasks"]["toy-survey"]["systems"] == first["tasks"]["toy-survey"]["systems"]


def test_after_a_kill_no_answered_question_is_asked_again(tmp_path):
    out = tmp_path / "report"
    with ChatServer(first_option, latency=0.02) as server:
        words = ["evaluate", server.name, *SMALL, "--out", str(out), "--connections", "4"]
        command = [sys.executable, "-m", "calm_lm", *words]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=(tmp_path / "error.txt").open("w"))
        while sum(server.asked.values()) < 30:
            time.sleep(0.01)
            assert child.poll() is None, (tmp_path / "error.txt").read_text()
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert not (out / "report.json").exists()
        done = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        twice = [request for request, times in server.asked.items() if times > 1]
        assert len(twice) <= 4  # under way at the kill, their answers never arrived
        assert max(server.asked.values()) <= 2
    assert (out / "report.html").exists()


def test_an_endpoint_that_only_fails_ends_in_one_line(calm, tmp_path, capsys):
    with ChatServer(lambda prompt, seed: 500) as server:
        assert (
            calm("evaluate", server.name, *SMALL, "--out", tmp_path / "r", "--retries", "0", "--connections", "1") == 2
        )
    error = capsys.readouterr().err
    assert "[L51]" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "r" / "report.json").exists()


def test_thresholds_stated_before_are_judged_after_and_reports_compared(calm, server, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- {task: toy-survey, system: neutral, metric: wasserstein, better_than: uniform}\n"
        "- {task: toy-survey, system: neutral, figure: no_answer, at_most: 0.1}\n"
    )
    first, second = tmp_path / "first", tmp_path / "second"
    assert calm("evaluate", server.name, *SMALL, *ENOUGH, "--out", first) == 0
    assert (
        calm("evaluate", server.name, *SMALL, *ENOUGH, "--out", second, "--stop-rule", rules, "--against", first) == 0
    )
    report = json.loads((second / "report.json").read_text())
    verdicts = [each["outcome"] for each in report["stop_rule"]["verdicts"]]
    assert verdicts == ["fail", "pass"]  # one voice for all is further from people than a coin
    against = json.dumps(report["against"])
    assert '"difference": 0.0' in against  # the same model


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--suite", "toy"), "R08"), ((), "R12"), (("--suite", "toy", "--data", "demo"), "R12"),
        (("--suite", "none", "--out", "x"), "E43"), (("--tasks", "none", "--out", "x"), "E41"),
        (("--suite", "toy", "--out", "x", "--conditions", "persona"), "E30"),
        (("--suite", "toy", "--out", "x", "--conditions", ""), "E31"),
        (("--suite", "toy", "--out", "x", "--conditions", "persona+country@"), "E31"),
        (("--suite", "toy", "--out", "x", "--conditions", "neutral+"), "E31"),
        (("--suite", "toy", "--out", "x", "--items", "0"), "R11"),
        (("--suite", "toy", "--out", "x" * 300), "F01"),
        (("--suite", "toy", "--out", "x", "--against", "x" * 300), "F01"),
        (("--tasks", "x" * 300 + ".yaml", "--out", "x"), "F01"),
        (("--tasks", "toy-survey,own-words,toy-survey", "--out", "x"), "R31"),
        (("--suite", "toy", "--tasks", "crehate", "--out", "x"), "R10"),
        (("--suite", "toy", "--out", "x", "--stop-rule", "nowhere.yaml"), None),
        (("--suite", "toy", "--out", "x", "--trained-on", "nothing"), "D26"),
    ],
)  # fmt: skip
def test_mistakes_end_before_anything_is_asked(calm, server, tmp_path, monkeypatch, capsys, words, code):
    monkeypatch.chdir(tmp_path)
    assert calm("evaluate", server.name, *words) == 2
    error = capsys.readouterr().err
    assert code is None or f"[{code}]" in error
    assert error.count("\n") == 1
    assert not server.asked


@pytest.mark.lm
def test_an_english_model_is_not_asked_in_spanish_unless_told(calm, tmp_path, capsys):
    words = ("--suite", "toy", "--items", "1", "--conditions", "neutral@es", "--out", tmp_path / "r", "--offline")
    assert calm("evaluate", "embedded", *words) == 2
    assert "[E35]" in capsys.readouterr().err


def test_training_rows_are_looked_for_in_the_questions(calm, server, tmp_path):
    assert calm("evaluate", server.name, *SMALL, "--out", tmp_path / "r", "--trained-on", "demo") == 0
    leaks = json.loads((tmp_path / "r" / "report.json").read_text())["leaks"]
    assert leaks["tasks"]["toy-survey"] == {"questions": 3, "exact": 0, "near": 0, "ids": []}


def test_all_rows_of_ones_own_table_are_looked_for_not_only_those_a_split_would_train_on(calm, server, tmp_path):
    texts = [item.text for item in load_survey("toy").instrument.items.values()]
    table = tmp_path / "seen.csv"
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *((text, i % 2) for i, text in enumerate(texts))])
    words = ("--suite", "toy", "--samples", "1", "--conditions", "neutral", "--out", tmp_path / "r")
    assert calm("evaluate", server.name, *words, "--trained-on", table) == 0
    leaks = json.loads((tmp_path / "r" / "report.json").read_text())["leaks"]["tasks"]["toy-survey"]
    assert leaks["questions"] > 5
    assert leaks["exact"] == leaks["questions"]


def test_the_columns_of_a_table_that_was_trained_on_are_named_as_in_training(calm, server, tmp_path, capsys):
    texts = [item.text for item in load_survey("toy").instrument.items.values()]
    table = tmp_path / "seen.csv"
    rows = [(text, i % 2, "train" if i < 3 else "test") for i, text in enumerate(texts)]
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows([("sentence", "hate", "part"), *rows])
    words = ("--suite", "toy", "--items", "5", "--samples", "1", "--conditions", "neutral", "--trained-on", table)
    named = ("--text", "sentence", "--label", "hate")
    assert calm("evaluate", server.name, *words, "--out", tmp_path / "none") == 2
    assert "text" in capsys.readouterr().err
    assert calm("evaluate", server.name, *words, *named, "--out", tmp_path / "all") == 0
    assert calm("evaluate", server.name, *words, *named, "--split-column", "part", "--out", tmp_path / "part") == 0
    found = {
        each: json.loads((tmp_path / each / "report.json").read_text())["leaks"]["tasks"]["toy-survey"]
        for each in ("all", "part")
    }
    assert found["all"]["exact"] == found["all"]["questions"] > 3
    assert found["part"]["exact"] <= 3 < found["all"]["exact"]  # only rows that trained
    assert calm("evaluate", server.name, *SMALL, "--out", tmp_path / "x", "--trained-on", "demo", *named) == 2
    assert "[R25]" in capsys.readouterr().err


def test_a_folder_to_compare_with_that_is_none_is_told_before_anything_is_asked(calm, server, tmp_path, capsys):
    assert calm("evaluate", server.name, *SMALL, "--out", tmp_path / "r", "--against", tmp_path / "none") == 2
    assert "[E02]" in capsys.readouterr().err
    assert not server.asked


def test_a_task_without_the_language_is_left_out_and_the_others_are_run(calm, server, tmp_path):
    words = ("--tasks", "everyday-generation,own-words", "--items", "1", "--samples", "1", "--conditions", "neutral@es")
    assert calm("evaluate", server.name, *words, "--out", tmp_path / "r") == 0
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert "E78" in report["left_out"]["everyday-generation"]
    assert list(report["tasks"]) == ["own-words"]


@pytest.mark.parametrize(
    "words", ["evaluate embedded --suite toy --out x", "export lm-eval x", "export inspect x", "quiz make x"]
)
def test_a_seed_below_zero_is_refused(calm, tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert calm(*words.split(), "--seed", "-1") == 2
    assert "--seed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_fails_says_what_is_wrong_with_it(calm, server, tmp_path, capsys):
    own = tmp_path / "own.yaml"
    own.write_text((FOLDER / "toy-survey-groups.yaml").read_text("utf-8").replace("  by:", "  bye:"), encoding="utf-8")
    assert calm("evaluate", server.name, "--tasks", own, "--out", tmp_path / "r") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(said in error for said in ("[R18]", "1 task failed", "[E49]", "settings.bye", "Fix: use by."))
    assert not server.asked


# -- what it cost, how it was asked, and nothing -------------------------------------------------------------


def test_page_terminal_and_json_tell_tokens_per_model_and_the_settings(calm, server, tmp_path, capsys):
    out = tmp_path / "report"
    words = ("--tasks", "toy-survey,own-words", "--items", "2", "--samples", "2", "--conditions", "neutral,neutral@es")
    with ChatServer(first_option, usage=None) as other:
        assert calm("evaluate", server.name, *words, "--language-model", f"es={other.name}", "temperature=0.5",
                    "--out", out) == 0  # fmt: skip
        assert other.asked
    bill = json.loads((out / "report.json").read_text())["cost"]["tasks"]
    told = [each for one in bill.values() for each in one["tokens"]]
    assert sum(each["read"] or 0 for each in told) == 9 * sum(server.asked.values())
    assert sum(each["written"] or 0 for each in told) == 2 * sum(server.asked.values())
    assert {each["replies_not_stated"] > 0 for each in told if each["read"] is None} == {True}
    page, shown = (out / "report.html").read_text(), capsys.readouterr().out
    assert f"{9 * sum(server.asked.values()):,}" in page
    assert f"{9 * sum(server.asked.values()):,}" in shown
    assert "not stated" in page
    assert "not stated" in shown
    settings = page[page.index("<summary>settings of this run") :]
    for name, value in (
        ("temperature", "0.5"),
        ("samples", "2"),
        ("connections", "8"),
        ("replicates", "1000"),
        ("seed", "0"),
    ):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in settings


def test_a_report_in_which_every_task_was_left_out_ends_with_exit_code_1(calm, server, tmp_path, capsys):
    words = ("--tasks", "everyday-generation", "--items", "1", "--samples", "1", "--conditions", "neutral@es")
    assert calm("evaluate", server.name, *words, "--out", tmp_path / "r") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(said in error for said in ("[E57]", "every task was left out", "[E78]", "Fix: "))
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert (report["tasks"], list(report["left_out"])) == ({}, ["everyday-generation"])
    assert "Nothing was measured, as every task was left out" in (tmp_path / "r" / "report.html").read_text()


def test_a_report_without_an_answer_ends_with_exit_code_1_and_goes_on_when_the_server_does(calm, tmp_path, capsys):
    words = ("--tasks", "toy-survey", "--items", "1", "--samples", "1", "--conditions", "neutral", "presentations=1")
    down = True
    with ChatServer(lambda prompt, seed: 500 if down else "A") as server:
        out = ("--out", tmp_path / "r", "--retries", "0", "--connections", "64")
        assert calm("evaluate", server.name, *words, *out) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert all(said in error for said in ("[E58]", "delivered no answer", "Fix: look at the server"))
        report = json.loads((tmp_path / "r" / "report.json").read_text())
        assert report["cost"]["tasks"]["toy-survey"]["tokens"][0]["read"] is None
        assert "Nothing was measured, as the endpoint" in (tmp_path / "r" / "report.html").read_text()
        down = False
        assert calm("evaluate", server.name, *words, *out, "--resume") == 0


def test_the_help_tells_the_exit_codes(calm, capsys):
    assert calm("evaluate", "--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "1: the report was written and nothing was measured" in shown
