"""Shared tokens read once against every option read alone, in float64, and which models are read so at all."""

from __future__ import annotations

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.lm.plain_scores import Path, plain_sums
from calm_lm.lm.shared_prefix import _Asked, _even_batches, _probe_paths, _sums_of_groups, shared_reach, shared_sums
from calm_lm.lm.token_tree import plan_rows

VOCABULARY = 400
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
FEW = {
    **TOKENS, "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 128, "num_hidden_layers": 2,
}  # fmt: skip
LEGACY = {**TOKENS, "vocab_size": VOCABULARY, "hidden_size": 32, "max_position_embeddings": 128}
WINDOW = 80  # longer than a row of the probe, so that the numbers alone do not tell
OTHERS = {
    "gemma2": lambda: transformers.Gemma2ForCausalLM(
        transformers.Gemma2Config(**FEW, sliding_window=WINDOW, query_pre_attn_scalar=8, final_logit_softcapping=2.0)
    ),
    "gpt_neo": lambda: transformers.GPTNeoForCausalLM(
        transformers.GPTNeoConfig(
            **LEGACY, num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]], window_size=WINDOW
        )
    ),
    "granite": lambda: transformers.GraniteForCausalLM(transformers.GraniteConfig(**FEW, logits_scaling=5.0)),
    "mpt": lambda: transformers.MptForCausalLM(
        transformers.MptConfig(vocab_size=VOCABULARY, d_model=32, n_heads=4, n_layers=2, max_seq_len=128)
    ),
    "bloom": lambda: transformers.BloomForCausalLM(
        transformers.BloomConfig(**TOKENS, vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4)
    ),
    "rwkv": lambda: transformers.RwkvForCausalLM(
        transformers.RwkvConfig(
            **TOKENS, vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, attention_hidden_size=32
        )
    ),
    "eager": lambda: transformers.LlamaForCausalLM(transformers.LlamaConfig(**FEW, attn_implementation="eager")),
}


@st.composite
def some_paths(draw):
    """Sequences over few tokens: repeated, of shared beginnings, one the beginning of another, borders anywhere."""
    ids = st.lists(st.integers(5, 8), min_size=2, max_size=12).map(tuple)
    begun = draw(st.lists(st.integers(5, 300), max_size=40).map(tuple))
    found = draw(st.lists(st.one_of(ids, ids.map(lambda rest: begun + rest)), max_size=12))
    return [Path(ids, draw(st.integers(1, len(ids) - 1))) for ids in found]


@pytest.fixture(scope="module", params=["llama", "gpt2", "gpt_neox"])
def double(request, tiny):
    return tiny(request.param).model.double()


@settings(max_examples=25)
@given(
    paths=some_paths(),
    batch_tokens=st.sampled_from([1, 50, 4096]),
    row_tokens=st.sampled_from([0, 10, 256]),
    pass_tokens=st.sampled_from([0, 32]),
)
def test_sums_equal_the_plain_ones(double, paths, batch_tokens, row_tokens, pass_tokens):
    asked = _Asked.of(paths)
    plan = plan_rows(asked.reads, most=100, row_tokens=row_tokens, pass_tokens=pass_tokens)
    found = _sums_of_groups(double, asked, plan, 0, batch_tokens)
    torch.testing.assert_close(found, plain_sums(double, paths, fill=0, batch_tokens=4096), rtol=1e-9, atol=1e-9)


def test_order_and_batches_change_nothing(double):
    paths = _personas(6, 4)
    back = torch.arange(len(paths) - 1, -1, -1)
    expected = shared_sums(double, paths, reach=128, fill=0, batch_tokens=4096)
    for batch_tokens in (1, 30, 100):
        found = shared_sums(double, paths[::-1], reach=128, fill=7, batch_tokens=batch_tokens)
        torch.testing.assert_close(found[back], expected, rtol=1e-12, atol=1e-12)


def _personas(questions, options):
    """Questions of 12 tokens behind one of 60, one-token options."""
    start = tuple(range(100, 160))
    return [
        Path(start + tuple(range(q, q + 12)) + (20 + o,), 72) for q in range(5, 5 + questions) for o in range(options)
    ]


def test_a_prefix_is_read_once_and_the_head_runs_once_for_each_question(tiny):
    model = tiny("llama").model
    read, headed = [], []
    model.get_input_embeddings().register_forward_hook(lambda _, args, out: read.append(args[0].numel()))
    model.get_output_embeddings().register_forward_hook(lambda _, args, out: headed.append(out.shape[:2].numel()))
    paths = _personas(40, 10)
    shared_sums(model, paths, reach=4096, fill=0, batch_tokens=4096)
    assert read == [60, 2 * 21 * 12]  # rows of at most 256 tokens: 21 questions and 19, padded alike
    assert headed == [40]
    read.clear()
    shared_sums(model, paths, reach=4096, fill=0, batch_tokens=300)
    assert read == [60, 21 * 12, 19 * 12]


def test_a_batch_ends_where_padding_would_cost_more_than_a_pass():
    assert list(_even_batches([86, 47, 45, 40, 47], 4096)) == [[0], [1, 4, 2, 3]]
    assert list(_even_batches([60, 50, 50, 50, 50], 4096)) == [[0, 1, 2, 3], [4]]
    assert list(_even_batches([60, 60, 60], 120)) == [[0, 1], [2]]


@pytest.mark.parametrize(
    ("kind", "reach"),
    [("gemma2", WINDOW), ("gpt_neo", WINDOW), ("granite", 128), ("eager", 128), ("mpt", 0), ("bloom", 0), ("rwkv", 0)],
)
def test_a_model_is_tried_before_it_is_trusted(tokenizer, kind, reach):
    with torch.random.fork_rng([]):
        torch.manual_seed(5)
        model = OTHERS[kind]()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    lm = HuggingFaceLM(model, tokenizer)
    assert shared_reach(model, tokenizer, min(lm.window, 128)) == reach
    prompts = ["Tea is poured for the oldest person first, and " * n + "nobody drinks" for n in (0, 1, 2, 2, 4)]
    options = [[" before.", " be", " at the door."]] * 5
    for prompt, choices, found in zip(prompts, options, lm.score_options(prompts, options), strict=True):
        for option, total in zip(choices, found.sums.tolist(), strict=True):
            joint = torch.tensor(tokenizer(prompt + option)["input_ids"])
            with torch.no_grad():
                log_p = model(input_ids=joint[None]).logits[0, :-1].log_softmax(-1).gather(-1, joint[1:, None])[:, 0]
            assert total == pytest.approx(log_p[-found.tokens[choices.index(option)] :].sum().item(), rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_number_types_are_trusted_too(tiny, dtype):
    lm = tiny("llama")
    lm.model.to(dtype)
    assert shared_reach(lm.model, lm.tokenizer, 128) == 128


def test_kernels_that_take_no_mask_of_ones_own_are_not_tried(tiny):
    lm = tiny("llama")
    lm.model.config._attn_implementation = "flex_attention"
    assert shared_reach(lm.model, lm.tokenizer, 128) == 0


def test_the_probe_has_a_prefix_and_rows_in_which_place_and_position_differ(tokenizer):
    paths = _probe_paths(tokenizer)
    (group,) = plan_rows(_Asked.of(paths).reads, most=1000, row_tokens=64, pass_tokens=0)
    assert group.prefix > 0
    assert len(group.rows) == 2
    assert len(set(paths)) > 30
