"""Baselines over frozen views: they learn what was planted, and only those told the reader tell readers apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from calm_lm.baselines.features import mean_states, text_vectors
from calm_lm.baselines.predictor import calibration_truth, choice_score
from calm_lm.baselines.registry import baseline_names, get_baseline
from calm_lm.errors import CalmError
from calm_lm.model.layers import weighted_mean
from calm_lm.stats.calibration import fit_temperature
from calm_lm.stats.probability import softmax
from calm_lm.stats.softmax_regression import PENALTIES

FROZEN = [name for name in baseline_names("frozen,demo") if name not in ("blind", "lookup")]
TOLD = {"majority-reader", "both-reader", "both-by-reader", "nearest", "mlp"}
LEARNERS = ["tfidf", "sentence", "states", "both", "both-by-reader", "nearest", "mlp"]


def fruit_of(rows):
    return np.array([example.source for example in rows.examples])


def by_text(p):
    """Probabilities of the positive label, [texts, readers]; the rows of a text follow each other."""
    return p[:, 1].reshape(-1, 2)


@pytest.mark.parametrize("name", FROZEN)
def test_shares_sum_to_one_and_repeat_for_the_same_seed(world, name):
    here = world("train.epochs=2")
    first, second = (get_baseline(name).fit(here.given, 1) for _ in range(2))
    p = first(here.test)
    assert p.shape == (48, 2)
    assert p.dtype == np.float64
    assert p.sum(1) == pytest.approx(np.ones(48))
    assert (p >= 0).all()
    assert np.array_equal(p, second(here.test))
    assert first.name == name
    assert first.parameters == second.parameters >= 0
    assert first.variants >= 1


@pytest.mark.parametrize("name", LEARNERS)
def test_planted_words_are_learned(world, name):
    here = world()
    p = get_baseline(name).fit(here.given, 0)(here.test)[:, 1]
    kinds = fruit_of(here.test)
    assert ((p > 0.5) == (kinds == "plum"))[kinds != "cherry"].mean() > 0.9
    assert abs(p[kinds == "plum"].mean() - 0.8) < 0.15  # shares of votes, not labels


@pytest.mark.parametrize("name", sorted(TOLD - {"majority-reader", "both-reader"}))
def test_reader_decides_where_readers_disagree(world, name):
    here = world("train.epochs=8")
    p = by_text(get_baseline(name).fit(here.given, 0)(here.test))
    cherry = fruit_of(here.test).reshape(-1, 2)[:, 0] == "cherry"
    assert ((p[cherry, 1] > 0.5) & (p[cherry, 0] < 0.5)).mean() > 0.6


@pytest.mark.parametrize("name", FROZEN)
def test_only_baselines_told_the_reader_tell_readers_apart(world, name):
    here = world("train.epochs=2")
    p = by_text(get_baseline(name).fit(here.given, 0)(here.test))
    same = np.allclose(p[:, 0], p[:, 1], atol=1e-6)
    assert same == (name not in TOLD)


@pytest.mark.slow  # half a minute, two CALMs are trained
def test_blind_calm_learns_what_all_readers_share_and_nothing_else(world):
    here = world("train.epochs=5")
    fitted = get_baseline("blind").fit(here.given, 1)
    p, kinds = fitted(here.test), fruit_of(here.test)
    assert p.sum(1) == pytest.approx(np.ones(48))
    assert p[kinds == "plum", 1].mean() > p[kinds == "fig", 1].mean() + 0.1
    assert by_text(p)[:, 0] == pytest.approx(by_text(p)[:, 1], abs=1e-6)
    assert np.array_equal(p, get_baseline("blind").fit(here.given, 1)(here.test))


def test_majority_is_the_training_rows_shares(world):
    here = world()
    shares = here.given.train.shares.double().numpy()
    everybody = get_baseline("majority").fit(here.given, 0)(here.test)
    assert everybody == pytest.approx(np.tile(shares.mean(0), (48, 1)))
    reader = here.given.train.readers[:, 1].numpy() == 1
    own = get_baseline("majority-reader").fit(here.given, 0)
    assert own(here.test)[1] == pytest.approx(shares[reader].mean(0))
    half = replace(here.test, readers=torch.full_like(here.test.readers, 0.5))
    assert own(half)[0] == pytest.approx((shares[reader].mean(0) + shares[~reader].mean(0)) / 2)
    nobody = replace(here.test, readers=torch.zeros_like(here.test.readers))
    assert own(nobody) == pytest.approx(everybody)


@pytest.mark.parametrize("name", ["both", "nearest", "mlp"])
def test_temperature_is_the_one_for_the_validation_votes(world, name):
    here = world()
    fitted = get_baseline(name).fit(here.given, 0)
    valid = here.given.valid
    votes = valid.votes.double().numpy()
    wanted = fit_temperature(fitted.logits(valid), votes / votes.sum(1, keepdims=True)).value
    assert fitted.temperature == wanted != 1.0
    assert fitted(here.test) == pytest.approx(softmax(fitted.logits(here.test) / wanted))


def test_calibration_uses_labels_only_where_nobody_voted(world):
    valid = world().given.valid
    votes = valid.votes.clone()
    votes[:4] = 0
    known, shares = calibration_truth(replace(valid, votes=votes))
    assert known.sum() == 44
    assert shares[0].tolist() in ([0.8, 0.2], [0.2, 0.8])
    known, shares = calibration_truth(world(votes=False).given.valid)
    assert known.all()
    assert set(shares.ravel()) == {0.0, 1.0}


@pytest.mark.parametrize("name", ["both-by-reader", "nearest", "mlp", "majority"])
def test_without_validation_rows_nothing_is_tuned(world, name):
    here = world("train.epochs=2", valid=False)
    fitted = get_baseline(name).fit(here.given, 0)
    assert fitted.temperature == 1.0
    assert fitted.variants == 1
    assert fitted(here.test).sum(1) == pytest.approx(np.ones(48))


@pytest.mark.parametrize("name", ["both-by-reader", "nearest", "mlp", "majority-reader"])
def test_data_without_readers_are_fitted_too(world, name):
    here = world("train.epochs=2", readers=False)
    assert get_baseline(name).fit(here.given, 0)(here.test).sum(1) == pytest.approx(np.ones(24))


def test_settings_are_the_best_on_validation_rows(world):
    """Fits that another validation set would choose are never better here."""
    here = world()
    fitted = get_baseline("both").fit(here.given, 0)
    other = replace(here.given.valid, shares=here.given.valid.shares.flip(0))
    misled = get_baseline("both").fit(replace(here.given, valid=other), 0)
    valid = here.given.valid
    assert choice_score(fitted.logits(valid), valid) <= choice_score(misled.logits(valid), valid)
    assert 3 <= fitted.variants <= len(PENALTIES)


def test_nearest_is_the_mean_of_the_neighbours_this_reader_has_read(world):
    """One training text left to each reader: its shares and the reader's own, whatever the query."""
    here = world(valid=False)
    train = here.given.train
    readers = torch.zeros_like(train.readers)
    readers[0, 0] = readers[3, 1] = 1.0
    fitted = get_baseline("nearest").fit(replace(here.given, train=replace(train, readers=readers)), 0)
    p = fitted(here.test)
    assert p[0] == pytest.approx(train.shares[0].numpy())
    assert p[1] == pytest.approx(train.shares[3].numpy())


