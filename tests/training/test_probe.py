"""The probe that answers start from: the same numbers as the regression it was fitted by, and saved with the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from calm_lm.culture.blend import Blend
from calm_lm.model.calm import CalmModel
from calm_lm.model.probe import LinearProbe
from calm_lm.stats.softmax_regression import PENALTIES, fit_softmax, scores
from calm_lm.training.linear import fit_linear, lay_out
from calm_lm.training.material import Vocabulary, build_rows
from calm_lm.training.probe import READER_SCALES, fit_probe
from calm_lm.training.run import fit_model, load_backbone


@pytest.fixture
def splits(world):
    data = world.tiny_dataset(48, 24)
    vocabulary = Vocabulary.of(data, readers=True)
    return [build_rows(data, split, vocabulary, target="shares") for split in ("train", "valid")]


LETTERS = "aehkort"


def features(texts):
    """How often a text has each of a few letters, centred."""
    return np.array([[text.count(letter) - 2 for letter in LETTERS] for text in texts], dtype=np.float32)


def answers(probe, rows):
    return probe(torch.from_numpy(features(rows.texts))[rows.text_of], rows.readers)


def test_a_probe_says_what_its_regression_says(splits):
    train, valid = splits
    probe = LinearProbe(7, 4, 2)
    tried = fit_probe(probe, features, train, valid)
    fit = fit_linear(features, train, valid, readers=True, scales=READER_SCALES)
    assert tried == fit.variants > len(READER_SCALES)
    expected = scores(features(valid.texts), lay_out(valid, fit.scale, readers=True), fit.found)
    torch.testing.assert_close(answers(probe, valid), torch.from_numpy(expected).float(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_weights_of_a_readers_own_are_scaled_once(splits, scale, monkeypatch):
    train, valid = splits
    monkeypatch.setattr("calm_lm.training.probe.READER_SCALES", (scale,))
    probe = LinearProbe(7, 4, 2)
    fit_probe(probe, features, train, valid)
    fit = fit_linear(features, train, valid, readers=True, scales=(scale,))
    expected = scores(features(train.texts), lay_out(train, scale, readers=True), fit.found)
    torch.testing.assert_close(answers(probe, train), torch.from_numpy(expected).float(), atol=1e-5, rtol=1e-4)
    assert probe.weight[1:].abs().max() > 0


def test_no_better_penalty_was_passed_over(splits):
    train, valid = splits
    x, shares = features(train.texts), train.shares.double().numpy()

    def judged(found):
        logits = torch.from_numpy(scores(features(valid.texts), lay_out(valid, 1.0, readers=True), found))
        return -(valid.shares * logits.log_softmax(-1)).sum(-1).mean().item()

    best = fit_linear(features, train, valid, readers=True, scales=(1.0,))
    laid = lay_out(train, 1.0, readers=True)
    others = [judged(fit_softmax(x, laid, shares, penalty)) for penalty in PENALTIES[::2]]
    assert judged(best.found) <= min(others) + 1e-4
    assert max(others) > judged(best.found) + 1e-3


def test_without_targets_it_stays_silent_and_without_validation_rows_it_is_fitted(splits):
    train, _ = splits
    probe = LinearProbe(7, 4, 2)
    unknown = replace(train, shares=torch.zeros_like(train.shares), known=torch.zeros_like(train.known))
    assert fit_probe(probe, features, unknown, None) == 0
    assert not answers(probe, train).any()
    assert fit_probe(probe, features, train, None) == 1
    assert answers(probe, train).abs().min() > 0


def test_it_is_saved_with_the_model_and_answers_blends(world, saved_lm, tmp_path):
    config = world.tiny_config(f"backbone.name={saved_lm}", "train.epochs=1")
    model = fit_model(config, world.tiny_dataset(), load_backbone(config), seed=0, folder=tmp_path)
    assert model.network.probe.weight.abs().max() > 0
    model.save_pretrained(tmp_path / "model")
    again = CalmModel.from_pretrained(tmp_path / "model")
    texts, readers = list(world.TEXTS[:3]), [Blend.of("SG"), Blend.parse("AU=0.3,GB=0.7"), None]
    for one, other in zip(model.predict(texts, readers), again.predict(texts, readers), strict=True):
        assert one.probabilities == other.probabilities
