"""`calm evaluate MODEL KEY=VALUE`: settings are read, reach the model, stand in the report, or are refused."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import asdict
from typing import get_args

import pytest
import torch
from chat_server import ChatServer

from calm_lm.cli.evaluate_settings import USES, Settings, check_uses, read_settings
from calm_lm.cli.main import load_command
from calm_lm.cli.modes import ENDPOINTS
from calm_lm.culture.norm_files import save_norms
from calm_lm.culture.norms import NormRecord, NormStore
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.open_subject import Kind, OpenOptions, model_kind, open_subject
from calm_lm.lm.answer_cache import AnswerCache
from calm_lm.lm.loading import DTYPES
from calm_lm.survey.registry import load_survey
from calm_lm.survey.toy import PLACES
from calm_lm.training.norm_sources import open_norms

KINDS: tuple[Kind, ...] = get_args(Kind)
TOY = ("--suite", "toy", "--items", "3")  # the suite asks for two presentations of each
ONE = ("--suite", "toy", "--items", "1")


@pytest.fixture
def server():
    with ChatServer(lambda prompt, seed: "A" if "A." in prompt else "1") as running:
        yield running


@pytest.fixture(scope="module")
def tiny_folder(world, tmp_path_factory):
    """The tiny model as a folder, with room for whole questions."""
    folder = world.save_lm(tmp_path_factory.mktemp("tiny"))
    for name, key in (("config.json", "max_position_embeddings"), ("tokenizer_config.json", "model_max_length")):
        told = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(told | {key: 4096}))
    return folder


# -- reading ---------------------------------------------------------------------------------------------


def test_words_become_typed_settings():
    words = ["device=cuda:1", "dtype=bfloat16", "temperature=0.7", "presentations=4", "replicates=500", "norms=a=b"]
    found = read_settings(words)
    assert asdictlike(found) == ("cuda:1", "bfloat16", 0.7, 4, 500, "a=b")
    assert read_settings([]) == Settings()


def asdictlike(settings: Settings) -> tuple[object, ...]:
    return tuple(settings.model_dump().values())


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["foo"], "R26", "KEY=VALUE"), (["=4"], "R26", "KEY=VALUE"),
        (["dtype=float16", "dtype=float32"], "R26", "twice"),
        (["presentation=4"], "R27", "presentations"), (["Temprature=1"], "R27", "temperature"),
        (["q=1"], "R27", "device or dtype or temperature or presentations or replicates or norms"),
        (["dtype=int8"], "R28", "'bfloat16'"), (["presentations=0"], "R28", "greater than or equal to 1"),
        (["presentations=2.5"], "R28", "integer"), (["temperature=-1"], "R28", "0"),
        (["temperature=nan"], "R28", "finite"),
        (["temperature=hot"], "R28", "number"), (["replicates=99"], "R28", "100"), (["device="], "R28", "device"),
        (["norms="], "R28", "norms"),
    ],
)  # fmt: skip
def test_what_is_no_setting_is_named_with_what_is(words, code, told):
    with pytest.raises(CalmError) as error:
        read_settings(words)
    assert error.value.code == code
    assert told in str(error.value)


def test_the_types_are_those_that_models_load_in():
    assert set(get_args(Settings.model_fields["dtype"].annotation)) == set(DTYPES)


# -- who heeds them --------------------------------------------------------------------------------------


def test_every_setting_and_every_option_of_endpoints_is_told_whom_it_is_for():
    of_endpoints = {each.name for each in load_command("evaluate").params if each.rich_help_panel == ENDPOINTS}
    assert set(USES) == set(Settings.model_fields) | of_endpoints
    assert {"samples", "retries"} <= of_endpoints


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_setting_is_refused_unless_a_model_heeds_it(name, kind):
    use = USES[name]
    for tested, judges, heeded in (
        ((kind,), (), kind in use.tested),
        (("local", kind), (), kind in use.tested or "local" in use.tested),  # a second model for some languages
        (("run",), (kind,), "run" in use.tested or kind in use.judges),
    ):
        if heeded:
            check_uses([name, "out", "items"], tested, judges, tell_norms=True)
        else:
            with pytest.raises(CalmError, match="R29") as error:
                check_uses([name, "out"], tested, judges, tell_norms=True)
            assert error.value.field in (name, f"--{name}")


def test_norms_that_no_condition_tells_are_refused():
    with pytest.raises(CalmError, match=r"R29.*norms"):
        check_uses(["norms"], ["local"], [], tell_norms=False)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("temperature=0.5",), "R29"), (("--samples", "5"), "R29"), (("--connections", "8"), "R29"),
        (("--timeout", "9"), "R29"), (("--retries", "6"), "R29"), (("norms=bundled",), "R29"), (("dvice=cpu",), "R27"),
        (("device=nowhere",), "L09"), (("presentations=x",), "R28"), (("--judge", "gpt"), "E46"),
    ],
)  # fmt: skip
def test_mistakes_with_a_local_model_end_before_it_is_loaded(calm, tiny_folder, tmp_path, capsys, words, code):
    assert calm("evaluate", tiny_folder, *TOY, "--out", tmp_path / "r", *words) == 2
    error = capsys.readouterr().err
    assert f"[{code}]" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(("word", "code"), [("dtype=bfloat16", "R29"), ("device=cpu", "R29"), ("temperature=0", "E67")])
def test_mistakes_with_an_endpoint_end_before_it_is_asked(calm, server, tmp_path, capsys, word, code):
    assert calm("evaluate", server.name, *TOY, "--out", tmp_path / "r", word) == 2
    assert f"[{code}]" in capsys.readouterr().err
    assert not server.asked


# -- reaching the model ----------------------------------------------------------------------------------


def test_what_is_given_reaches_an_endpoint_and_the_report(calm, server, tmp_path):
    words = ("--samples", "2", "--conditions", "neutral", "temperature=0.25", "presentations=1", "replicates=100")
    assert calm("evaluate", server.name, *words[4:], *TOY, *words[:4], "--out", tmp_path / "r") == 0
    assert {json.loads(body)["temperature"] for body in server.asked} == {0.25}
    assert len(server.asked) == 3 * 1 * 2  # items, presentations, samples
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert report["tasks"]["toy-survey"]["asked"]["presentations"] == 1
    assert report["manifest"]["settings"] == {
        "temperature": 0.25, "presentations": 1, "replicates": 100, "samples": 2, "connections": 8, "timeout": 60.0,
        "retries": 6,
    }  # fmt: skip


def test_a_judge_at_an_endpoint_takes_its_options(calm, tiny_folder, server, tmp_path):
    words = ("--conditions", "neutral", "--judge", server.name, "--retries", "1", "presentations=1", "replicates=100")
    assert calm("evaluate", tiny_folder, *ONE, *words, "--out", tmp_path / "r") == 0
    settings = json.loads((tmp_path / "r" / "report.json").read_text())["manifest"]["settings"]
    assert settings["retries"] == 1
    assert "samples" not in settings  # a judge writes one greedy text
    assert not server.asked


def test_a_local_model_really_loads_in_another_type(calm, tiny_folder, tmp_path):
    words = ("--conditions", "neutral", "dtype=bfloat16", "device=cpu", "presentations=1")
    assert calm("evaluate", tiny_folder, *ONE, *words, "--out", tmp_path / "r") == 0
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert report["subject"]["settings"]["dtype"] == "torch.bfloat16"
    expected = {"device": "cpu", "dtype": "bfloat16", "presentations": 1, "replicates": 1000}
    assert report["manifest"]["settings"] == expected
    with AnswerCache(tmp_path / "a.sqlite") as cache:
        options = OpenOptions(offline=True, dtype="bfloat16", device="cpu")
        subject = open_subject(str(tiny_folder), options, cache, print)
        assert {each.dtype for each in subject.lm.model.parameters()} == {torch.bfloat16}


def test_more_replicates_are_other_draws_of_the_same_scores(calm, server, tmp_path):
    scores = []
    for at, number in enumerate((100, 200)):
        words = ("--samples", "1", "--conditions", "neutral", f"replicates={number}")
        assert calm("evaluate", server.name, *TOY, *words, "--items", "6", "--out", tmp_path / str(at)) == 0
        report = json.loads((tmp_path / str(at) / "report.json").read_text())
        scores.append(report["tasks"]["toy-survey"]["systems"]["neutral"]["metrics"]["wasserstein"])
    assert scores[0]["mean"] == scores[1]["mean"]
    assert scores[0]["interval"] != scores[1]["interval"]


# -- norms -----------------------------------------------------------------------------------------------


@pytest.fixture
def records():
    """An invented norm for every item and place of the synthetic survey, in the item's own words."""
    survey = load_survey("toy")
    return [
        NormRecord(
            f"{item.id}-{place}", place, f"speaking of {re.sub(r'[^a-z ]', '', item.text.lower())}", "fine", "us"
        )
        for item in survey.instrument.items.values()
        for place in PLACES
    ]