def test_nearest_finds_by_cosine_of_the_sentence_view(world):
    here = world()
    here.given.train.votes.zero_()
    fitted = get_baseline("nearest").fit(here.given, 0)
    views, train, query = here.given.views, here.given.train, here.test.examples[1]
    read = [(e.text, train.shares[i]) for i, e in enumerate(train.examples) if e.reader == query.reader]
    cosine = F.cosine_similarity(views.sentence_views([query.text]), views.sentence_views([t for t, _ in read]))
    ordered = torch.stack([read[i][1] for i in cosine.argsort(descending=True)])
    prior = torch.stack([s for _, s in read]).mean(0)
    wanted = [(ordered[:k].sum(0) + prior) / (min(k, len(read)) + 1) for k in (1, 3, 5, 10, 20, 50)]
    got = torch.tensor(np.exp(fitted.logits(here.test)[1])).float()
    assert any(torch.allclose(got, each, atol=1e-5) for each in wanted)


def test_mean_states_do_not_depend_on_the_batch(world):
    views, texts = world().given.views, list(world().test.texts)
    alone = views(texts[:1])
    assert torch.allclose(mean_states(views, texts)[0], weighted_mean(alone.tokens, alone.mask)[0], atol=1e-5)
    assert torch.equal(mean_states(views, [texts[3], texts[0]])[1], mean_states(views, texts[:1])[0])


def test_sentence_view_is_asked_for_only_where_there_is_one(world):
    here = world(sentence=False)
    with pytest.raises(CalmError, match="B03"):
        get_baseline("sentence").fit(here.given, 0)
    assert text_vectors(here.given, here.test.texts, "both").shape == (24, 32)
    assert get_baseline("nearest").fit(here.given, 0)(here.test).shape == (48, 2)


def test_predictions_keep_the_order_of_the_rows(world):
    here = world("train.epochs=1")
    fitted = get_baseline("mlp").fit(here.given, 0)
    turned = torch.arange(len(here.test.examples)).flip(0)
    rows = replace(
        here.test, examples=here.test.examples[::-1], text_of=here.test.text_of[turned],
        readers=here.test.readers[turned],
    )  # fmt: skip
    assert fitted(rows) == pytest.approx(fitted(here.test)[::-1], abs=1e-6)
