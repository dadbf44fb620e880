from __future__ import annotations

import pytest
import torch

from calm_lm.errors import CalmError

RESUMABLE = ["llama", "qwen3", "gpt_neox"]
ALL = [*RESUMABLE, "granite", "gpt2", "bert"]


def reference(lm, text, layers):
    """One text at a time through transformers itself, so without padding."""
    coded = lm.tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        states = lm.model.base_model(
            input_ids=coded["input_ids"], attention_mask=coded["attention_mask"], output_hidden_states=True
        ).hidden_states
    return torch.stack([states[layer][0] for layer in layers])


@pytest.mark.parametrize("kind", ALL)
def test_states_equal_transformers_and_padding_changes_nothing(tiny, texts, kind):
    lm = tiny(kind)
    layers = [lm.n_layers, 0, 2, 1, 2]
    got = lm.hidden_states(texts, layers)
    assert got.states.shape == (5, len(texts), got.mask.shape[1], lm.d_model)
    for i, text in enumerate(texts):
        expected = reference(lm, text, layers)
        real = got.states[:, i, got.mask[i]]
        assert real.shape == expected.shape
        torch.testing.assert_close(real, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ALL)
def test_only_rotary_decoders_that_do_not_rescale_their_input_are_resumable(tiny, kind):
    assert tiny(kind).trunk.resumable == (kind in RESUMABLE)


@pytest.mark.parametrize("kind", RESUMABLE)
def test_blocks_above_the_highest_layer_are_not_run(tiny, texts, kind):
    lm = tiny(kind)
    ran = []
    for i, block in enumerate(lm.trunk.blocks):
        block.register_forward_hook(lambda *_, i=i: ran.append(i))
    lm.hidden_states(texts, [0, 2, 1])
    assert ran == [0, 1]


@pytest.mark.parametrize("kind", RESUMABLE)
def test_run_layers_continues_cached_states_bit_for_bit(tiny, texts, kind):
    lm = tiny(kind)
    n = lm.n_layers
    states, mask, _ = lm.hidden_states(texts, list(range(n + 1)))
    for first in range(n + 1):
        for last in range(first, n + 1):
            assert torch.equal(lm.run_layers(states[first], mask, first, last), states[last]), (first, last)


def test_run_layers_passes_gradients_to_the_states(tiny, texts):
    lm = tiny("llama")
    states, mask, _ = lm.hidden_states(texts, [1])
    assert not states.requires_grad
    start = states[0].clone().requires_grad_()
    lm.run_layers(start, mask, 1, 3)[mask].sum().backward()
    assert start.grad[mask].abs().sum() > 0
    assert torch.all(start.grad[~mask] == 0)  # real tokens do not look at padding


def test_running_a_part_leaves_the_model_as_it_was(tiny, texts):
    lm = tiny("qwen3")
    before = reference(lm, texts[0], [4])
    lm.hidden_states(texts, [1, 3])
    assert len(lm.trunk.blocks) == lm.model.config.num_hidden_layers == len(lm.model.config.layer_types) == 4
    assert torch.equal(reference(lm, texts[0], [4]), before)


@pytest.mark.parametrize("kind", ["gpt2", "bert", "granite"])
def test_architectures_that_cannot_be_resumed_are_refused(tiny, texts, kind):
    lm = tiny(kind)
    states, mask, _ = lm.hidden_states(texts, [1])
    with pytest.raises(CalmError, match=r"\[L17\]"):
        lm.run_layers(states[0], mask, 1, 2)


@pytest.mark.parametrize(("first", "last"), [(2, 1), (-1, 2), (0, 5)])
def test_layers_that_are_not_there(tiny, first, last):
    lm = tiny("llama")
    with pytest.raises(CalmError, match=r"\[L18\]"):
        lm.run_layers(torch.zeros(1, 2, 32), torch.ones(1, 2, dtype=torch.bool), first, last)
    with pytest.raises(CalmError, match=r"\[L19\]"):
        lm.hidden_states(["a"], [0, 5])


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_spans_name_the_characters_of_each_token(tiny, texts, kind):
    lm = tiny(kind)
    _, mask, spans = lm.hidden_states(texts, [0])
    for i, text in enumerate(texts):
        characters = set()
        for start, end in spans[i][mask[i]].tolist():
            assert 0 <= start <= end <= len(text)
            characters.update(range(start, end))
        assert characters == set(range(len(text)))
    assert torch.all(spans[~mask] == 0)
    if kind == "bert":
        assert spans[:, 0].tolist() == [[0, 0]] * len(texts)


def test_long_texts_are_cut(tiny):
    lm = tiny("llama")
    assert lm.hidden_states(["tea " * 300], [0], max_length=7).mask.shape == (1, 7)
    assert lm.hidden_states(["tea " * 300], [0], max_length=1000).mask.shape == (1, lm.window)


@pytest.mark.parametrize(("text", "code"), [("", "L15"), ("a\ud800b", "L14")])
def test_texts_that_cannot_be_read(tiny, text, code):
    with pytest.raises(CalmError) as caught:
        tiny("llama").hidden_states(["fine", text], [0])
    assert caught.value.code == code


def test_fingerprint_follows_weights_and_tokenizer(tiny):
    one, two = tiny("llama"), tiny("llama")
    assert one.identity == two.identity
    assert one.identity.fingerprint != tiny("qwen3").identity.fingerprint
    with torch.no_grad():
        two.model.lm_head.weight[0, 0] += 1e-6
    assert type(two)(two.model, two.tokenizer).identity.fingerprint != one.identity.fingerprint
    assert type(two)(one.model, tiny("bert").tokenizer).identity.fingerprint != one.identity.fingerprint
