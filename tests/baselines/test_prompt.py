"""Asking the backbone: prompts, orders of the options, who is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from calm_lm.baselines.prompt import CALIBRATION_ROWS, _some
from calm_lm.baselines.registry import get_baseline
from calm_lm.baselines.wordings import WORDINGS, wording_of
from calm_lm.lm.protocol import OptionScores
from calm_lm.stats.probability import softmax


class Scripted:
    """Answers that depend on the prompt in a known way, in place of a model; prompts are written down."""

    def __init__(self, lm, favour):
        self.lm, self.favour, self.prompts = lm, favour, []
        self.model, self.identity, self.d_model, self.n_layers = lm.model, lm.identity, lm.d_model, lm.n_layers

    def lora_state(self):
        return {}

    def remove_lora(self):
        pass

    def score_options(self, prompts, options):
        self.prompts += prompts
        return [
            OptionScores(torch.tensor([self.favour(prompt, option) for option in row]), torch.ones(len(row)))
            for prompt, row in zip(prompts, options, strict=True)
        ]


def asked(here, favour):
    lm = Scripted(here.given.pretrained.lm, favour)
    return lm, replace(here.given, pretrained=replace(here.given.pretrained, lm=lm))


@pytest.mark.parametrize("name", ["prompt", "prompt-country"])
def test_shares_are_those_of_the_backbone_at_one_temperature(world, name):
    here = world()
    fitted = get_baseline(name).fit(here.given, 0)
    p = fitted(here.test)
    assert p == pytest.approx(softmax(fitted.logits(here.test) / fitted.temperature))
    assert (fitted.parameters, fitted.temperature == 1.0) == (0, False)
    assert np.allclose(p[::2], p[1::2]) == (name == "prompt")
    assert get_baseline(name).fit(replace(here.given, valid=None), 0).temperature == 1.0


def test_options_stand_in_every_order_and_the_mean_counts(world):
    here = world()
    # A model that always takes the option named first prefers nothing on average.
    first = lambda prompt, option: 0.0 if f"with{option}" in prompt else -3.0  # noqa: E731
    lm, given = asked(here, first)
    logits = get_baseline("prompt").fit(replace(given, valid=None), 0).logits(here.test)
    assert logits == pytest.approx(np.full((48, 2), -1.5))
    assert len(lm.prompts) == len(set(lm.prompts)) == 2 * len(here.test.texts)


def test_country_is_named_only_where_there_is_one(world):
    here = world()
    lm, given = asked(here, lambda prompt, option: float("Singapore" in prompt and option == " odd"))
    fitted = get_baseline("prompt-country").fit(replace(given, valid=None), 0)
    assert fitted.logits(here.test)[:2].tolist() == [[0.0, 0.0], [0.0, 1.0]]
    lm.prompts.clear()
    nobody = replace(here.test, readers=torch.zeros_like(here.test.readers))
    assert not fitted.logits(nobody).any()
    assert not any("You are" in prompt for prompt in lm.prompts)


def test_no_more_of_a_text_is_asked_about_than_calm_reads(world, tmp_path):
    here = world("backbone.max_length=8")
    from calm_lm.training.material import CachedViews

    views = CachedViews(here.given.pretrained.lm, None, 2, 8, tmp_path)
    views.prepare(["plum fig " * 9], lambda *_: None)
    rows = replace(
        here.test, examples=here.test.examples[:1], texts=("plum fig " * 9,), text_of=torch.zeros(1, dtype=torch.int64),
        readers=here.test.readers[:1],
    )  # fmt: skip
    lm, given = asked(here, lambda prompt, option: 0.0)
    get_baseline("prompt").fit(replace(given, views=views, valid=None), 0).logits(rows)
    assert all(prompt.count("plum") == prompt.count("fig") == 4 for prompt in lm.prompts)


def test_temperature_comes_from_evenly_spaced_rows(world):
    valid = world().given.valid
    some = _some(valid, 7)
    assert [e.id for e in some.examples] == [valid.examples[round(i * 47 / 6)].id for i in range(7)]
    assert torch.equal(some.labels, torch.tensor([e.label for e in some.examples]))
    assert _some(valid, CALIBRATION_ROWS).examples == valid.examples


def test_every_label_has_its_own_word():
    for name, wording in WORDINGS.items():
        assert len(set(wording.answers)) == len(wording.answers), name
    own = wording_of("fruit", ("not_ripe", "ripe"))
    assert own.answers == ("not ripe", "ripe")
    assert wording_of("crehate", ("a", "b", "c")).answers == ("a", "b", "c")
    assert wording_of("crehate", ("not_hate", "hate")) is WORDINGS["crehate"]
    prompt = WORDINGS["demo"].prompt("Somebody waits.", "Brazil", [1, 2, 3, 0])
    assert "Brazil" in prompt
    assert prompt.endswith("fine, out of place, varying or expected.\nAnswer:")


def test_wordings_have_an_answer_for_each_label_of_the_registered_sets():
    from calm_lm.data.sources import blend, crehate, cultureatlas, demo, emgsd

    for source in (blend, crehate, cultureatlas, demo, emgsd):
        assert len(WORDINGS[source.__name__.rpartition(".")[2]].answers) == len(source.LABELS)
