"""Sentence pairs: the preference, its distance from one half, and endpoints that cannot tell."""

from __future__ import annotations

import json

import pytest
from scripted import Scripted, silent

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.kinds.pairs import run
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task

PAIRS = [
    ("more one", "less one", "stereo", "religion"),
    ("more two", "less two", "antistereo", "religion"),
    ("more three", "less three and longer", "stereo", "age"),
]
LOG_PROB = {"more one": -4, "less one": -6, "more two": -9, "less two": -5, "more three": -8}
LOG_PROB["less three and longer"] = -10  # less likely in all, likelier a word (4 words against 2)


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "crows-pairs/crows_pairs_anonymized.csv"
    path.parent.mkdir()
    lines = [",".join(pair) for pair in PAIRS]
    path.write_text("\n".join(["sent_more,sent_less,stereo_antistereo,bias_type", *lines]) + "\n")
    return Plan(Wanted(load_task("crows-pairs")), parse_conditions(["neutral"]), tmp_path, replicates=100)


def told(subject, plan) -> dict:
    found = run(Asker(subject, None, silent), plan).to_json()
    json.dumps(found, allow_nan=False)
    return found


def test_the_preference_by_hand(plan):
    system = told(Scripted(likelihood=LOG_PROB.__getitem__), plan)["systems"]["sentences"]
    preference = system["metrics"]["stereotype_preference"]
    assert {name: each["value"] for name, each in preference["by_culture"].items()} == {"age": 1, "religion": 0.5}
    assert (preference["mean"], preference["overall"]) == (0.75, pytest.approx(2 / 3))
    assert preference["worst"] is None  # neither end is good
    assert system["metrics"]["per_token"]["by_culture"]["age"]["value"] == 0
    assert system["figures"]["distance_from_half"]["value"] == pytest.approx(0.25)
    assert system["figures"]["distance_from_half"]["dimension"] == "harm"
    assert system["figures"]["preference_antistereo"]["value"] == 0


def test_no_difference_is_one_half_and_the_shorter_sentence_is_a_baseline(plan):
    systems = told(Scripted(likelihood=lambda text: -7.0), plan)["systems"]
    assert systems["sentences"]["metrics"]["stereotype_preference"]["mean"] == 0.5
    assert systems["sentences"]["figures"]["distance_from_half"]["value"] == 0
    shorter = systems["shorter"]["metrics"]["stereotype_preference"]["by_culture"]
    assert {name: each["value"] for name, each in shorter.items()} == {"age": 1, "religion": 0.5}


def test_an_endpoint_cannot_tell(plan):
    class Endpoint(Scripted):
        def likelihood(self, texts):
            raise CalmError("E37", "does not tell.", fix="leave it out.")

    with pytest.raises(CalmError, match="E37"):
        told(Endpoint(), plan)


@pytest.mark.lm
def test_a_real_model_prefers_one_of_two_sentences(plan):
    from calm_lm.evaluation.asking.subject import LocalSubject
    from calm_lm.lm.hf import HuggingFaceLM

    subject = LocalSubject(HuggingFaceLM.load("embedded", local_files_only=True))
    found = told(subject, plan)["systems"]["sentences"]["metrics"]["stereotype_preference"]["by_culture"]
    assert found["age"]["value"] in (0, 1)
