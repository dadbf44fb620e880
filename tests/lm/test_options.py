from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.lm.hf import HuggingFaceLM

PROMPTS = ["Guests take off", "Tea is poured for the old", "Nobody drinks be"]
OPTIONS = [
    [" their shoes", " hats", " their shoes at the door."],
    ["est person", " person first"],
    ["fore the guests", "fore", "cause of 東京", "fo"],
]
PIECES = [
    "Tea",
    " is",
    " poured",
    " for the",
    " old",
    "est person",
    " first",
    ", and nobody",
    " be",
    "fore",
    "東京",
    ".",
]


def naive(lm, prompt, option):
    """One option alone, all logits, probabilities multiplied token by token; and how many tokens."""
    alone, joint = lm.tokenizer(prompt)["input_ids"], lm.tokenizer(prompt + option)["input_ids"]
    start = max(n for n in range(len(alone) + 1) if alone[:n] == joint[:n])
    with torch.no_grad():
        logits = lm.model(input_ids=torch.tensor([joint])).logits[0].double()
    found = [torch.softmax(logits[i - 1], -1)[joint[i]].log().item() for i in range(start, len(joint))]
    return sum(found), len(found)


def assert_naive(lm, prompts, options, found, rel):
    for prompt, choices, scores in zip(prompts, options, found, strict=True):
        expected = [naive(lm, prompt, option) for option in choices]
        assert (scores.sums.dtype, scores.tokens.dtype) == (torch.float32, torch.int64)
        assert scores.sums.tolist() == pytest.approx([total for total, _ in expected], rel=rel)
        assert scores.tokens.tolist() == [count for _, count in expected]


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gpt_neox", "qwen3"])
@pytest.mark.parametrize("batch_tokens", [1, 40, 4096])
def test_scores_equal_a_loop_over_single_options(tiny, kind, batch_tokens):
    lm = tiny(kind)
    assert_naive(lm, PROMPTS, OPTIONS, lm.score_options(PROMPTS, OPTIONS, batch_tokens=batch_tokens), 1e-4)


@settings(max_examples=20)
@given(data=st.data())
def test_scores_of_any_prompts_equal_the_loop(tiny, data):
    lm = tiny("llama")
    text = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)
    start = data.draw(text)
    prompt = st.one_of(st.just(start), text, text.map(lambda rest: start + rest)).map("Tea.".__add__)
    asked = data.draw(st.lists(st.tuples(prompt, st.lists(text, max_size=4)), max_size=4))
    prompts, options = [prompt for prompt, _ in asked], [choices for _, choices in asked]
    found = lm.score_options(prompts, options, batch_tokens=data.draw(st.sampled_from([1, 64, 4096])))
    assert_naive(lm, prompts, options, found, 1e-4)


def test_the_border_may_be_merged(tiny):
    tokenizer = tiny("llama").tokenizer
    alone, joint = (tokenizer(text)["input_ids"] for text in (PROMPTS[1], PROMPTS[1] + OPTIONS[1][0]))
    assert joint[: len(alone)] != alone  # else the tests above do not test a merge


def test_scores_follow_the_chain_rule_over_words(tiny):
    lm = tiny("llama")
    words = [" is", " poured", " for", " the"]
    whole = lm.score_options(["Tea"], [["".join(words)]])[0]
    steps = lm.score_options(["Tea" + "".join(words[:i]) for i in range(4)], [[word] for word in words])
    assert whole.sums.item() == pytest.approx(sum(step.sums.item() for step in steps), rel=1e-5)
    assert whole.tokens.item() == sum(step.tokens.item() for step in steps)
    assert whole.per_token().item() == pytest.approx(whole.sums.item() / whole.tokens.item())


def test_no_options_and_no_prompts(tiny):
    lm = tiny("llama")
    assert lm.score_options([], []) == []
    found = lm.score_options(["a", "b"], [[], [" c"]])
    assert [(row.sums.shape, row.tokens.shape) for row in found] == [((0,), (0,)), ((1,), (1,))]
    with pytest.raises(ValueError, match="shorter"):
        lm.score_options(["a", "b"], [[" c"]])


@pytest.mark.parametrize(
    ("prompt", "option", "code"), [("", "x", "L25"), ("x", "", "L25"), ("x " * 200, "y", "L26"), ("x", "\udfff", "L14")]
)
def test_what_cannot_be_scored(tiny, prompt, option, code):
    with pytest.raises(CalmError) as caught:
        tiny("llama").score_options(["a", prompt], [[" b"], [" c", option]])
    assert caught.value.code == code
    assert caught.value.row == (None if code == "L14" else 2)
    assert "x x" not in str(caught.value)  # a prompt may hold a text of an offensive data set


def test_a_model_without_a_head_is_refused(tiny):
    lm = tiny("bert")
    with pytest.raises(CalmError, match=r"\[L30\]"):
        lm.score_options(["a"], [["b"]])
    with pytest.raises(CalmError, match=r"\[L30\]"):
        lm.generate(["a"])


def test_a_closing_token_of_the_tokenizer_is_not_scored(tiny):
    plain = tiny("llama")
    framed = HuggingFaceLM(plain.model, tiny("bert").tokenizer)
    begun = framed.tokenizer("Tea is")["input_ids"][:-1]
    with torch.no_grad():
        logits = plain.model(input_ids=torch.tensor([begun])).logits[0]
    expected = logits[-2].log_softmax(-1)[begun[-1]]
    found = framed.score_options(["Tea"], [[" is"]])[0].sums[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
