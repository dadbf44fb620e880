from __future__ import annotations

import json
import math

import pytest
import torch

from calm_lm.errors import CalmError
from calm_lm.lm.sentence import MeanPoolEncoder


def test_mean_over_real_tokens_then_unit_length(tiny, texts):
    lm = tiny("bert")
    encoder = MeanPoolEncoder(lm.model, lm.tokenizer, lm.identity, 128)
    vectors = encoder.embed(texts, batch_size=2)
    for text, vector in zip(texts, vectors, strict=True):
        mean = lm.hidden_states([text], [lm.n_layers]).states[0, 0].mean(0)
        torch.testing.assert_close(vector, mean / math.sqrt(mean.square().sum()), rtol=1e-5, atol=1e-5)
    assert encoder.embed([]).shape == (0, 32)


def test_order_and_batches_do_not_matter(tiny, texts):
    lm = tiny("bert")
    encoder = MeanPoolEncoder(lm.model, lm.tokenizer, lm.identity, 128)
    for batch_size in (1, 3):
        forward, backward = (
            encoder.embed(texts, batch_size=batch_size),
            encoder.embed(texts[::-1], batch_size=batch_size),
        )
        torch.testing.assert_close(forward, backward.flip(0), rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("own_cache")
def test_the_folder_says_how_long_a_text_may_be(saved, texts):
    folder = saved("bert")
    assert MeanPoolEncoder.load(str(folder)).max_length == 128
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 5}')
    encoder = MeanPoolEncoder.load(str(folder))
    assert torch.equal(
        encoder.embed(["Guests take off hats and shoes"]), encoder.embed(["Guests take off hats and sho"])
    )


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}),
        ("1_Pooling/config.json", {"pooling_mode": "cls"}),
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}),
        ("modules.json", [{"type": "a.Transformer"}, {"type": "a.Pooling"}, {"type": "a.Dense"}]),
    ],
)
def test_other_recipes_are_refused(saved, file, content):
    folder = saved("bert")
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps(content))
    with pytest.raises(CalmError, match=r"\[L33\]"):
        MeanPoolEncoder.load(str(folder))


@pytest.mark.lm
def test_equals_sentence_transformers(embedded_encoder, texts):
    from sentence_transformers import SentenceTransformer

    from calm_lm.lm.embedded import embedded_encoder_folder

    texts = [*texts, "tea and shoes " * 200, "UPPER lower"]
    theirs = SentenceTransformer(str(embedded_encoder_folder()), device="cpu").encode(texts)
    torch.testing.assert_close(embedded_encoder.embed(texts, batch_size=2), torch.tensor(theirs), rtol=0, atol=1e-5)
    assert embedded_encoder.d_embed == 384
    assert embedded_encoder.identity.languages == ("en",)
