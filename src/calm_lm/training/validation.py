"""Answers for rows whose states are cached, and the score that decides which weights are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from calm_lm.model.calm import CalmModel
from calm_lm.model.views import Views
from calm_lm.training.grounds import Grounds
from calm_lm.training.material import Rows

if TYPE_CHECKING:
    from calm_lm.training.trainer import Lesson

TEXTS_AT_ONCE = 64


class RowAnswers(NamedTuple):
    """Logits of N rows: draft and final [N, L]; rows that reflection revised [N] bool; explicit views [N, d]."""

    draft: Tensor
    logits: Tensor
    revised: Tensor
    explicit: Tensor


def answer_rows(
    model: CalmModel, rows: Rows, views: Views, grounds: Grounds | None, *, readers: Tensor | None = None
) -> RowAnswers:
    """Answer every row, a few texts at a time; `readers` [N, R] replaces the rows' own (controls)."""
    weights = rows.readers if readers is None else readers
    order = torch.argsort(rows.text_of, stable=True)
    bounds = torch.searchsorted(rows.text_of[order], torch.arange(0, len(rows.texts) + TEXTS_AT_ONCE, TEXTS_AT_ONCE))
    pieces: list[RowAnswers] = []
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        at = order[start:stop]
        if len(at) == 0:
            continue
        numbers, text_of = torch.unique(rows.text_of[at], return_inverse=True)
        texts = views([rows.texts[i] for i in numbers.tolist()])
        with torch.inference_mode():
            evidence = grounds.evidence(at, model, views) if grounds else None
        encoding, answer = model.answer(texts, weights[at], text_of, evidence)
        revised = _decided(answer.logits) != _decided(answer.draft)
        with torch.inference_mode():
            explicit, _ = model.network.window(encoding.explicit, encoding.latent)
        pieces.append(RowAnswers(answer.draft, answer.logits, revised, explicit))
    joined = [torch.cat(column).cpu() for column in zip(*pieces, strict=True)]
    back = torch.argsort(order)
    return RowAnswers(*(column[back].clone() for column in joined))


def _decided(logits: Tensor) -> Tensor:
    """The label of each row; 0 where the data set has none."""
    return logits.argmax(-1) if logits.size(-1) else torch.zeros(len(logits), dtype=torch.int64, device=logits.device)


def validation_score(model: CalmModel, lesson: Lesson, *, reflecting: bool) -> float:
    """Mean cross-entropy in nats to the validation rows' targets; of the final answers once reflection is trained."""
    assert lesson.valid is not None
    if reflecting:
        model.settle_references(lesson.prompts)
    model.network.eval()
    model.lm.train_lora(False)
    answers = answer_rows(model, lesson.valid, lesson.views, lesson.valid_grounds if reflecting else None)
    logits = answers.logits if reflecting else answers.draft
    per_row = -(lesson.valid.shares * logits.log_softmax(-1)).sum(-1)
    return float((per_row * lesson.valid.known).sum() / lesson.valid.known.sum().clamp_min(1.0))
