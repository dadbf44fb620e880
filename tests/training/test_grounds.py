"""Evidence for rows: whose records are found, and what training lends and drops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calm_lm.culture.blend import Blend
from calm_lm.culture.norms import NormRecord, NormStore
from calm_lm.errors import CalmError
from calm_lm.training.grounds import DROPPED, LENT, NOTHING, Grounds
from calm_lm.training.material import Vocabulary, build_rows
from calm_lm.training.run import Pretrained, cached_views, new_model
from calm_lm.training.sampler import PairedRows

HELD = {"AU": "fine", "GB": "odd", "SG": "odd"}  # nothing is known of the US


@pytest.fixture
def norms():
    return NormStore(NormRecord(f"{c}-tip", c, "tipping the waiter", norm, "made up") for c, norm in HELD.items())


@pytest.fixture
def made(world, norms):
    """A model that reads records, the rows of a split, and their evidence."""
    config, data = world.tiny_config(), world.tiny_dataset()
    pretrained = Pretrained(world.tiny_lm(), None)
    vocabulary = Vocabulary.of(data, readers=True)
    torch.manual_seed(0)
    model = new_model(config, data, vocabulary, pretrained, evidence=True)
    model.norms = norms
    rows = build_rows(data, "train", vocabulary, target="shares")
    return model, rows, Grounds(rows, model)


def test_rows_cite_their_readers_records(made):
    _, rows, grounds = made
    for example, found in zip(rows.examples, grounds.found, strict=True):
        tipping = "tips" in example.text and str(example.reader) in HELD
        assert [hit.record.culture for hit in found] == ([str(example.reader)] if tipping else [])
    assert grounds.phrases == ("tipping the waiter", "fine", "odd")
    assert grounds.telling.tolist() == [bool(found) for found in grounds.found]


def test_rows_told_another_reader_cite_that_ones_records(made):
    model, rows, _ = made
    names = model.manifest.readers
    other = model.reader_weights([Blend.of("SG")] * len(rows.examples))
    assert {hit.record.culture for hits in Grounds(rows, model, other).found for hit in hits} == {"SG"}
    nobody = Grounds(rows, model, torch.zeros(len(rows.examples), len(names)))
    assert not any(nobody.found)
    assert nobody.evidence(torch.arange(4), model, model.views) is None


def test_evidence_of_a_batch_is_what_the_model_reads_in_prediction(made, world, monkeypatch, tmp_path):
    model, rows, grounds = made
    monkeypatch.setenv("CALM_CACHE", str(tmp_path))
    model.network.eval()
    views = cached_views(world.tiny_config(), Pretrained(model.lm, None))
    views.prepare(grounds.phrases, lambda what, done, total: None)
    at = torch.arange(len(rows.examples))
    cached = grounds.evidence(at, model, views)
    live = model._shelf.evidence(grounds.found, 3)
    assert torch.equal(cached.weight, live.weight)
    has = cached.weight > 0
    for part in ("situations", "norms"):
        one, two = (getattr(e.states, part)[e.records][has] for e in (cached, live))
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)
    none = grounds.evidence(torch.full((4,), NOTHING), model, views)
    assert none is None
    mixed = grounds.evidence(torch.where(torch.arange(len(at)) % 2 == 0, at, NOTHING), model, views)
    assert not mixed.weight[1::2].any()
    assert torch.equal(mixed.weight[::2], cached.weight[::2])


def test_evidence_is_lent_within_a_text_and_sometimes_dropped(made):
    _, rows, grounds = made
    own = torch.argsort(rows.text_of, stable=True)
    drawn = PairedRows(own, torch.full_like(own, -1), tuple(torch.bincount(rows.text_of).tolist()))
    lent = torch.stack([grounds.lend(drawn, 3, step) for step in range(200)])
    kept, dropped = lent == own, lent == NOTHING
    swapped = ~kept & ~dropped
    assert torch.equal(rows.text_of[lent[swapped]], rows.text_of[own.expand_as(lent)[swapped]])
    assert bool(grounds.telling[lent[swapped]].all())  # a reader of whom nothing is known lends nothing
    assert float(dropped.float().mean()) == pytest.approx(DROPPED, abs=0.01)
    tips = np.array(["tips" in rows.texts[i] for i in rows.text_of[own]])
    # Of four readers one is the row itself and one has no record.
    known = np.array([str(rows.examples[i].reader) in HELD for i in own])
    assert float(swapped[:, tips & known].float().mean()) == pytest.approx(LENT / 2, abs=0.05)
    assert not swapped[:, ~tips].any()
    assert torch.equal(grounds.lend(drawn, 3, 7), lent[7])
    assert not torch.equal(grounds.lend(drawn, 4, 7), lent[7])


def test_a_model_without_a_reader_of_records_is_refused(world, norms):
    data = world.tiny_dataset()
    vocabulary = Vocabulary.of(data, readers=True)
    model = new_model(world.tiny_config(), data, vocabulary, Pretrained(world.tiny_lm(), None), evidence=False)
    with pytest.raises(CalmError, match="M30"):
        model.norms = norms


def test_withheld_rows_cite_as_if_the_first_situation_were_unknown(made):
    """More records of one situation than are cited at once, and of two other situations beside it."""
    model, rows, _ = made
    held = [("tipping the waiter", norm) for norm in ("odd", "fine", "rude", "kind", "usual", "rare", "old", "new")]
    held += [("waiting for the waiter", "fine"), ("a cake at a wedding", "kind"), ("a wedding", "odd")]
    store = [NormRecord(f"{n}", "SG", said, norm, "made up") for n, (said, norm) in enumerate(held)]
    model.norms = NormStore(store)
    own, withheld = Grounds(rows, model).found, Grounds(rows, model, withhold=True).found
    assert any(len(hits) == 3 for hits in own)
    for text, hits, others, example in zip(rows.text_of.tolist(), own, withheld, rows.examples, strict=True):
        if not hits:
            assert not others
            continue
        rest = NormStore(record for record in store if record.situation != hits[0].record.situation)
        expected = [hit.record.id for hit in rest.search(rows.texts[text], example.reader, 3)]
        assert sorted(hit.record.id for hit in others) == sorted(expected)
    assert any(others for others in withheld)
