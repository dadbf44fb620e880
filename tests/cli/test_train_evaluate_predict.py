"""From a user's own table to a run, its scores and its predictions, through the command line."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path

import pytest
import yaml


def test_a_run_says_how_it_came_about(run_folder: Path) -> None:
    config = yaml.safe_load((run_folder / "config.yaml").read_text())
    assert config["config"]["model"]["width"] == 16
    assert len(config["data"]["sha256"]) == 64
    manifest = json.loads((run_folder / "manifest.json").read_text())
    assert manifest["seeds"] == [0, 1]
    assert manifest["dataset"]["licences"] == ["undeclared"]
    assert set(manifest["dataset"]["rows"]) == {"train", "valid", "test"}
    for seed in (0, 1):
        lines = (run_folder / f"seed-{seed}" / "metrics.jsonl").read_text().splitlines()
        assert "reflect" in json.loads(lines[-2])
        assert not list((run_folder / f"seed-{seed}").glob("checkpoint-*"))


def test_seeds_differ_and_the_lowest_one_predicts(run_folder: Path) -> None:
    weights = [(run_folder / f"seed-{seed}" / "model" / "model.safetensors").read_bytes() for seed in (0, 1)]
    assert weights[0] != weights[1]


def test_evaluate_writes_what_the_design_promises(calm, run_folder, own_table, columns, tmp_path, capsys) -> None:
    result = tmp_path / "result.json"
    command = [
        "evaluate",
        run_folder,
        "--data",
        own_table,
        *columns,
        "--baselines",
        "majority,states",
        "--json",
        result,
    ]
    assert calm(*command) == 0
    found = json.loads(result.read_text())
    for score in found["metrics"].values():
        assert {"overall", "mean", "worst", "by_culture", "interval"} <= set(score)
    assert set(found["baselines"]) == {"majority", "states"} == set(found["paired"])
    assert {"difference", "interval", "p"} <= set(found["paired"]["majority"]["cross_entropy"])
    assert found["controls"]["permuted_reader"]["metrics"]["accuracy"]["mean"] <= 1
    assert found["seeds"] == [0, 1]
    assert found["cultures"] == ["AU", "GB", "SG", "US"]
    assert found["manifest"]["config"]["backbone"]["read_layer"] == 2
    printed = capsys.readouterr().out
    assert "permuted readers" in printed
    assert "CALM - majority" in printed


def test_an_only_reader_is_exchanged_for_nobody(calm, own_table, columns, settings, tmp_path, monkeypatch_session):
    table, run, result = tmp_path / "one.csv", tmp_path / "run", tmp_path / "result.json"
    header, *rows = own_table.read_text().splitlines()
    table.write_text("\n".join([header, *(row for row in rows if ",SG," in row)]) + "\n")
    assert calm("train", table, *settings, "train.weights.contrast=0", *columns, "--out", run, "--seeds", "0") == 0
    judge = ["evaluate", run, "--data", table, *columns, "--baselines", "majority", "--json", result]
    assert calm(*judge) == 0
    assert json.loads(result.read_text())["controls"] == {}
    assert calm(*judge, "--shuffled-votes") == 2


def test_predict_shows_every_reader_and_a_blend(calm, run_folder, capsys) -> None:
    words = ["predict", run_folder, "--culture", "SG", "--culture", "SG=0.5,AU=0.5", "--culture", "none"]
    assert calm(*words, "A guest brings a cake.") == 0
    printed = capsys.readouterr().out
    assert "Singapore" in printed
    assert "AU=0.5,SG=0.5" in printed
    assert "no reader" in printed


def test_predict_reads_and_writes_files(calm, run_folder, tmp_path) -> None:
    source, target = tmp_path / "texts.csv", tmp_path / "answers.jsonl"
    source.write_text("text,who\nA guest sits down.,SG\nAn uncle calls.,AU\n")
    assert calm("predict", run_folder, "--in", source, "--culture-column", "who", "--out", target) == 0
    records = [json.loads(line) for line in target.read_text().splitlines()]
    assert [record["reader"] for record in records] == ["SG", "AU"]
    for record in records:
        assert sum(record["probabilities"].values()) == pytest.approx(1)
        assert sum(record["vote_shares"].values()) == pytest.approx(1)
        assert record["reflection"][0]["self_prompt"].startswith("Cultural setting")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["train", "nowhere"], "T20", "crehate"),
        (["train", "demo", "train.epochs=-1"], "T25", "train.epochs"),
        (["train", "demo", "--seeds", "x"], "R02", "0-4"),
        (["predict", "RUN", "--culture", "Singapore", "hello"], "C0", "SG"),
        (["predict", "RUN", "--culture", "FR", "hello"], "M01", "AU, GB, SG, US"),
        (["predict", "RUN"], "R06", "one of them"),
        (["predict", "RUN", " "], "M02", "nothing to read"),
        (["evaluate", "RUN", "--data", "demo", "--baselines", "none"], "E01", "labels"),
        (["evaluate", "nowhere", "--data", "demo"], "T40", "--out"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_exit_code_2(calm, run_folder, capsys, words, code, told) -> None:
    assert calm(*[str(run_folder) if word == "RUN" else word for word in words]) == 2
    printed = capsys.readouterr().err
    assert code in printed
    assert told in printed
    assert len(printed.strip().splitlines()) == 1


def test_a_run_is_not_written_over_and_not_resumed_as_another(
    calm, run_folder, own_table, columns, settings, capsys
) -> None:
    command = ["train", own_table, *settings, *columns, "--out", run_folder, "--seeds", "0-1"]
    before = (run_folder / "seed-0" / "model" / "model.safetensors").stat().st_mtime_ns
    assert calm(*command) == 2
    assert "T30" in capsys.readouterr().err
    assert calm(*command, "train.epochs=2.0", "--resume") == 2
    assert "T31" in capsys.readouterr().err
    assert calm(*command, "--resume") == 0
    assert (run_folder / "seed-0" / "model" / "model.safetensors").stat().st_mtime_ns == before


def test_a_set_with_one_culture_trains_with_the_window_off_and_says_so(
    calm, own_table, columns, settings, tmp_path, capsys
) -> None:
    rows = list(csv.reader(own_table.open(encoding="utf-8")))
    alone = tmp_path / "alone.csv"
    with alone.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([rows[0], *(row for row in rows if row[1] == "SG")])
    folder = tmp_path / "run"
    assert calm("train", alone, *settings, *columns, "--out", folder) == 0
    assert capsys.readouterr().out.count("contrastive window") == 1
    assert "contrast_explicit" not in (folder / "seed-0" / "metrics.jsonl").read_text()


def test_what_a_user_declares_of_a_file_travels_with_the_model(
    calm, own_table, columns, settings, tmp_path, capsys
) -> None:
    command = ("train", own_table, *settings, *columns)
    assert calm(*command, "--licence", "CC-BY-NC-4.0", "--offensive", "--out", tmp_path / "declared") == 0
    told = capsys.readouterr().out
    assert "CC-BY-NC-4.0: no commercial use" in told
    following = shlex.split(told.split("Next: calm ")[1].splitlines()[0])
    assert calm(*following, "--baselines", "none") == 0  # as it stands, with the columns of the file
    facts = json.loads((tmp_path / "declared" / "seed-0" / "model" / "config.json").read_text())["provenance"]
    assert (facts["licences"], facts["offensive"]) == (["CC-BY-NC-4.0"], True)
    judged = ("evaluate", tmp_path / "declared", "--data", own_table, *columns, "--baselines", "none")
    assert calm(*judged, "--json", tmp_path / "judged.json") == 0
    assert json.loads((tmp_path / "judged.json").read_text())["moderation"]  # what matters for offensive texts
    assert calm(*command, "--licence", "MIT", "--offensive", "--out", tmp_path / "declared", "--resume") == 2
    assert "T31" in capsys.readouterr().err
    assert calm(*command, "--out", tmp_path / "silent") == 0
    assert "undeclared: no known permission" in capsys.readouterr().out
    assert calm("train", "demo", "--offensive", "--out", tmp_path / "demo") == 2
    assert "R07" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
