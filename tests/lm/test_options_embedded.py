"""Option scores of the embedded model: against one row per option, and against lm-evaluation-harness.

The harness moves spaces from the end of a context into the continuation and cuts the joint tokens where the
context's own tokens end. The rows here end in no space and their borders merge no tokens, so both score the same.
"""

from __future__ import annotations

import pytest
import torch

from calm_lm.lm.plain_scores import Path, plain_sums

PERSONA = (
    "You are a baker in a small town by the sea. You rise at three, you like quiet mornings and strong tea, and you "
    "think that a promise made in front of others has to be kept, whatever it costs. Answer as this person would.\n"
)
QUESTIONS = [
    "Question: A guest comes an hour late to dinner. How is this seen?\nAnswer:",
    "Question: Is it fine to haggle in a shop?\nA. yes\nB. no\nC. in some shops\nAnswer:",
    "Question: Is it fine to haggle in a shop?\nA. in some shops\nB. no\nC. yes\nAnswer:",
]
OPTIONS = [[" as a small matter", " as rude", " as rude to the host", " nobody would notice it at all"]] + [
    [" A", " B", " C"]
] * 2
PROMPTS = [PERSONA + question for question in QUESTIONS] + QUESTIONS
ALL_OPTIONS = OPTIONS * 2


@pytest.fixture(scope="module")
def scores(embedded_lm):
    return embedded_lm.score_options(PROMPTS, ALL_OPTIONS)


@pytest.mark.lm
def test_scores_equal_one_row_for_each_option(embedded_lm, scores):
    assert embedded_lm._shared_reach == embedded_lm.window
    paths = []
    for prompt, options in zip(PROMPTS, ALL_OPTIONS, strict=True):
        start = len(embedded_lm.tokenizer(prompt)["input_ids"])
        paths += [Path(tuple(embedded_lm.tokenizer(prompt + option)["input_ids"]), start) for option in options]
    expected = plain_sums(embedded_lm.model, paths, fill=0, batch_tokens=1024).float()
    torch.testing.assert_close(torch.cat([found.sums for found in scores]), expected, rtol=0, atol=1e-4)


@pytest.mark.lm
def test_scores_equal_those_of_the_harness(embedded_lm, scores):
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    harness = HFLM(pretrained=embedded_lm.model, tokenizer=embedded_lm.tokenizer, batch_size=4)
    pairs = [(prompt, option) for prompt, options in zip(PROMPTS, ALL_OPTIONS, strict=True) for option in options]
    cut = [harness._encode_pair(*pair) for pair in pairs]
    assert [len(option) for _, option in cut] == torch.cat([found.tokens for found in scores]).tolist()
    rows = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    expected = torch.tensor([total for total, _ in harness.loglikelihood(rows, disable_tqdm=True)])
    torch.testing.assert_close(torch.cat([found.sums for found in scores]), expected, rtol=0, atol=1e-3)
