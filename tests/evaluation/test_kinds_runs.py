"""Trained runs on labelled rows: what they are asked, as whom, and that nothing is asked twice, even after a kill."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from killed_asker import kill_and_go_on
from scripted import Scripted, silent, uniform

from calm_lm.culture.blend import Blend
from calm_lm.data.benchmarks.registry import load_dataset
from calm_lm.data.example import Dataset, Example
from calm_lm.errors import CalmError, UnavailableError
from calm_lm.evaluation.asking.asker import AT_ONCE, Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.kinds.labels import run
from calm_lm.evaluation.kinds.run_rows import classify_rows, readable, run_of
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task
from calm_lm.lm.answer_cache import AnswerCache

BOTH = parse_conditions(["neutral", "persona+country"])
PLACES = ("x-in-region", "x-north-america")
PAIRS = 4


class Run(Scripted):
    """A trained run: it answers its labels and nothing else, by a number in the text and by who reads."""

    labels: tuple[str, ...] = ("not_stereotype", "stereotype")
    fitted_on = "something else"

    def __init__(self, *readers: str) -> None:
        super().__init__()
        self.readers = readers

    def choose(self, questions):
        raise CalmError("E45", "answers its labels only.", fix="leave it out.")

    def classify(self, texts, readers):
        assert set(readers) <= {None, *self.readers}
        self.asked += zip(texts, readers, strict=True)
        yes = [(len(text) % 7 + 1) / 9 + (0.1 if reader else 0) for text, reader in zip(texts, readers, strict=True)]
        return np.asarray([[1 - each, each] for each in yes])


@pytest.fixture
def folder(tmp_path):
    """Four invented pairs, judged by three people on each side."""
    path = tmp_path / "seegull" / "stereotypes_global_v2.csv"
    path.parent.mkdir()
    header = ["identity", "attribute", "region_stereo", "region_nonstereo", "region_unsure"]
    header += ["NA_stereo", "NA_nonstereo", "NA_unsure"]
    rows = [["Thai" if at % 2 else "Irish", "abcd"[at], at % 3, 3 - at % 3, 0, 1, 2, 0] for at in range(PAIRS)]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return tmp_path


def plan_of(folder, conditions=BOTH) -> Plan:
    return Plan(Wanted(load_task("seegull")), conditions, folder, replicates=40)


def told(subject, plan, cache=None) -> dict:
    return run(Asker(subject, cache, silent), plan).to_json()


# -- as whom ---------------------------------------------------------------------------------------------


def test_a_run_classifies_each_text_for_nobody_and_for_every_reader(folder):
    subject = Run(*PLACES)
    found = told(subject, plan_of(folder, parse_conditions(["neutral", "neutral+country", "persona+country"])))
    models = [name for name, each in found["systems"].items() if each["role"] == "model"]
    assert models == ["neutral", "neutral+country"]
    assert "no framing" in found["asked"]["conditions_left_out"]["persona+country"]
    assert found["asked"]["presentations"] is None  # it reads a text once
    assert found["asked"]["readers_left_out"] == {}
    readers = [reader for _, reader in subject.asked]
    assert sorted(readers, key=str) == sorted([None] * PAIRS + list(PLACES) * PAIRS, key=str)
    rows = load_dataset("seegull", folder).splits["test"]
    by_hand = {row.reader.single: [] for row in rows}
    for row in rows:
        yes = (len(row.text) % 7 + 1) / 9 + 0.1
        people = row.votes[1] / 3
        by_hand[row.reader.single].append(-(people * np.log(yes) + (1 - people) * np.log(1 - yes)))
    cost = found["systems"]["neutral+country"]["metrics"]["cross_entropy"]["by_culture"]
    for place in PLACES:
        assert cost[place]["value"] == pytest.approx(np.mean(by_hand[place]))


def test_rows_of_readers_whom_the_run_does_not_know_are_left_out_and_that_is_told(folder):
    subject = Run("x-in-region")
    found = told(subject, plan_of(folder))
    assert found["cultures"] == ["x-in-region"]
    assert found["rows"] == PAIRS  # under neutral too, so that all are judged on the same rows
    assert list(found["asked"]["readers_left_out"]) == ["x-north-america"]
    assert f"{PAIRS} rows" in found["asked"]["readers_left_out"]["x-north-america"]
    assert any("x-north-america are left out" in note for note in found["asked"]["notes"])
    assert not {"persona+country/permuted", "other-readers"} & set(found["systems"])  # nobody to exchange or to ask
    alone = told(Run("x-in-region"), plan_of(folder, parse_conditions(["neutral"])))
    assert alone["rows"] == 2 * PAIRS  # where nobody's reading is asked for, nobody's is missing
    assert alone["asked"]["readers_left_out"] == {}


def test_a_run_that_knows_none_of_the_readers_leaves_the_task_out(folder):
    with pytest.raises(UnavailableError, match=r"E66.*x-in-region, x-north-america.*knows AU, GB"):
        told(Run("AU", "GB"), plan_of(folder))
    assert told(Run("AU"), plan_of(folder, parse_conditions(["neutral"])))["rows"] == 2 * PAIRS


def test_a_run_without_readers_is_asked_for_nobody_only(folder):
    found = told(Run(), plan_of(folder))
    assert [name for name, each in found["systems"].items() if each["role"] == "model"] == ["neutral"]
    assert "without readers" in found["asked"]["conditions_left_out"]["persona+country"]
    assert found["rows"] == 2 * PAIRS
    with pytest.raises(UnavailableError, match=r"E60.*without readers"):
        told(Run(), plan_of(folder, parse_conditions(["persona+country"])))


def test_a_run_of_other_labels_and_a_model_that_is_asked_lose_no_rows(folder):
    other = Run("x-in-region")
    other.labels = ("hate", "not_hate")
    with pytest.raises(CalmError, match="E45"):
        told(other, plan_of(folder))
    data = load_dataset("seegull", folder)
    assert run_of(Asker(other, None, silent), data) is None
    assert run_of(Asker(Scripted(uniform), None, silent), data) is None
    assert readable(None, data, plan_of(folder)).data is data


def test_a_blend_of_readers_is_a_reader_of_its_own():
    rows = tuple(Example(f"text {at}", f"{at}/x", str(at), 0, reader=Blend.of("AU")) for at in range(3))
    rows += (replace(rows[0], id="9/x", reader=Blend.parse("AU=0.5,SG=0.5")), replace(rows[0], id="8/x", reader=None))
    data = Dataset("invented", Run.labels, 1, {"test": rows}, "reader")
    plan = Plan(Wanted(load_task("seegull")), BOTH)
    found = readable(Run("AU", "SG"), data, plan)
    assert list(found.readers_left_out) == ["AU=0.5,SG=0.5"]
    subject = Run("AU", "SG")
    answers, _ = classify_rows(Asker(subject, None, silent), subject, found.data.splits["test"], plan)
    assert [condition.name for condition, _ in answers] == ["neutral", "persona+country"]
    assert {reader for _, reader in subject.asked} == {"AU", None}


# -- once ------------------------------------------------------------------------------------------------


def test_a_second_evaluation_asks_the_run_nothing(folder, tmp_path):
    first, second = Run(*PLACES), Run(*PLACES)
    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        before = told(first, plan_of(folder), cache)
        asker = Asker(second, cache, silent)
        after = run(asker, plan_of(folder)).to_json()
    assert len(first.asked) == 3 * PAIRS
    assert second.asked == []
    assert after == before
    assert asker.cost.from_cache == asker.cost.questions == 3 * PAIRS
    assert asker.cost.seconds > 0  # what it took when it was asked


@pytest.mark.parametrize("change", ["fingerprint", "labels", "reader", "text"])
def test_another_run_text_reader_or_label_is_another_question(tmp_path, change):
    subject = Run("AU", "SG")
    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        Asker(subject, cache, silent).classify(["a text"], ["AU"], "x")
        text, reader = "a text", "AU"
        if change == "fingerprint":
            subject.identity = replace(subject.identity, fingerprint="other weights")
        elif change == "labels":
            subject.labels = ("no", "yes")
        elif change == "reader":
            reader = "SG"
        else:
            text = "another text"
        Asker(subject, cache, silent).classify([text], [reader], "x")
        assert len(subject.asked) == 2
        Asker(subject, cache, silent).classify([text], [reader], "x")
    assert len(subject.asked) == 2


def test_progress_is_told_and_answers_come_in_the_order_of_the_rows():
    seen = []
    texts = ["w" * (9 - at % 7) for at in range(20)]
    found = Asker(Run("AU"), None, lambda *told: seen.append(told)).classify(texts, ["AU"] * 20, "a task")
    assert found.shape == (20, 2)
    assert np.array_equal(found, Run("AU").classify(texts, ["AU"] * 20))
    assert seen == [("a task", 0, 7), ("a task", 7, 7)]  # equal texts are read once


CHILD = """
from killed_asker import kill_and_go_on
from scripted import silent
from test_kinds_runs import Run
class Slow(Run):
    def classify(self, texts, readers):
        for text, reader in zip(texts, readers):
            note(f"{text}/{reader}")
        return super().classify(texts, readers)
texts = [f"text {i // 2:04}" for i in range(n)]
found = Asker(Slow("AU", "SG"), cache, silent).classify(texts, ["AU", "SG"] * (n // 2), "x")
assert found.shape == (n, 2)
"""


def test_a_killed_evaluation_of_a_run_goes_on_with_what_is_left(tmp_path):
    n = 4 * AT_ONCE
    asked = kill_and_go_on(tmp_path, CHILD, n, 0.6, places=[Path(__file__).parent])
    assert len(set(asked)) == n
