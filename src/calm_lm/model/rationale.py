"""Reflection with a generated rationale: the model says in words why, and answers again after reading itself.

An option beside encode-only reflection, and far slower: one generation per text and reader. The backbone
generates with the identity state added at `inject_layer`, so that the culture speaks, not only the prompt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from calm_lm.culture.blend import Blend
from calm_lm.lm.protocol import Injection
from calm_lm.model.loop import answer_again
from calm_lm.model.reflection import keep_second_answer, pair_of_dimensions
from calm_lm.model.views import LiveViews

if TYPE_CHECKING:
    from calm_lm.model.calm import CalmModel

NEW_TOKENS = 64  # calm.md section 3.7: greedy, at most 64


@dataclass(frozen=True, slots=True)
class Rationale:
    """What the model told itself, and what became of its answer.

    Attributes:
        prompt: what it was asked.
        text: the generated reason.
        draft, draft_probability: the answer before.
        second, second_probability: the answer after reading the reason.
        kept: the second answer is not less sure than the draft.
        gate: how far the calibration gate opened.
        cosine: similarity of the state before and after.
    """

    prompt: str
    text: str
    draft: str
    draft_probability: float
    second: str
    second_probability: float
    kept: bool
    gate: float
    cosine: float


def rationalise(model: CalmModel, text: str, reader: Blend | None) -> Rationale:
    """Draft, let the backbone reason in words, read the reason as the same reader, answer again.

    Raises:
        CalmError: M01 to M03 as in `predict`, L30 for a backbone that cannot generate.
    """
    encoding, answer = model.answer_texts([text], [reader])
    network, labels = model.network, model.manifest.labels
    pair = model.prompts.pairs[int(pair_of_dimensions(encoding.routing.dimensions, model.prompts.pairs)[0])]
    draft = answer.draft[:1].softmax(-1)
    label = int(draft.argmax())
    slot = model.prompt_slot(reader)
    number = (slot * len(model.prompts.pairs) + model.prompts.pairs.index(pair)) * len(labels) + label
    prompt = f"Context: {text}\n{model.prompts.texts[number]} Say why in one sentence."
    layer = model.manifest.backbone.inject_layer or model.lm.n_layers
    with torch.inference_mode():
        delta = network.fuse(encoding.state, answer.identity.pooled).delta
        injection = Injection(layer, delta.to(model.lm.device, model.lm.dtype))
        chat = model.lm.tokenizer.chat_template is not None
        (reason,) = model.lm.generate([prompt], max_new_tokens=NEW_TOKENS, chat=chat, inject=injection)
        weights = model.reader_weights([reader])
        whole = LiveViews(model.lm, model.encoder, model.base_layer, model.lm.window)  # the reason stands last
        read = model.encode(whole([f"{prompt}\n{reason}"]), weights)
        rows = model.rows(model.views([text]), weights)
        second = answer_again(network, rows, encoding.task, encoding.state, read.state)
    after = second.logits.softmax(-1)
    return Rationale(
        prompt=prompt,
        text=reason.strip(),
        draft=labels[label],
        draft_probability=float(draft.max()),
        second=labels[int(after.argmax())],
        second_probability=float(after.max()),
        kept=bool(keep_second_answer(draft, after)[0]),
        gate=float(second.gate[0]),
        cosine=float(F.cosine_similarity(second.state, encoding.state, dim=-1)[0]),
    )
