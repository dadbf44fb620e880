"""Value identification: planted embeddings are told, random ones are not, and no question stands on both sides."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scripted import Scripted, silent

from calm_lm.data.registry import load
from calm_lm.errors import CalmError, UnavailableError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.subject import LocalSubject
from calm_lm.evaluation.kinds.value_identification import SIZES, class_of, divide, run, told
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task
from calm_lm.lm.answer_cache import AnswerCache
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.stats.arrays import Floats, Ints

MODELS, CODES, QUESTIONS = ("aya-101", "bloomz-rlhf"), ("eng", "fra", "zho"), 60
RNG = np.random.default_rng(0)
CENTRES = {code: np.random.default_rng(place).normal(size=8) for place, code in enumerate(CODES)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two surveys in the authors' layout; every class answers every question of each."""
    root = tmp_path_factory.mktemp("univar")
    for survey in ("pvqrr", "wvs"):
        for model in MODELS:
            path = root / survey / "qa_translated" / f"{model}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="") as stream:
                rows = csv.writer(stream)
                rows.writerow(["question", "answer", "lang"])
                for question in range(QUESTIONS):
                    for code in CODES:
                        rows.writerow([f"Invented question {survey} {question}?", f"as {model} says in {code}", code])
    return root


class Planted(Scripted):
    """Embeds a text as the centre of its language and noise."""

    embedding = "a planted centre"

    def embed(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        return np.stack([20 * CENTRES[text.split()[-1]] + RNG.normal(size=8) for text in texts])


def plan_of(folder: Path, items: int | None = None) -> Plan:
    return Plan(Wanted(load_task("univar"), items), parse_conditions(["neutral"]), folder)


def test_no_question_stands_on_both_sides_and_sizes_hold(folder: Path):
    rows = [row for split in load("univar", data_dir=folder).splits.values() for row in split]
    names, fitted, judged = divide(rows, plan_of(folder))
    assert names == sorted(f"{model}, {language}" for model in MODELS for language in ("en", "fr", "zh"))
    assert not {row.group for row in fitted.rows} & {row.group for row in judged.rows}
    for survey in ("pvqrr", "wvs"):
        for name in names:
            for side, most in ((fitted, SIZES[survey][0]), (judged, SIZES[survey][1])):
                held = [row for row in side.rows if row.source == survey and class_of(row) == name]
                assert 0 < len(held) <= most
    assert [names[each] for each in judged.classes] == [class_of(row) for row in judged.rows]


def test_fewer_items_are_judged_of_each_class(folder: Path):
    rows = [row for split in load("univar", data_dir=folder).splits.values() for row in split]
    names, _, judged = divide(rows, plan_of(folder, items=4))
    assert np.bincount(judged.classes).tolist() == [4] * len(names)
    sources = [[row.source for row in judged.rows if class_of(row) == name] for name in names]
    halves = ["pvqrr", "pvqrr", "wvs", "wvs"]  # all surveys, not the first
    assert [sorted(each) for each in sources] == [halves] * len(names)


def test_one_class_cannot_be_told(folder: Path):
    rows = [row for split in load("univar", data_dir=folder).splits.values() for row in split]
    alone = [row for row in rows if class_of(row) == "aya-101, en"]
    with pytest.raises(CalmError, match="E95") as caught:
        divide(alone, plan_of(folder))
    assert "two pairs" in str(caught.value)


def blobs(classes: int, each: int, apart: float) -> tuple[Floats, Ints]:
    """Points around one centre a class."""
    truth = np.repeat(np.arange(classes), each)
    centres = np.random.default_rng(1).normal(size=(classes, 16))
    return apart * centres[truth] + RNG.normal(size=(classes * each, 16)), truth


def test_planted_classes_are_told_and_the_measures_are_nested():
    x, fitted = blobs(12, 30, 5.0)
    y, truth = blobs(12, 10, 5.0)
    found = told(x, fitted, y, truth)
    assert all(scores.mean() > 0.95 for scores in found.values())
    near, judged = blobs(12, 10, 0.3)
    blurred = told(x, fitted, near, judged)
    assert (blurred["linear"] <= blurred["linear_at_5"]).all()
    assert (blurred["linear_at_5"] <= blurred["linear_at_10"]).all()
    assert blurred["linear"].mean() < blurred["linear_at_5"].mean() < blurred["linear_at_10"].mean()


def test_random_vectors_are_told_as_often_as_by_chance():
    classes, each = 128, 20
    truth = np.repeat(np.arange(classes), each)
    x, y = RNG.normal(size=(2, len(truth), 8))
    found = told(x, truth, y, truth)
    error = (1 / classes / len(truth)) ** 0.5
    assert found["neighbours"].mean() == pytest.approx(1 / classes, abs=4 * error)
    assert found["linear_at_10"].mean() == pytest.approx(10 / classes, abs=4 * (10 / classes / len(truth)) ** 0.5)


def test_a_model_that_tells_languages_apart_and_not_models_is_seen_to(folder: Path):
    subject = Planted()
    result = run(Asker(subject, None, silent), plan_of(folder))
    systems = result.to_json()["systems"]
    mean = {name: system["metrics"]["linear"]["mean"] for name, system in systems.items()}
    assert mean["neutral"] == pytest.approx(1 / len(MODELS), abs=0.12)  # the language, and the model by chance
    assert systems["neutral"]["metrics"]["linear_at_5"]["mean"] > 0.95
    assert mean["words"] > 0.95  # each answer names its model here
    assert mean["chance"] == pytest.approx(1 / 6)
    assert mean["shuffled"] < 0.35
    assert set(result.table.names) == {"en", "fr", "zh"}
    assert len(subject.asked) == len(set(subject.asked))  # each text once


def test_vectors_are_kept_and_come_back_the_same(folder: Path, tmp_path: Path):
    subject = Planted()
    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        first = Asker(subject, cache, silent).embed(["one eng", "two fra"], "vectors")
    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        again = Asker(subject, cache, silent).embed(["two fra", "one eng", "two fra"], "vectors")
    assert subject.asked == ["one eng", "two fra"]
    assert np.array_equal(again, first[[1, 0, 1]])


def test_an_endpoint_gives_no_vectors(folder: Path):
    with pytest.raises(UnavailableError, match="E96"):
        run(Asker(Scripted(), None, silent), plan_of(folder))


def test_who_is_named_for_english_gives_the_vectors_of_english_texts():
    main, other = Planted(), Planted()
    found = Asker(main, None, silent, {"en": other}).embed(["one eng"], "vectors")
    assert (main.asked, other.asked, found.shape) == ([], ["one eng"], (1, 8))


@pytest.mark.lm
def test_mean_states_of_the_embedded_model_are_the_means_over_tokens():
    lm = HuggingFaceLM.load("embedded")
    texts = ["Q: Is it good? A: It is.", "Q: Why? A: Because of what people there have always done, every day."]
    found = LocalSubject(lm).embed(texts)
    for text, vector in zip(texts, found, strict=True):
        states = lm.hidden_states([text], [16]).states[0, 0]
        assert vector == pytest.approx(states.mean(0).double().numpy(), rel=1e-4, abs=1e-4)
