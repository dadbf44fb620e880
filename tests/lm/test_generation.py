from __future__ import annotations

import pytest
import torch

from calm_lm.errors import CalmError
from calm_lm.lm.generation import injected
from calm_lm.lm.protocol import Injection

TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<s>{% endif %}"
)


def greedy(lm, ids, n):
    """The likeliest token n times, the whole text run again for each."""
    ids = list(ids)
    for _ in range(n):
        with torch.no_grad():
            following = lm.model(input_ids=torch.tensor([ids])).logits[0, -1].argmax().item()
        ids.append(following)
        if following == lm.tokenizer.eos_token_id:
            break
    return ids


def layer_outputs(lm, ids):
    """States of layers 1..n: outputs of all blocks but the last, and of the final norm."""
    seen = []
    places = [*lm.trunk.blocks[:-1], lm.trunk.norm]
    hooks = [
        place.register_forward_hook(lambda m, a, out: seen.append(out[0] if isinstance(out, tuple) else out))
        for place in places
    ]
    lm.model(input_ids=ids)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2"])
@pytest.mark.parametrize("batch_tokens", [1, 4096])
def test_batches_equal_single_greedy_runs(tiny, texts, kind, batch_tokens):
    lm = tiny(kind)
    for prompt, answer in zip(texts, lm.generate(texts, max_new_tokens=6, batch_tokens=batch_tokens), strict=True):
        ids = lm.tokenizer(prompt)["input_ids"]
        expected = lm.tokenizer.decode(greedy(lm, ids, 6)[len(ids) :], skip_special_tokens=True)
        assert answer == expected


def test_sampling_defaults_of_the_model_do_not_reach_greedy_text(tiny, texts):
    from calm_lm.lm.hf import HuggingFaceLM

    plain, other = tiny("llama"), tiny("llama")
    other.model.generation_config.repetition_penalty = 5.0
    other.model.generation_config.no_repeat_ngram_size = 1
    other = HuggingFaceLM(other.model, other.tokenizer)
    assert other.generate(texts, max_new_tokens=12) == plain.generate(texts, max_new_tokens=12)


def test_chat_wraps_each_prompt(tiny):
    lm = tiny("llama")
    with pytest.raises(CalmError, match=r"\[L16\]"):
        lm.generate(["Tea?"], chat=True)
    lm.tokenizer.chat_template = TEMPLATE
    try:
        assert lm.generate(["Tea?"], chat=True, max_new_tokens=5) == lm.generate(["<s>user: Tea?<s>"], max_new_tokens=5)
    finally:
        lm.tokenizer.chat_template = None


def test_a_zero_shift_changes_no_text_and_no_logit(tiny, texts):
    lm = tiny("llama")
    plain = lm.generate(texts, max_new_tokens=6)
    ids = torch.arange(5, 17).reshape(2, 6)
    logits = lm.model(input_ids=ids).logits
    for layer in range(1, lm.n_layers + 1):
        assert (
            lm.generate(texts, max_new_tokens=6, inject=Injection(layer, torch.zeros(len(texts), lm.d_model))) == plain
        )
        with injected(lm.trunk, Injection(layer, torch.zeros(2, lm.d_model))):
            assert torch.equal(lm.model(input_ids=ids).logits, logits)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("layer", [1, 2, -1])
def test_a_shift_moves_exactly_the_states_of_its_layer(tiny, kind, layer):
    lm = tiny(kind)
    layer = lm.n_layers if layer == -1 else layer
    ids, delta = torch.arange(5, 17).reshape(2, 6), torch.randn(2, lm.d_model)
    before = layer_outputs(lm, ids)
    with injected(lm.trunk, Injection(layer, delta)):
        after = layer_outputs(lm, ids)
    torch.testing.assert_close(after[layer - 1], before[layer - 1] + delta[:, None], rtol=1e-5, atol=1e-5)
    assert all(torch.equal(after[k], before[k]) for k in range(layer - 1))
    assert not any(torch.equal(after[k], before[k]) for k in range(layer - 1, lm.n_layers))


def test_each_prompt_gets_its_own_shift_whatever_the_batches(tiny, texts):
    lm = tiny("llama")
    delta = 3 * torch.randn(len(texts), lm.d_model, generator=torch.Generator().manual_seed(1))
    together = lm.generate(texts, max_new_tokens=6, inject=Injection(2, delta))
    alone = [
        lm.generate([text], max_new_tokens=6, inject=Injection(2, delta[i : i + 1]))[0] for i, text in enumerate(texts)
    ]
    assert together == alone
    assert together != lm.generate(texts, max_new_tokens=6)


def test_the_hook_is_removed_also_after_an_error(tiny, texts):
    lm = tiny("llama")
    plain = lm.generate(texts, max_new_tokens=4)
    with pytest.raises(RuntimeError, match="boom"), injected(lm.trunk, Injection(2, torch.ones(1, lm.d_model))):
        raise RuntimeError("boom")
    assert lm.generate(texts, max_new_tokens=4) == plain


@pytest.mark.parametrize(
    ("prompts", "inject", "code"),
    [
        ([""], None, "L27"),
        (["x " * 200], None, "L27"),
        (["x"], Injection(0, torch.zeros(1, 32)), "L28"),
        (["x"], Injection(5, torch.zeros(1, 32)), "L28"),
        (["x"], Injection(1, torch.zeros(2, 32)), "L29"),
    ],
)
def test_what_cannot_be_continued(tiny, prompts, inject, code):
    with pytest.raises(CalmError) as caught:
        tiny("llama").generate(prompts, inject=inject)
    assert caught.value.code == code
