"""Questions per second of `score_options` against lm-evaluation-harness (HFLM, `loglikelihood`).

    .venv/bin/python benchmarks/options.py --json

The embedded model answers invented questions: four options of three to six tokens behind a persona of about 250
tokens, then single-token options (" A" to " D") behind the same persona and without one. Both get the same prompts
and options in one order, the same model object and number of threads. A batch is bounded by the same number of
padded tokens: the harness takes a fixed number of rows, so its `batch_size` is that bound over its longest row.
Bounds: three times as many questions per second on the first load, no fewer on the others.
"""

# ruff: noqa: T201  (a benchmark's output is what it prints)
from __future__ import annotations

import logging
from importlib import import_module
from itertools import product
from typing import Any, NamedTuple

import torch
from rounds import finish, interleave, parser, ratio

from calm_lm.lm.hf import HuggingFaceLM

BATCH_TOKENS = 2048
PERSONA = (
    "You are a woman of fifty-two who lives with her husband and his mother in a market town two hours from the "
    "capital. You finished secondary school, kept the books of a timber yard for nineteen years, and since it closed "
    "you sell cloth and buttons from a stall near the bus station. Your elder son drives a lorry abroad and sends "
    "money when he can; your daughter studies to be a nurse and comes home on feast days. You go to worship most "
    "weeks, more for the company than for the sermon, and you fast when your mother-in-law does. You vote, though you "
    "do not think that it changes much, and you trust your neighbours more than any office. You believe that guests "
    "are fed before anything is asked of them, that debts between relatives should not be written down, and that the "
    "young marry too late. You like football on the radio, dislike being hurried, and read the newspaper from the "
    "back to the front. When somebody puts a question to you, you answer plainly and as you really think, not as the "
    "person who asks would like to hear it. Choose the answer that you would give yourself.\n\n"
)
SUBJECTS = ("how loudly people speak in a bus", "what a wedding may cost", "when children leave home",
            "who looks after the old", "how late a guest may come", "whether bread may be thrown away")  # fmt: skip
ASKED = ("what would you say about {}?", "a stranger wants your honest opinion about {}; what is it?",
         "in your town, what do most people think about {}?", "should there be a rule about {}?")  # fmt: skip
ANSWERS = (" it matters a lot", " it hardly matters to me", " that depends on the family", " others should decide")
LETTERS = (" A", " B", " C", " D")


class Load(NamedTuple):
    """Prompts, the options of each, and how many times faster than the harness they have to be answered."""

    prompts: list[str]
    options: tuple[str, ...]
    bound: float


def loads(questions: int) -> dict[str, Load]:
    """The three loads, of as many questions each (24 at most)."""
    asked = [question.format(subject) for question, subject in product(ASKED, SUBJECTS)][:questions]
    listed = "\n".join(f"{letter.strip()}.{answer}" for letter, answer in zip(LETTERS, ANSWERS, strict=True))
    words = [f"Question: {question}\nAnswer:" for question in asked]
    letters = [f"Question: {question}\n{listed}\nAnswer:" for question in asked]
    return {
        "words behind a persona": Load([PERSONA + prompt for prompt in words], ANSWERS, 3.0),
        "letters behind a persona": Load([PERSONA + prompt for prompt in letters], LETTERS, 1.0),
        "letters alone": Load(letters, LETTERS, 1.0),
    }


def measure(lm: HuggingFaceLM, load: Load, rounds: int) -> tuple[dict[str, list[float]], float]:
    """Seconds of ours and the harness, and the largest difference between their scores."""
    lm_eval: Any = import_module("lm_eval.models.huggingface")
    make_row: Any = import_module("lm_eval.api.instance").Instance
    pairs = [(prompt, option) for prompt in load.prompts for option in load.options]
    longest = max(len(lm.tokenizer(prompt + option)["input_ids"]) for prompt, option in pairs) - 1
    harness: Any = lm_eval.HFLM(pretrained=lm.model, tokenizer=lm.tokenizer, batch_size=max(1, BATCH_TOKENS // longest))
    rows = [make_row("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    print(f"{len(load.prompts)} questions of up to {longest} tokens, {len(load.options)} options each")
    last: dict[str, list[float]] = {}

    def ours() -> None:
        found = lm.score_options(load.prompts, [load.options] * len(load.prompts), batch_tokens=BATCH_TOKENS)
        last["ours"] = torch.cat([scores.sums for scores in found]).tolist()

    def theirs() -> None:
        last["harness"] = [total for total, _ in harness.loglikelihood(rows, disable_tqdm=True)]

    seconds = interleave({"ours": ours, "harness": theirs}, rounds=rounds, warmup=1)
    return seconds, max(abs(a - b) for a, b in zip(last["ours"], last["harness"], strict=True))


def main() -> None:
    """Measure the three loads and print how many times faster they are answered."""
    options = parser(__doc__, rounds=10)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    options.add_argument("--questions", type=int, default=24)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    logging.disable(logging.WARNING)  # the harness remarks on a model that it did not load itself
    failures, results = [], {}
    lm = HuggingFaceLM.load("embedded")
    for name, load in loads(chosen.questions).items():
        print(f"\n{name}")
        seconds, apart = measure(lm, load, chosen.rounds)
        speed = ratio(seconds, "harness", "ours")
        results[name] = {"seconds": seconds, "harness / ours": speed, "largest difference": apart}
        for who, spent in seconds.items():
            print(f"  {who:8}{len(load.prompts) * len(spent) / sum(spent):8.2f} questions per second")
        print(f"  harness / ours: {speed}; scores differ by at most {apart:.1e} nats")
        if speed.median < load.bound:
            failures.append(f"{name}: {speed.median:.2f} times the harness, bound {load.bound:.0f}")
        if apart > 1e-3:
            failures.append(f"{name}: scores differ by {apart:.1e} nats, bound 1e-3")
    finish("options", results, save=chosen.json, failures=failures)


if __name__ == "__main__":
    main()
