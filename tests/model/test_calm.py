"""`CalmModel` over a tiny backbone: predictions, traces, evidence, inference of culture."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from calm_lm.culture.blend import Blend
from calm_lm.errors import CalmError
from calm_lm.model.calm import CalmModel
from calm_lm.model.config import BackboneConfig
from calm_lm.model.manifest import CalibrationFacts
from calm_lm.model.vote import NormVote

TEXTS = [
    "Guests take off their shoes at the door.",
    "A waiter in Singapore expects no tip.",
    "Yes",
    "Shops close early on Sunday.",
    "A waiter in Singapore expects no tip.",
]
READERS = [Blend.of("SG"), Blend.of("US"), None, Blend.parse("SG=0.5,AU=0.5"), Blend.of("SG")]


def test_predictions_are_distributions_with_consistent_labels(calm):
    facts = CalibrationFacts(label_temperature=2.0, share_temperature=0.5, abstain_below=0.5)
    model = calm(calibration=facts)
    for found, reader in zip(model.predict(TEXTS, READERS), READERS, strict=True):
        assert found.reader == (None if reader is None else str(reader))
        assert sum(found.probabilities.values()) == pytest.approx(1)
        assert found.label == max(found.probabilities, key=found.probabilities.__getitem__)
        assert found.confidence == max(found.probabilities.values())
        assert found.abstain == (found.confidence < 0.5)
        logs = {name: 2.0 * math.log(p) for name, p in found.probabilities.items()}
        sharper = torch.tensor([value / 0.5 for value in logs.values()], dtype=torch.float64).softmax(-1)
        assert list(found.vote_shares.values()) == pytest.approx(sharper.tolist())
        assert found.inferred is None
    assert calm().predict(TEXTS[:1], [None])[0].vote_shares is None


def test_a_trace_tells_what_happened(calm):
    model = calm(stop_cosine=1.0)
    kinds = set()
    for found, reader in zip(model.predict(TEXTS, READERS), READERS, strict=True):
        assert 1 <= len(found.reflection) <= 2
        label, sure = found.draft, None
        for number, step in enumerate(found.reflection):
            assert step.draft == label
            assert sure is None or step.draft_probability == pytest.approx(sure)
            assert step.kept == (step.second_probability >= step.draft_probability)
            assert 0 < step.gate < 1
            assert -1 <= step.cosine <= 1 + 1e-6
            assert len(step.dimensions) == 2
            assert all(name in step.self_prompt for name in step.dimensions)
            assert step.draft.replace("_", " ") in step.self_prompt
            place = {None: "no particular place", "SG": "Singapore", "US": "United States", "AU": "Australia"}
            assert place[reader.parts[0][0] if reader else None] in step.self_prompt
            label, sure = (step.second, step.second_probability) if step.kept else (label, step.draft_probability)
            kinds.add(step.kept)
            assert step.kept or number == len(found.reflection) - 1  # a draft that stands ends it
        assert found.label == label
    assert kinds == {True, False}


def test_reflection_off_gives_the_draft(calm):
    for found in calm(reflection=False).predict(TEXTS, READERS):
        assert found.reflection == ()
        assert found.label == found.draft


def test_answers_do_not_depend_on_the_rest_of_the_call(calm, norms):
    model = calm(stop_cosine=1.0, evidence=True)
    model.norms = norms
    model.network.vote = NormVote(0, 3)
    model.network.vote.coefficients[0, 1] = 0.5
    together = model.predict(TEXTS, READERS)
    for text, reader, whole in zip(TEXTS, READERS, together, strict=True):
        alone = model.predict([text], [reader])[0]
        assert list(alone.probabilities.values()) == pytest.approx(list(whole.probabilities.values()), abs=1e-5)
        assert [step.kept for step in alone.reflection] == [step.kept for step in whole.reflection]
        assert [step.evidence for step in alone.reflection] == [step.evidence for step in whole.reflection]
        trusts = [step.trust for step in alone.reflection]
        assert trusts == pytest.approx([step.trust for step in whole.reflection])
        assert [trust is not None for trust in trusts] == [bool(step.evidence) for step in alone.reflection]
    assert model.predict(TEXTS, READERS) == together


def test_a_blend_of_one_is_that_one(calm):
    model = calm()
    one, two = model.predict(["Yes"] * 2, [Blend.of("SG"), Blend((("SG", 4.0),))])
    assert one == two
    weights = model.reader_weights([Blend.parse("SG=1,AU=3"), None, Blend.of("US")])
    assert weights.tolist() == [[0.75, 0, 0.25, 0], [0] * 4, [0, 0, 0, 1]]


def test_unknown_readers_and_empty_texts_are_named(calm):
    model = calm()
    with pytest.raises(CalmError, match=r"M01.*SG") as error:
        model.predict(["Yes"], [Blend.of("SGP")])
    assert "AU, GB, SG, US" in str(error.value)
    with pytest.raises(CalmError, match="M02"):
        model.predict(["Yes", " \n"], [None, None])
    with pytest.raises(CalmError, match="M03"):
        calm(labels=()).predict(["Yes"], [None])
    with pytest.raises(CalmError, match=r"M01.*none.*no culture"):
        calm(readers=()).predict(["Yes"], [Blend.of("SG")])


def test_a_model_without_readers_answers(calm):
    model = calm(readers=(), contrast=None)
    found = model.predict(TEXTS, [None] * 5)
    assert found[1].probabilities == pytest.approx(found[4].probabilities, abs=1e-6)
    assert "no particular place" in found[0].reflection[0].self_prompt


def test_the_table_of_references_is_what_live_encoding_says(calm, encode_prompts_of):
    model = calm()
    encoded = encode_prompts_of(model)
    numbers = torch.tensor([0, 17, 40, 89])
    with torch.inference_mode():
        for number in numbers.tolist():
            reader = model.prompts.readers[number // 18]
            weights = model.reader_weights([Blend.of(reader) if reader else None])
            live = model.encode(model.views([model.prompts.texts[number]]), weights).state[0]
            torch.testing.assert_close(model.network.references[number], live, rtol=1e-4, atol=1e-5)
    assert len(model.network.references) == len(encoded.prompts.texts) == 90


def test_evidence_is_cited_and_moves_only_its_rows(calm, norms):
    model = calm(stop_cosine=1.0, evidence=True)
    plain = model.predict(TEXTS, READERS)
    model.norms = norms
    grounded = model.predict(TEXTS, READERS)
    for place, (before, after) in enumerate(zip(plain, grounded, strict=True)):
        cited = after.reflection[0].evidence
        if place in (1, 4):  # the texts with a tip and a reader
            assert sum(e.weight for e in cited) == pytest.approx(1)
            assert after.reflection[0].gate != before.reflection[0].gate
        else:
            assert cited == ()
            assert after.probabilities == pytest.approx(before.probabilities, abs=1e-5)
    assert [e.weight for e in grounded[4].reflection[0].evidence] == [0.75, 0.25]
    assert grounded[1].reflection[0].evidence[0].source == "a visitor guide"
    model.norms = None
    assert model.predict(TEXTS, READERS) == plain


@pytest.fixture
def passes(monkeypatch):
    """Counts how many texts a model's backbone reads."""

    def count(model) -> list[str]:
        read: list[str] = []
        states = model.lm.trunk.states

        def counted(ids, mask, layers):
            read.extend(model.lm.tokenizer.batch_decode([i[m] for i, m in zip(ids, mask, strict=True)]))
            return states(ids, mask, layers)

        monkeypatch.setattr(model.lm.trunk, "states", counted)
        return read

    return count


