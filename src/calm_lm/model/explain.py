"""From the network's tensors to answers a user can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from calm_lm.culture.blend import Blend
from calm_lm.model.answers import (
    EvidenceCited,
    InferredCulture,
    Inspection,
    Prediction,
    ReflectionStep,
    TokenTrace,
)
from calm_lm.model.batch import Encoding
from calm_lm.model.loop import Answer, Round
from calm_lm.model.norms import Found

if TYPE_CHECKING:
    from calm_lm.model.calm import CalmModel


def explain_row(
    model: CalmModel,
    answer: Answer,
    found: Sequence[Sequence[Found]],
    row: int,
    reader: Blend | None,
    inferred: Sequence[tuple[str, float]] | None,
) -> Prediction:
    """The prediction of one row, with its reflection."""
    labels, facts = model.manifest.labels, model.manifest.calibration
    logits = answer.logits[row].double()
    probabilities = _named(labels, (logits / facts.label_temperature).softmax(-1))
    shares = _named(labels, (logits / facts.share_temperature).softmax(-1)) if facts.share_temperature else None
    label = max(probabilities, key=lambda name: probabilities[name])
    return Prediction(
        reader=None if reader is None else str(reader),
        label=label,
        probabilities=probabilities,
        vote_shares=shares,
        abstain=probabilities[label] < facts.abstain_below,
        draft=labels[int(answer.draft[row].argmax())],
        reflection=_steps(model, answer, found[row], row, reader),
        inferred=InferredCulture(*inferred[row]) if inferred else None,
    )


def trace_tokens(text: str, explicit: Tensor, spans: Tensor, encoding: Encoding) -> tuple[TokenTrace, ...]:
    """The tokens of the only text of a pass: `explicit` [T] bool, `spans` [T, 2] characters."""
    named = explicit.tolist()
    clusters = [part[0].argmax(-1).tolist() for part in (encoding.assignment_explicit, encoding.assignment_latent)]
    return tuple(
        TokenTrace(text[start:stop], named[place], clusters[0][place], clusters[1][place])
        for place, (start, stop) in enumerate(spans.tolist())
        if stop > start
    )


def inspect_row(
    model: CalmModel,
    tokens: tuple[TokenTrace, ...],
    encoding: Encoding,
    answer: Answer,
    row: int,
    prediction: Prediction,
) -> Inspection:
    """The inspection of one row of a pass over one text."""
    routing, identity = encoding.routing, answer.identity
    names = model.dimensions
    fused = identity.pooled[row] + identity.delta[row]
    return Inspection(
        prediction=prediction,
        tokens=tokens,
        dimensions=dict(zip(names, routing.dimensions[row].tolist(), strict=True)),
        experts={n: tuple(p) for n, p in zip(names, routing.probabilities[row].tolist(), strict=True)},
        chosen={n: tuple(sorted(c)) for n, c in zip(names, routing.chosen[row].tolist(), strict=True)},
        identity_shift=float(identity.delta[row].norm() / identity.pooled[row].norm().clamp_min(1e-9)),
        identity_cosine=float(F.cosine_similarity(identity.pooled[row], fused, dim=0)),
    )


def _steps(
    model: CalmModel, answer: Answer, found: Sequence[Found], row: int, reader: Blend | None
) -> tuple[ReflectionStep, ...]:
    """The rounds this row took part in."""
    current = answer.draft[row]
    steps: list[ReflectionStep] = []
    for step in answer.rounds:
        if not bool(step.active[row]):
            break
        steps.append(_step(model, step, current, found, row, reader))
        current = step.second[row] if bool(step.kept[row]) else current
    return tuple(steps)


def _step(
    model: CalmModel, step: Round, current: Tensor, found: Sequence[Found], row: int, reader: Blend | None
) -> ReflectionStep:
    labels, prompts = model.manifest.labels, model.prompts
    before, after = current.double().softmax(-1), step.second[row].double().softmax(-1)
    number = int(prompts.number(torch.tensor(model.prompt_slot(reader)), step.pair[row].cpu(), step.label[row].cpu()))
    pair = prompts.pairs[int(step.pair[row])]
    total = sum(hit.score for hit in found)
    return ReflectionStep(
        self_prompt=prompts.texts[number],
        dimensions=tuple(dict.fromkeys(model.dimensions[i] for i in pair)),
        draft=labels[int(before.argmax())],
        draft_probability=float(before.max()),
        second=labels[int(after.argmax())],
        second_probability=float(after.max()),
        kept=bool(step.kept[row]),
        gate=float(step.gate[row]),
        trust=float(step.trust[row]) if step.trust is not None and found else None,
        cosine=float(step.cosine[row]),
        evidence=tuple(EvidenceCited(h.record.sentence(), h.record.source, h.score / total) for h in found),
    )


def _named(labels: Sequence[str], values: Tensor) -> dict[str, float]:
    return dict(zip(labels, values.tolist(), strict=True))
