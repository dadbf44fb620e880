"""A trained run through a suite, by the command line: as its own readers, and nothing twice."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from calm_lm.culture.norm_files import save_norms
from calm_lm.culture.norms import NormRecord, NormStore
from calm_lm.evaluation.asking.calm_subject import CalmSubject
from calm_lm.evaluation.asking.open_subject import OpenOptions, open_subject
from calm_lm.lm.answer_cache import AnswerCache

SIDES = ("x-in-region", "x-north-america")
PAIRS = 6


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Invented pairs, judged by three people on each side."""
    folder = tmp_path_factory.mktemp("data")
    path = folder / "seegull" / "stereotypes_global_v2.csv"
    path.parent.mkdir()
    counts = ["stereo", "nonstereo", "unsure"]
    header = ["identity", "attribute", *(f"region_{name}" for name in counts), *(f"NA_{name}" for name in counts)]
    rows = [["Thai" if at % 2 else "Irish", "abcdef"[at], at % 4, 3 - at % 4, 0, 1, 2, 0] for at in range(PAIRS)]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return folder


@pytest.fixture(scope="module")
def side_run(calm, world, settings, tmp_path_factory, monkeypatch_session):
    """A run of the labels of SeeGULL that has read as people of the region and as one country, with a norm to cite."""
    folder = tmp_path_factory.mktemp("sides")
    texts = [(text, f"{'not_' * (at % 2)}stereotype") for at, text in enumerate(world.TEXTS[:32])]
    with (folder / "own.csv").open("w", newline="") as stream:
        csv.writer(stream).writerow(["text", "culture", "label"])
        csv.writer(stream).writerows([text, who, label] for text, label in texts for who in ("AU", SIDES[0]))
    save_norms(NormStore([NormRecord("cake", "AU", "bringing a cake", "fine", "invented")]), folder / "norms.jsonl")
    words = (*settings, "train.evaluations=1", f"norms={folder / 'norms.jsonl'}", "--culture", "culture")
    assert calm("train", folder / "own.csv", *words, "--out", folder / "run") == 0
    return folder / "run"


def evaluate(calm, run, data_dir, out, *words):
    common = ("--tasks", "seegull", "--data-dir", data_dir, "--conditions", "neutral,persona+country", "--out", out)
    return calm("evaluate", run, *common, *words)


def test_a_run_reads_as_the_readers_it_knows_and_is_asked_once(calm, side_run, data_dir, tmp_path, monkeypatch):
    out = tmp_path / "report"
    assert evaluate(calm, side_run, data_dir, out, "device=cpu", "replicates=100") == 0
    first = json.loads((out / "report.json").read_text())
    task = first["tasks"]["seegull"]
    assert task["cultures"] == [SIDES[0]]
    assert "not trained with this reader" in task["asked"]["readers_left_out"][SIDES[1]]
    cost = first["cost"]["tasks"]["seegull"]
    assert (cost["questions"], cost["from_cache"]) == (2 * PAIRS, 0)
    assert cost["seconds"] > 0
    assert first["manifest"]["settings"] == {"device": "cpu", "replicates": 100}
    assert SIDES[1] in (out / "report.html").read_text()

    def refuse(*_):
        raise AssertionError("asked again")

    monkeypatch.setattr(CalmSubject, "classify", refuse)
    assert evaluate(calm, side_run, data_dir, out, "replicates=100", "--resume") == 0
    second = json.loads((out / "report.json").read_text())
    assert second["cost"]["tasks"]["seegull"]["from_cache"] == 2 * PAIRS
    assert second["tasks"]["seegull"]["systems"] == task["systems"]


def test_a_run_of_other_labels_or_readers_is_left_out_with_the_reason(calm, run_folder, data_dir, tmp_path):
    assert evaluate(calm, run_folder, data_dir, tmp_path / "r") == 1  # and there is nothing else in the report
    assert "E45" in json.loads((tmp_path / "r" / "report.json").read_text())["left_out"]["seegull"]


@pytest.mark.parametrize("word", ["dtype=bfloat16", "presentations=2", "norms=bundled", "temperature=0.5"])
def test_what_a_run_does_not_heed_is_refused(calm, side_run, data_dir, tmp_path, capsys, word):
    conditions = ("--conditions", "neutral,persona+norms")
    assert evaluate(calm, side_run, data_dir, tmp_path / "r", *conditions, word) == 2
    assert "[R29]" in capsys.readouterr().err


def test_the_answers_do_not_depend_on_what_is_asked_with_them_but_on_the_norms_to_cite(side_run, tmp_path):
    texts, readers = ["A guest sits down.", "An uncle brings a cake."], [SIDES[0], "AU"]
    with AnswerCache(tmp_path / "a.sqlite") as cache:
        subject = open_subject(str(side_run), OpenOptions(offline=True, device="cpu"), cache, print)
    assert isinstance(subject, CalmSubject)
    alone = np.stack([subject.classify([text], [reader])[0] for text, reader in zip(texts, readers, strict=True)])
    spent = subject.usage.read
    assert subject.classify(texts, readers) == pytest.approx(alone, abs=1e-5)
    assert subject.usage.read > spent > 0  # norms that are cited are read once, the texts each time
    assert subject.usage.written == 0
    assert alone.sum(1) == pytest.approx(1)
    norms = side_run.parent / "norms.jsonl"
    before = norms.read_bytes()
    try:
        norms.write_bytes(before.replace(b"fine", b"out of place"))
        assert CalmSubject.open(side_run, offline=True).identity.fingerprint != subject.identity.fingerprint
    finally:
        norms.write_bytes(before)
    assert CalmSubject.open(side_run, offline=True).identity.fingerprint == subject.identity.fingerprint
