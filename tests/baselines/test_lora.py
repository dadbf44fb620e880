"""The matched LoRA baselines: as many parameters as CALM, the reader where it belongs, the backbone left as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from calm_lm.baselines import learner
from calm_lm.baselines.backbone import adapted, untouched
from calm_lm.baselines.lora import _AdaptedReader, _tag
from calm_lm.baselines.predictor import choice_score
from calm_lm.baselines.registry import get_baseline
from calm_lm.baselines.sizes import calm_parameters
from calm_lm.errors import CalmError
from calm_lm.model.layers import weighted_mean
from calm_lm.model.storage import attach_lora
from calm_lm.training.run import fit_model

ADAPT = "backbone.adapt_layers=[1,2]"
LORA = ["lora-tag", "lora-heads"]


def trained_numbers(here, tmp_path):
    """What CALM trains on the same data, counted on a real model; the backbone is left clean."""
    config = here.given.config
    config = config.model_copy(update={"train": config.train.model_copy(update={"epochs": 0.1})})
    model = fit_model(config, here.given.dataset, here.given.pretrained, seed=0, folder=tmp_path / "run")
    lora = here.given.pretrained.lm.lora_state()
    here.given.pretrained.lm.remove_lora()
    return sum(p.numel() for p in model.network.parameters()), sum(t.numel() for t in lora.values())


@pytest.mark.parametrize("sentence", [True, False])
def test_as_many_parameters_as_calm(world, tmp_path, sentence):
    here = world(ADAPT, "train.epochs=0.1", "model.width=64", "model.mlp_hidden=64", sentence=sentence)
    network, lora = trained_numbers(here, tmp_path)
    assert calm_parameters(here.given) == network
    for name, wanted in {"mlp": network, "lora-tag": network + lora, "lora-heads": network + lora}.items():
        assert get_baseline(name).fit(here.given, 0).parameters == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize("name", LORA)
def test_rule_of_each_reader_is_learned_and_the_backbone_left_clean(world, name, monkeypatch):
    monkeypatch.setattr(learner, "STEP_SIZES", (1.0,))
    here = world(ADAPT, "train.epochs=8", "model.probe=false")  # a probe knows the rule before any step
    lm = here.given.pretrained.lm
    texts = list(here.test.texts[:4])
    before = lm.hidden_states(texts, [4]).states
    weights = {key: value.clone() for key, value in lm.model.state_dict().items()}
    fitted = get_baseline(name).fit(here.given, 0)
    assert lm.lora_state() == {}
    assert lm.model.state_dict().keys() == weights.keys()
    assert all(torch.equal(value, weights[key]) for key, value in lm.model.state_dict().items())
    p = fitted(here.test)
    assert p.sum(1) == pytest.approx(np.ones(48))
    assert torch.equal(lm.hidden_states(texts, [4]).states, before)
    positive = p[:, 1].reshape(-1, 2)
    kinds = np.array([example.source for example in here.test.examples]).reshape(-1, 2)[:, 0]
    assert (positive[kinds == "plum"] > 0.5).mean() > 0.8
    assert (positive[kinds == "fig"] < 0.5).mean() > 0.8
    assert (positive[kinds == "cherry", 1] - positive[kinds == "cherry", 0]).mean() > 0.1


@pytest.mark.parametrize("name", LORA)
def test_same_seed_same_answer_another_seed_another(world, name):
    here = world(ADAPT, "train.epochs=1", valid=False)
    first, again, other = (get_baseline(name).fit(here.given, seed)(here.test) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("name", ["lora-tag", "mlp"])
def test_lora_of_a_trained_calm_is_put_back(world, name):
    here = world(ADAPT, "train.epochs=1", valid=False)
    lm, backbone = here.given.pretrained.lm, here.given.config.backbone
    clean = get_baseline(name).fit(here.given, 0)(here.test)
    attach_lora(lm, backbone, seed=4)
    moved = {key: torch.full_like(value, 0.1) for key, value in lm.lora_state().items()}
    lm.load_lora_state(moved)
    try:
        fitted = get_baseline(name).fit(here.given, 0)
        assert np.array_equal(fitted(here.test), clean)
        assert lm.lora_state().keys() == moved.keys()
        assert all(torch.equal(value, moved[key]) for key, value in lm.lora_state().items())
    finally:
        lm.remove_lora()


def test_blind_calm_with_lora_leaves_the_backbone_clean(world):
    here = world(ADAPT, "train.epochs=1")
    fitted = get_baseline("blind").fit(here.given, 0)
    p = fitted(here.test)
    assert here.given.pretrained.lm.lora_state() == {}
    assert np.array_equal(fitted(here.test), p)
    assert p[::2] == pytest.approx(p[1::2], abs=1e-6)


def test_backbone_is_restored_when_the_block_fails(world):
    given = world(ADAPT).given
    lm, backbone = given.pretrained.lm, given.config.backbone
    attach_lora(lm, backbone, seed=0)
    held = lm.lora_state()
    with pytest.raises(KeyError, match="inside"), untouched(lm, backbone):
        lm.lora_state()["inside"]
    assert lm.lora_state().keys() == held.keys()
    other = {key: value + 1 for key, value in held.items()}
    with adapted(lm, backbone, other):
        assert all(torch.equal(value, other[key]) for key, value in lm.lora_state().items())
    assert all(torch.equal(value, held[key]) for key, value in lm.lora_state().items())
    lm.remove_lora()


@pytest.mark.parametrize("tagged", [True, False])
def test_views_are_those_of_the_live_backbone_on_the_text_with_its_tag(world, tagged):
    here = world(ADAPT)
    lm, rows = here.given.pretrained.lm, here.test
    reader = _AdaptedReader(here.given, tagged=tagged)
    reader.prepare(rows)
    at = torch.tensor([5, 0, 1])
    examples = [rows.examples[i] for i in at.tolist()]
    tags = [f"[{'AU' if i % 2 == 0 else 'SG'}] " if tagged else "" for i in at.tolist()]
    live = lm.hidden_states([tag + e.text for tag, e in zip(tags, examples, strict=True)], [2])
    assert torch.allclose(reader(rows, at)[:, :32], weighted_mean(live.states[0], live.mask), atol=1e-5)
    sentence = here.given.pretrained.encoder.embed([e.text for e in examples])
    assert torch.allclose(reader(rows, at)[:, 32:], sentence, atol=1e-6)


def test_tag_leaves_the_text_its_room(world):
    here = world(ADAPT, "backbone.max_length=8")
    examples = tuple(replace(e, text="plum " * 9) for e in here.test.examples[:2])
    rows = replace(
        here.test, examples=examples, texts=("plum " * 9,), text_of=torch.zeros(2, dtype=torch.int64),
        readers=here.test.readers[:2],
    )  # fmt: skip
    tagged = _AdaptedReader(here.given, tagged=True)
    tagged.prepare(rows)
    read = tagged.base.tokens.get(["[AU] " + "plum " * 9])
    assert int(read.mask.sum()) == 8 + 3  # [, AU and ] are three tokens


def test_tags():
    assert _tag([("AU", 0.0), ("SG", 1.0)]) == "[SG] "
    assert _tag([("AU", 0.5), ("SG", 0.5)]) == "[AU=0.5,SG=0.5] "
    assert _tag([("AU", 0.0), ("SG", 0.0)]) == ""


@pytest.mark.parametrize("name", LORA)
def test_data_without_readers_have_one_head_and_no_tag(world, name):
    here = world(ADAPT, "train.epochs=1", readers=False, valid=False)
    assert get_baseline(name).fit(here.given, 0)(here.test).shape == (24, 2)


@pytest.mark.parametrize("name", LORA)
def test_runs_that_adapt_nothing_have_no_such_baseline(world, name):
    with pytest.raises(CalmError, match="B02"):
        get_baseline(name).fit(world().given, 0)


def test_blends_and_nobody_are_answered(world):
    here = world(ADAPT, "train.epochs=1", "model.probe=false", valid=False)
    fitted = get_baseline("lora-heads").fit(here.given, 0)
    au, sg = (
        fitted.logits(replace(here.test, readers=torch.tensor([w]).expand(48, 2))) for w in ((1.0, 0.0), (0.0, 1.0))
    )
    half = fitted.logits(replace(here.test, readers=torch.full((48, 2), 0.5)))
    nobody = fitted.logits(replace(here.test, readers=torch.zeros(48, 2)))
    assert half == pytest.approx((au + sg) / 2, abs=1e-5)
    assert nobody == pytest.approx(half, abs=1e-6)


@pytest.mark.parametrize("name", LORA)
def test_the_network_starts_from_the_probe_of_what_it_reads(world, name, monkeypatch):
    """A network that never learns answers as logistic regression on the same views does."""
    here = world(ADAPT, "train.epochs=1", "train.learning_rate=1e-12", "train.lora_learning_rate=1e-12")
    monkeypatch.setattr(learner, "STEP_SIZES", (1.0,))
    learned = choice_score(get_baseline(name).fit(here.given, 0).logits(here.given.valid), here.given.valid)
    linear = get_baseline("both-by-reader").fit(here.given, 0)
    assert learned < 1.05 * choice_score(linear.logits(here.given.valid), here.given.valid)  # a tag may even help
    plain = world(ADAPT, "train.epochs=1", "train.learning_rate=1e-12", "model.probe=false")
    untaught = get_baseline(name).fit(plain.given, 0).logits(plain.given.valid)
    assert learned < 0.9 * choice_score(untaught, plain.given.valid)
