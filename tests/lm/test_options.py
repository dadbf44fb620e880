from __future__ import annotations

import pytest
import torch

from calm_lm.errors import CalmError
from calm_lm.lm.hf import HuggingFaceLM

PROMPTS = ["Guests take off", "Tea is poured for the old", "Nobody drinks be"]
OPTIONS = [
    [" their shoes", " hats", " their shoes at the door."],
    ["est person", " person first"],
    ["fore the guests", "fore", "cause of 東京", "fo"],
]


def naive(lm, prompt, option):
    """One option alone, all logits, probabilities multiplied token by token."""
    alone, joint = lm.tokenizer(prompt)["input_ids"], lm.tokenizer(prompt + option)["input_ids"]
    start = max(n for n in range(len(alone) + 1) if alone[:n] == joint[:n])
    with torch.no_grad():
        logits = lm.model(input_ids=torch.tensor([joint])).logits[0].double()
    return sum(torch.softmax(logits[i - 1], -1)[joint[i]].log().item() for i in range(start, len(joint)))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gpt_neox"])
@pytest.mark.parametrize("batch_tokens", [1, 40, 4096])
def test_scores_equal_a_loop_over_single_options(tiny, kind, batch_tokens):
    lm = tiny(kind)
    scores = lm.score_options(PROMPTS, OPTIONS, batch_tokens=batch_tokens)
    for prompt, options, row in zip(PROMPTS, OPTIONS, scores, strict=True):
        expected = torch.tensor([naive(lm, prompt, option) for option in options])
        torch.testing.assert_close(row, expected, rtol=1e-4, atol=1e-4)


def test_the_border_may_be_merged(tiny):
    tokenizer = tiny("llama").tokenizer
    alone, joint = (tokenizer(text)["input_ids"] for text in (PROMPTS[1], PROMPTS[1] + OPTIONS[1][0]))
    assert joint[: len(alone)] != alone  # else the tests above do not test a merge


def test_scores_follow_the_chain_rule_over_words(tiny):
    lm = tiny("llama")
    words = [" is", " poured", " for", " the"]
    whole = lm.score_options(["Tea"], [["".join(words)]])[0].item()
    steps = lm.score_options(["Tea" + "".join(words[:i]) for i in range(4)], [[word] for word in words])
    assert whole == pytest.approx(sum(step.item() for step in steps), rel=1e-5)


def test_no_options_and_no_prompts(tiny):
    lm = tiny("llama")
    assert lm.score_options([], []) == []
    assert [row.shape[0] for row in lm.score_options(["a", "b"], [[], [" c"]])] == [0, 1]


@pytest.mark.parametrize(
    ("prompt", "option", "code"), [("", "x", "L25"), ("x", "", "L25"), ("x " * 200, "y", "L26"), ("x", "\udfff", "L14")]
)
def test_what_cannot_be_scored(tiny, prompt, option, code):
    with pytest.raises(CalmError) as caught:
        tiny("llama").score_options([prompt], [[option]])
    assert caught.value.code == code


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
    torch.testing.assert_close(framed.score_options(["Tea"], [[" is"]])[0][0], expected, rtol=1e-4, atol=1e-4)
