"""Capability: bits per byte and perplexity of planted probabilities, and the byte baseline by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scripted import Scripted, silent

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Likelihood
from calm_lm.evaluation.kinds.capability import Paragraphs, run, unigram_bits
from calm_lm.evaluation.kinds.material import load_material
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task


def plan_of(items: int | None = None) -> Plan:
    return Plan(Wanted(load_task("neutral-text"), items), parse_conditions(["neutral", "persona+country"]))


def test_a_planted_probability_comes_back_as_bits_and_perplexity():
    subject = Scripted(likelihood=lambda text: -2 * len(text.encode()) * math.log(2))
    told = run(Asker(subject, None, silent), plan_of()).to_json()
    model = told["systems"]["neutral"]
    assert model["metrics"]["bits_per_byte"]["mean"] == pytest.approx(2)
    assert model["metrics"]["bits_per_byte"]["interval"] == pytest.approx([2, 2])
    nats = sum(2 * math.log(2) * len(text.encode()) for text in subject.asked)
    words = sum(len(text.split()) for text in subject.asked)  # the planted tokens
    assert model["figures"]["perplexity"]["value"] == pytest.approx(math.exp(nats / words))
    assert len(subject.asked) == 40  # conditions play no part


def test_topics_share_a_small_sample():
    subject = Scripted(likelihood=lambda text: -1.0)
    run(Asker(subject, None, silent), plan_of(10))
    at_hand = {each.text: each.topic for each in load_material(load_task("neutral-text"), Paragraphs).texts}
    assert sorted(at_hand[text] for text in subject.asked).count("tools") == 2
    assert len({at_hand[text] for text in subject.asked}) == 5


def test_byte_frequencies_of_the_other_texts_by_hand():
    # for "ab" the other text is "aab": a has 2 + 1, b has 1 + 1, of 3 + 256
    first, second = unigram_bits(["ab", "aab"])
    assert first == pytest.approx(-(math.log2(3 / 259) + math.log2(2 / 259)) / 2)
    assert second == pytest.approx(-math.log2(2 / 258))
    assert unigram_bits(["é", "é"]) == pytest.approx(np.full(2, -math.log2(2 / 258)))  # two bytes


def test_an_endpoint_does_not_tell():
    class Silent(Scripted):
        def likelihood(self, texts: object) -> list[Likelihood]:
            raise CalmError("E37", "does not tell.", fix="leave it out.")

    with pytest.raises(CalmError, match="E37"):
        run(Asker(Silent(), None, silent), plan_of())


@pytest.mark.lm
def test_the_embedded_model_predicts_english_far_better_than_bytes_and_worse_when_words_are_mixed(tmp_path: Path):
    from calm_lm.evaluation.asking.subject import LocalSubject
    from calm_lm.lm.hf import HuggingFaceLM

    subject = LocalSubject(HuggingFaceLM.load("embedded", local_files_only=True))
    told = run(Asker(subject, None, silent), plan_of(4)).to_json()["systems"]
    assert told["neutral"]["metrics"]["bits_per_byte"]["mean"] < 2
    assert told["byte-unigram"]["metrics"]["bits_per_byte"]["mean"] > 4
    text = load_material(load_task("neutral-text"), Paragraphs).texts[0].text
    mixed = " ".join(np.random.default_rng(0).permutation(text.split()))
    plain, jumbled = subject.likelihood([text, mixed])
    assert plain.log_prob > jumbled.log_prob
