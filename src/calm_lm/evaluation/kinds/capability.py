"""Capability: how probable the model finds plain paragraphs that have nothing to do with any culture.

Bits per byte compare models of different tokenizers; perplexity per token does not, and stands beside it because it
is what papers print. A model whose tokenizer has no start token scores all tokens of a text but the first, while all
bytes count: on these texts that flatters it by a percent or two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydantic

from calm_lm.culture.norms import NormStore
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import NEUTRAL
from calm_lm.evaluation.kinds.material import Strict, different, load_material
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import EVERYONE, Metric, Table, figure
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats

METRICS = (Metric("bits_per_byte", "Bits per byte", higher_is_better=False, high=None),)


class Paragraph(Strict):
    """One neutral text."""

    id: str
    topic: str
    text: str


class Paragraphs(Strict):
    """The material of this kind."""

    texts: tuple[Paragraph, ...] = pydantic.Field(min_length=2)

    @pydantic.model_validator(mode="after")
    def _ids(self) -> Paragraphs:
        different([each.id for each in self.texts])
        return self


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Score every paragraph as a whole; conditions and norms play no part.

    Args:
        asker: the model.
        plan: what to ask.
        norms: not used.
        judge: not used.

    Raises:
        CalmError: E37 for a model that does not tell how probable a text is.
    """
    at_hand = load_material(plan.task, Paragraphs).texts
    texts = plan.sample(at_hand, lambda each: each.topic)
    found = asker.likelihood([each.text for each in texts], f"{plan.task.name}, whole texts")
    table = Table([each.id for each in texts], [EVERYONE] * len(texts), seed=plan.seed, replicates=plan.replicates)
    nats = np.asarray([-each.log_prob for each in found])
    tokens, sizes = (np.asarray([getattr(each, name) for each in found], float) for name in ("tokens", "bytes"))
    model = System(NEUTRAL.name, "the model, whole texts", "model", {"bits_per_byte": nats / np.log(2) / sizes})
    perplexity = np.exp(table.means(nats) / table.means(tokens))
    model.figures["perplexity"] = figure(perplexity, title="Perplexity per token", higher_is_better=False) | {
        "dimension": "capability"
    }
    bytes_alone = System(
        "byte-unigram", "bytes by how common they are in the other texts", "baseline",
        {"bits_per_byte": unigram_bits([each.text for each in texts])},
    )  # fmt: skip
    facts = {"items": len(texts), "items_at_hand": len(at_hand), "item_ids": [each.id for each in texts],
             "tokens": int(tokens.sum()), "bytes": int(sizes.sum()), "seed": plan.seed}  # fmt: skip
    named = tuple((each.id, each.text) for each in texts)
    return TaskResult(plan.task, METRICS, table, (model, bytes_alone), facts, texts=named)


def unigram_bits(texts: Sequence[str]) -> Floats:
    """Bits per byte of each text [N] under the byte frequencies of all others, one added to each of the 256 counts."""
    counts = np.stack([np.bincount(np.frombuffer(text.encode(), np.uint8), minlength=256) for text in texts])
    others = counts.sum(0) - counts + 1
    log_p = np.log2(others / others.sum(1, keepdims=True))
    bits: Floats = -(counts * log_p).sum(1) / counts.sum(1)
    return bits