@pytest.mark.parametrize("folder", [False, True])
def test_norm_records_of_ones_own_are_told(calm, server, tmp_path, records, folder):
    (tmp_path / "mine").mkdir()
    half = len(records) // 2 if folder else len(records)
    save_norms(NormStore(records[:half]), tmp_path / "mine" / "a.jsonl")
    if folder:
        save_norms(NormStore(records[half:]), tmp_path / "mine" / "b.jsonl")
    name = tmp_path / "mine" if folder else tmp_path / "mine" / "a.jsonl"
    words = ("--samples", "1", "--conditions", "neutral,persona+norms", f"norms={name}")
    assert calm("evaluate", server.name, *TOY, *words, "--out", tmp_path / "r") == 0
    assert any("speaking of" in body for body in server.asked)
    told = json.loads((tmp_path / "r" / "report.json").read_text())["manifest"]["settings"]["norms"]
    digest = hashlib.sha256(json.dumps([asdict(record) for record in records]).encode()).hexdigest()
    assert told == {"name": name.name, "records": len(records), "sha256": digest}


def test_norm_records_that_are_none_are_refused(calm, server, tmp_path, capsys):
    words = (*TOY, "--conditions", "neutral,persona+norms", "--out", tmp_path / "r")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "wrong.jsonl").write_text("no record\n")
    for name, code in (("empty.jsonl", "R28"), ("wrong.jsonl", "C14"), ("nowhere.jsonl", "F01"), (".", "C14")):
        assert calm("evaluate", server.name, *words, f"norms={tmp_path / name}") == 2
        assert f"[{code}]" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "r", ignore_errors=True)
    assert not server.asked


# -- names -----------------------------------------------------------------------------------------------


def test_names_of_models_have_a_kind(tiny_folder, tmp_path):
    (tmp_path / "manifest.json").touch()
    names = ["embedded", "hf:some/name", "adapter:there", str(tiny_folder), "openai:m@http://127.0.0.1:1/v1"]
    assert [model_kind(name) for name in (*names, str(tmp_path))] == ["local"] * 4 + ["endpoint", "run"]


def test_an_id_in_two_files_of_a_folder_is_named_with_the_second_file(tmp_path, records):
    for name in ("a", "b"):
        save_norms(NormStore(records[:1]), tmp_path / f"{name}.jsonl")
    with pytest.raises(CalmError) as error:
        open_norms(str(tmp_path))
    assert error.value.code == "T14"
    assert error.value.file == str(tmp_path / "b.jsonl")
