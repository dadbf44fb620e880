"""What is settled after the last step, from the model's own answers on validation rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from calm_lm.culture.blend import Blend
from calm_lm.training import finish as finish_module
from calm_lm.training.finish import finish
from calm_lm.training.run import fit_model
from calm_lm.training.validation import answer_rows


class Taken(Exception):
    """Carries the lesson out of the run."""


@pytest.fixture
def lesson_of(monkeypatch, pretrained, tmp_path):
    """Trains and returns the model with its lesson, before anything is settled."""

    def take(config, data):
        from calm_lm.training import run

        def keep(model, lesson):
            raise Taken(model, lesson)

        monkeypatch.setattr(run, "finish", keep)
        with pytest.raises(Taken) as caught:
            fit_model(config, data, pretrained, seed=0, folder=tmp_path / "run")
        return caught.value.args

    return take


def nll(logits, target, temperature):
    scaled = torch.tensor(logits / temperature).log_softmax(-1).numpy()
    return -(target * scaled).sum(-1).mean()


def test_temperatures_are_the_best_of_a_grid(world, lesson_of):
    model, lesson = lesson_of(world.tiny_config("train.epochs=4"), world.tiny_dataset(24, 16))
    finish(model, lesson)
    facts, rows = model.manifest.calibration, lesson.valid
    logits = answer_rows(model, rows, lesson.views, None).logits.double().numpy()
    shares = (rows.votes / rows.votes.sum(1, keepdim=True)).double().numpy()
    labels = np.eye(2)[rows.labels.numpy()]
    grid = np.geomspace(0.05, 20, 400)
    for fitted, target in ((facts.label_temperature, labels), (facts.share_temperature, shares)):
        best = min(nll(logits, target, t) for t in grid)
        assert nll(logits, target, fitted) <= best + 1e-6


def test_the_threshold_keeps_answers_that_reach_the_target(world, lesson_of):
    model, lesson = lesson_of(
        world.tiny_config("train.epochs=8", "train.target=labels", "model.probe=false"), world.tiny_dataset(48, 16)
    )
    finish(model, lesson)
    facts, rows = model.manifest.calibration, lesson.valid
    answers = answer_rows(model, rows, lesson.views, None)
    top = (answers.logits.double() / facts.label_temperature).softmax(-1).max(-1)
    right = (top.indices == rows.labels).double()
    assert facts.abstain_target == pytest.approx(min(0.99, right.mean().item() + finish_module.MARGIN))
    kept = top.values >= facts.abstain_below
    assert 0 < facts.coverage < 1
    assert facts.coverage == pytest.approx(kept.double().mean().item())
    assert right[kept].mean() >= facts.abstain_target
    predictions = model.predict([e.text for e in rows.examples], [e.reader for e in rows.examples])
    assert [p.abstain for p in predictions] == [not k for k in kept.tolist()]


def test_without_votes_there_is_no_share_temperature_and_without_labels_no_threshold(world, lesson_of):
    model, lesson = lesson_of(world.tiny_config("train.epochs=1"), world.tiny_dataset())
    rows = lesson.valid
    finish(model, replace(lesson, valid=replace(rows, votes=torch.zeros_like(rows.votes))))
    assert model.manifest.calibration.share_temperature is None
    finish(model, replace(lesson, valid=replace(rows, labels=torch.full_like(rows.labels, -1))))
    facts = model.manifest.calibration
    assert (facts.label_temperature, facts.abstain_below, facts.coverage) == (1.0, 0.0, None)
    assert facts.share_temperature is not None


def test_class_means_are_means_of_the_explicit_view(world, lesson_of):
    data = world.tiny_dataset()
    writers = {
        name: tuple(
            replace(row, author=Blend.of(world.READERS[i % 3]) if i % 4 else None) for i, row in enumerate(rows)
        )
        for name, rows in data.splits.items()
    }
    model, lesson = lesson_of(world.tiny_config("train.epochs=1"), replace(data, splits=writers, contrast="author"))
    assert not model.network.class_means.any()
    finish(model, lesson)
    explicit = answer_rows(model, lesson.train, lesson.views, None).explicit
    for culture in range(3):
        rows = [i for i, c in enumerate(lesson.train.cultures.tolist()) if c == culture]
        mean = torch.stack([explicit[i] for i in rows]).mean(0)
        torch.testing.assert_close(model.network.class_means[culture], mean, rtol=1e-5, atol=1e-6)
    assert model.manifest.calibration.culture_temperature != 0.1
    inferred = model.predict([world.TEXTS[0]], [None])[0].inferred
    assert inferred.culture in world.READERS[:3]


def test_cached_answers_are_those_of_the_model_a_user_calls(world, lesson_of):
    """Rows in any order, more texts than fit one batch, readers replaced for the control."""
    model, lesson = lesson_of(world.tiny_config("train.epochs=2"), world.tiny_dataset(72, 8))
    finish(model, lesson)
    rows = lesson.train
    answers = answer_rows(model, rows, lesson.views, None)
    facts = model.manifest.calibration
    probabilities = (answers.logits / facts.label_temperature).softmax(-1)
    predictions = model.predict([e.text for e in rows.examples], [e.reader for e in rows.examples])
    told = torch.tensor([list(p.probabilities.values()) for p in predictions])
    torch.testing.assert_close(told, probabilities, rtol=1e-4, atol=1e-5)
    assert [p.draft != p.label for p in predictions] == answers.revised.tolist()
    swapped = answer_rows(model, rows, lesson.views, None, readers=rows.readers.roll(1, 1))
    assert not torch.allclose(swapped.logits, answers.logits)