def test_each_record_is_encoded_once_and_forgotten_with_its_source(calm, norms, passes):
    model = calm(evidence=True)
    model.norms = norms
    read = passes(model)
    first = model.predict(TEXTS, READERS)
    said = ["leaving a tip", "out of place", "paying at the counter", "fine", "expected"]
    assert sorted(read) == sorted([*set(TEXTS), *said])  # no backbone pass but for texts and, once, what records say
    read.clear()
    assert model.predict(TEXTS, READERS) == first
    assert sorted(read) == sorted(set(TEXTS))
    model.norms = norms
    assert model.predict(TEXTS, READERS) == first
    assert sorted(read) == sorted([*set(TEXTS), *set(TEXTS), *said])


def test_what_a_record_says_reaches_the_answer_and_whose_it_is_does_not(calm, norms):
    def answer(change):
        model = calm(evidence=True)
        hits = [replace(hit, record=change(hit.record)) for hit in norms.hits]
        model.norms = type(norms)(norms.word, hits)
        found = model.predict(TEXTS[1:2], READERS[4:])[0]
        return found.reflection[0].second_probability, found.reflection[0].evidence[0].sentence

    as_is = answer(lambda record: record)
    assert as_is[1] == "In Singapore, leaving a tip is out of place."
    moved = answer(lambda record: replace(record, place="Japan"))
    assert moved == (as_is[0], "In Japan, leaving a tip is out of place.")
    assert answer(lambda record: replace(record, norm="expected"))[0] != pytest.approx(as_is[0], abs=1e-6)
    assert answer(lambda record: replace(record, situation="queueing"))[0] != pytest.approx(as_is[0], abs=1e-6)


def test_a_model_trained_without_records_refuses_them(calm, norms):
    model = calm()
    model.norms = None
    with pytest.raises(CalmError, match=r"\[M30\].*without norm records"):
        model.norms = norms


