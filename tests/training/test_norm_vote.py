"""Fitting what cited norms say: planted rows are found again, records that say nothing stay silent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from calm_lm.culture.norms import NormRecord, NormStore
from calm_lm.lm.protocol import ModelIdentity
from calm_lm.model.vote import NormVote
from calm_lm.training import run
from calm_lm.training.norm_vote import Heard, Setting, choose, fit_setting, fit_vote, settings_for
from calm_lm.training.run import Pretrained, fit_model
from calm_lm.training.validation import answer_rows

TEXTS, READERS, PHRASES = 60, 4, 3


def planted(rng: np.random.Generator, *, trusted_from: float, strength: float) -> Heard:
    """Rows whose record's phrase decides the label where its score is above `trusted_from`, drafts that know little."""
    n = TEXTS * READERS
    phrase = rng.integers(0, PHRASES, n)
    score = rng.uniform(0.2, 0.8, n)
    score[::11] = 0.0  # nothing was found for these
    speaks = (score > trusted_from) & (rng.random(n) < strength)
    label = np.where(speaks, phrase, rng.integers(0, PHRASES, n))
    said = np.concatenate([np.eye(PHRASES)[phrase], np.ones((n, 1))], 1) * (score > 0)[:, None]
    return Heard(
        said, score, rng.normal(0, 0.3, (n, PHRASES)), np.eye(PHRASES)[label], np.ones(n),
        np.repeat(np.arange(TEXTS), READERS),
    )  # fmt: skip


def mean_loss(rows: Heard, logits) -> float:
    log_p = logits - np.logaddexp.reduce(logits, 1, keepdims=True)
    return float(np.average(-(rows.shares * log_p).sum(1), weights=rows.weight))


def as_vote(setting: Setting, coefficients) -> NormVote:
    vote = NormVote(PHRASES, PHRASES)
    vote.coefficients.copy_(torch.from_numpy(coefficients))
    vote.trusted_from.fill_(setting.trusted_from)
    vote.width.fill_(setting.width)
    return vote


def test_what_records_decide_is_learned_and_holds_on_other_texts():
    rng = np.random.default_rng(0)
    rows, fresh = (planted(rng, trusted_from=0.5, strength=1.0) for _ in range(2))
    setting, voted = choose(rows, settings_for(rows.score[rows.speaking]))
    assert setting is not None
    assert setting.trusted_from > 0.4  # low scores were planted to mean nothing
    vote = as_vote(setting, fit_setting(rows, setting))
    trust = vote.trust(torch.from_numpy(fresh.score))
    logits = fresh.logits + trust[:, None].numpy() * (fresh.said @ vote.coefficients.double().numpy())
    assert mean_loss(fresh, logits) < mean_loss(fresh, fresh.logits) - 0.2
    # The cross-fitted loss tells the truth about texts that the fit did not see; the fit's own is too good.
    assert mean_loss(rows, voted) == pytest.approx(mean_loss(fresh, logits), abs=0.08)
    assert np.array_equal(voted[rows.score == 0], rows.logits[rows.score == 0])


def test_records_that_tell_nothing_are_given_no_vote():
    silent = sum(
        choose(rows, settings_for(rows.score[rows.speaking]))[0] is None
        for rows in (planted(np.random.default_rng(seed), trusted_from=0.5, strength=0.0) for seed in range(5))
    )
    assert silent >= 4


def test_a_text_is_never_on_both_sides_of_a_fold():
    """Labels that are noise but shared by a text would be found again by rows of the same text."""
    rng = np.random.default_rng(3)
    rows = planted(rng, trusted_from=0.0, strength=0.0)
    names = np.eye(TEXTS)[rows.text]
    labels = np.eye(PHRASES)[rng.integers(0, PHRASES, TEXTS)][rows.text]
    memorised = rows._replace(said=names, score=np.ones(len(names)), shares=labels)
    assert choose(memorised, [Setting(0.0, 1.0, 1e-4)])[0] is None


def test_rows_weigh_what_they_are_given():
    rng = np.random.default_rng(1)
    rows = planted(rng, trusted_from=0.2, strength=1.0)
    muted = rows.text >= TEXTS // 2
    half = fit_setting(rows.part(~muted), Setting(0.5, 0.1, 1e-3))
    weighted = fit_setting(rows._replace(weight=np.where(muted, 0.0, 1.0)), Setting(0.5, 0.1, 1e-3))
    assert weighted == pytest.approx(half, abs=1e-3)
    joined = rows.part(~muted).followed_by(rows.part(muted))
    assert joined.text.tolist() == sorted(rows.text.tolist())
    assert joined.speaking.sum() == rows.speaking.sum()


def test_equal_scores_still_have_a_width():
    settings = settings_for(np.full(7, 0.4))
    assert {setting.trusted_from for setting in settings} == {0.4}
    assert all(setting.width > 0 for setting in settings)


# -- on a model ----------------------------------------------------------------------------------------------


class Words:
    """A sentence encoder that knows words alone: texts are the sums of a direction for each word."""

    d_embed = 24
    identity = ModelIdentity("words", None, "0" * 64, ("en",), "CC0-1.0")

    def embed(self, texts: Sequence[str], *, batch_size: int = 32) -> torch.Tensor:
        sums = [sum(self.direction(word) for word in text.lower().strip(".").split()) for text in texts]
        return torch.nn.functional.normalize(torch.stack(sums), dim=-1)

    def direction(self, word: str) -> torch.Tensor:
        seed = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16)
        return torch.randn(self.d_embed, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def lesson_of(world, monkeypatch, tmp_path):
    """A model that was trained with records for all readers but one, and its lesson, before anything is fitted."""

    def take(norm_of):
        data = world.tiny_dataset(24, 24)
        rows = [row for split in data.splits.values() for row in split if str(row.reader) != "US"]
        store = NormStore(NormRecord(row.id, str(row.reader), row.text, norm_of(row), "made up") for row in rows)
        kept = []
        monkeypatch.setattr(run, "finish", lambda model, lesson: kept.append(lesson))
        config = world.tiny_config("backbone.sentence=embedded", "train.epochs=1", "train.evaluations=1")
        pretrained = Pretrained(world.tiny_lm(), Words())
        model = fit_model(config, data, pretrained, seed=0, folder=tmp_path / "run", norms=store)
        model.settle_references(kept[0].prompts)
        return model, kept[0]

    return take


def test_a_model_is_given_the_vote_and_gets_logits_of_fits_that_did_not_see_the_row(lesson_of):
    model, lesson = lesson_of(lambda row: ("kind", "fine", "strange", "rude")[row.votes[1]])
    rows = lesson.valid

    def answers():
        return answer_rows(model, rows, lesson.views, lesson.valid_grounds).logits

    def loss(logits):
        cites = torch.tensor([str(each.reader) != "US" for each in rows.examples])
        return float(-(rows.shares * logits.log_softmax(-1)).sum(1)[cites].mean())

    before = answers()
    assert fit_vote(model, replace(lesson, withheld_grounds=None), before) is before
    voted = fit_vote(model, lesson, before)
    own = answers()
    assert model.network.vote.fitted
    assert loss(own) < loss(voted) < loss(before)
    silent = torch.tensor([str(each.reader) == "US" for each in rows.examples])
    assert torch.equal(voted[silent], before[silent])
    assert torch.equal(own[silent], before[silent])
    assert not any(hits for hits, quiet in zip(lesson.withheld_grounds.found, silent, strict=True) if quiet)
