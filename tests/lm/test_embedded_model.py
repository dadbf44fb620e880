"""The embedded language model itself, converted once into the user's cache."""

from __future__ import annotations

import pytest
import torch

from calm_lm.lm.embedded import embedded_backbone_folder, is_whole
from calm_lm.lm.hf import HuggingFaceLM

pytestmark = pytest.mark.lm


def test_states_equal_transformers_in_every_layer(embedded_lm, texts):
    states, mask, _ = embedded_lm.hidden_states(texts, list(range(31)))
    coded = embedded_lm.tokenizer(texts, return_tensors="pt", padding=True, padding_side="right")
    with torch.no_grad():
        expected = torch.stack(embedded_lm.model.model(**coded, output_hidden_states=True).hidden_states)
    torch.testing.assert_close(states[:, mask], expected[:, mask], rtol=1e-5, atol=1e-5)


def test_cached_states_continue_and_train(embedded_lm, texts):
    states, mask, _ = embedded_lm.hidden_states(texts, [16, 20, 30])
    assert torch.equal(embedded_lm.run_layers(states[0], mask, 16, 20), states[1])
    assert torch.equal(embedded_lm.run_layers(states[0], mask, 16, 30), states[2])
    parameters = embedded_lm.add_lora(range(16, 20), r=4, targets=("q_proj", "v_proj"))
    try:
        embedded_lm.run_layers(states[0], mask, 16, 20)[mask].square().mean().backward()
        assert sum(p.grad.abs().sum().item() > 0 for p in parameters) == len(parameters) / 2  # B is zero, so A rests
    finally:
        embedded_lm.remove_lora()
    assert torch.equal(embedded_lm.run_layers(states[0], mask, 16, 20), states[1])


def test_it_is_a_language_model(embedded_lm):
    assert " Paris" in embedded_lm.generate(["The capital of France is"], max_new_tokens=4)[0]
    assert "Paris" in embedded_lm.generate(["What is the capital of France?"], max_new_tokens=12, chat=True)[0]
    scores = embedded_lm.score_options(["The capital of France is"], [[" Paris", " Berlin", " purple elephants"]])[
        0
    ].sums
    assert scores.argmax().item() == 0
    assert scores.argmin().item() == 2


def test_it_is_called_by_its_own_name(embedded_lm):
    assert embedded_lm.title == "SmolLM2-135M-Instruct (Q4_1, dequantised)"
    assert embedded_lm.identity.languages == ("en",)
    assert (embedded_lm.d_model, embedded_lm.n_layers, embedded_lm.window) == (576, 30, 8192)


def test_the_cached_files_are_those_converted(embedded_lm):
    assert is_whole(embedded_backbone_folder(), verify=True)
    again = HuggingFaceLM.load("embedded")
    assert again.identity == embedded_lm.identity