def test_weights_become_the_blends_they_came_from(calm):
    model = calm()
    found = model.blends(model.reader_weights(READERS))
    assert found == READERS
    assert calm(readers=(), contrast=None).blends(torch.zeros(2, 0)) == [None, None]


def test_comparing_readers_reads_the_text_once_and_says_the_same(calm, norms, passes):
    model = calm(evidence=True)
    model.norms = norms
    readers = [Blend.of("SG"), Blend.of("US"), None, Blend.parse("SG=0.5,AU=0.5")]
    single = [model.inspect(TEXTS[1], reader) for reader in readers]
    read = passes(model)
    together = model.compare(TEXTS[1], readers)
    assert read == [TEXTS[1]]
    for one, other in zip(single, together, strict=True):
        assert one.tokens == other.tokens
        assert one.chosen == other.chosen
        assert one.identity_shift == pytest.approx(other.identity_shift, rel=1e-4)
        assert one.prediction.probabilities == pytest.approx(other.prediction.probabilities, abs=1e-5)
        assert one.prediction.reflection[0].evidence == other.prediction.reflection[0].evidence
    read.clear()
    model.inspect(TEXTS[0], None)
    assert read == [TEXTS[0]]
    for text, code in ((" ", "M02"), ("Yes", "M01")):
        with pytest.raises(CalmError, match=code):
            model.compare(text, [Blend.of("SGP")])


def test_inspection_agrees_with_the_prediction(calm):
    model = calm()
    for text, reader in zip(TEXTS, READERS, strict=True):
        found = model.inspect(text, reader)
        assert found.prediction == model.predict([text], [reader])[0]
        assert "".join(token.token for token in found.tokens) == text
        named = "".join(token.token for token in found.tokens if token.explicit)
        assert ("Singapore" in named) == ("Singapore" in text)
        assert all(0 <= c < 5 for t in found.tokens for c in (t.cluster_explicit, t.cluster_latent))
        assert sum(found.dimensions.values()) == pytest.approx(1, abs=1e-5)
        for name, shares in found.experts.items():
            assert sum(shares) == pytest.approx(1, abs=1e-5)
            best = sorted(sorted(range(4), key=lambda e: -shares[e])[:2])
            assert list(found.chosen[name]) == best
        assert found.identity_shift > 0
        assert -1 <= found.identity_cosine <= 1
    still = calm(fusion=False).inspect(TEXTS[0], None)
    assert still.identity_shift == 0
    assert still.identity_cosine == pytest.approx(1, abs=1e-6)


def test_culture_is_inferred_from_planted_class_means(calm):
    model = calm(cultures=("JP", "SG", "US"), contrast="about", readers=())
    with torch.inference_mode():
        texts = [TEXTS[0], TEXTS[1], TEXTS[3]]
        encoding = model.encode(model.views(texts), model.reader_weights([None] * 3))
        view, _ = model.network.window(encoding.explicit, encoding.latent)
        model.network.class_means.copy_(5 * view[[2, 0, 1]])
        means = F.normalize(view[[2, 0, 1]], dim=-1)
        expected = (view @ means.t() / 0.1).softmax(-1).max(-1).values.tolist()
    found = model.predict(texts, [None] * 3)
    assert [p.inferred.culture for p in found] == ["SG", "US", "JP"]
    assert [p.inferred.confidence for p in found] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "how", [{"contrast": "reader"}, {"contrast": None}, {"contrast": "about", "cultures": ("SG",)}]
)
def test_culture_is_not_inferred_where_it_is_input_or_single(calm, how):
    model = calm(**{"cultures": ("JP", "SG"), **how})
    assert all(found.inferred is None for found in model.predict(TEXTS, READERS))


def test_lora_layers_are_run_between_base_and_read_layer(calm):
    plain, adapted = calm(), calm(adapt_layers=(1, 3))
    assert (adapted.base_layer, adapted.read_layer) == (1, 3)
    batch = adapted.views(TEXTS)
    ran = adapted.adapt(batch).tokens
    whole = adapted.lm.hidden_states(TEXTS, [3], max_length=64).states[0]
    torch.testing.assert_close(ran[batch.mask], whole[batch.mask], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(ran, plain.adapt(plain.views(TEXTS)).tokens)
    assert plain.adapt(batch) is batch


def test_a_model_that_does_not_fit_its_backbone_is_refused(calm):
    model = calm()
    cases = {
        "M21": {"sizes": model.manifest.sizes.model_copy(update={"d_model": 31})},
        "M22": {"backbone": BackboneConfig(read_layer=5, sentence=None)},
        "M23": {"backbone": BackboneConfig(adapt_layers=(1, 4), sentence=None)},
    }
    for code, change in cases.items():
        with pytest.raises(CalmError, match=code):
            CalmModel(model.manifest.model_copy(update=change), model.network, model.lm, None)
