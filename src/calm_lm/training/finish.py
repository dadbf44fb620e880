"""What is fitted once when training has ended: class means, the norms' vote, temperatures, when to abstain."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from calm_lm.model.calm import CalmModel
from calm_lm.model.manifest import CalibrationFacts
from calm_lm.stats.calibration import abstention_threshold, fit_temperature
from calm_lm.training.norm_vote import fit_vote
from calm_lm.training.trainer import Lesson
from calm_lm.training.validation import RowAnswers, answer_rows

MARGIN = 0.05  # abstaining should make kept answers this much more accurate, where it can


def finish(model: CalmModel, lesson: Lesson) -> None:
    """Settle self-prompts and class means with the final weights, then calibrate on validation rows."""
    model.settle_references(lesson.prompts)
    if model.manifest.cultures:
        with torch.inference_mode():
            train = answer_rows(model, lesson.train, lesson.views, None)
            model.network.class_means.copy_(_class_means(train.explicit, lesson.train.cultures, model))
    facts = CalibrationFacts()
    if lesson.valid is not None and model.manifest.labels:
        answers = answer_rows(model, lesson.valid, lesson.views, lesson.valid_grounds)
        facts = _calibrate(model, lesson, answers._replace(logits=fit_vote(model, lesson, answers.logits)))
    model.manifest = model.manifest.model_copy(update={"calibration": facts})


def _class_means(views: Tensor, cultures: Tensor, model: CalmModel) -> Tensor:
    means = torch.zeros_like(model.network.class_means)
    for culture in range(len(means)):
        rows = views[cultures == culture]
        if len(rows):
            means[culture] = rows.mean(0)
    return means


def _calibrate(model: CalmModel, lesson: Lesson, answers: RowAnswers) -> CalibrationFacts:
    rows = lesson.valid
    assert rows is not None
    logits = answers.logits.double().numpy()
    facts: dict[str, float | None] = {}
    labelled = (rows.labels >= 0).numpy()
    if labelled.any():
        labels = rows.labels[labelled]
        one_hot = F.one_hot(labels, rows.shares.size(1)).double().numpy()
        temperature = fit_temperature(logits[labelled], one_hot).value
        facts["label_temperature"] = temperature
        top = torch.tensor(logits[labelled] / temperature).softmax(-1).max(-1)
        right = (top.indices == labels).double()
        target = min(0.99, float(right.mean()) + MARGIN)
        found = abstention_threshold(top.values.numpy(), right.numpy(), target)
        if found.threshold is not None:
            facts |= {"abstain_below": found.threshold, "abstain_target": target, "coverage": found.coverage}
    voted = (rows.votes.sum(1) > 0).numpy()
    if voted.any():
        shares = (rows.votes / rows.votes.sum(1, keepdim=True).clamp_min(1.0)).double().numpy()
        facts["share_temperature"] = fit_temperature(logits[voted], shares[voted]).value
    known = rows.cultures >= 0
    if model.manifest.contrast not in (None, "reader") and len(model.manifest.cultures) > 1 and bool(known.any()):
        cosine = answers.explicit[known] @ F.normalize(model.network.class_means.cpu(), dim=-1).t()
        truth = F.one_hot(rows.cultures[known], len(model.manifest.cultures)).double().numpy()
        facts["culture_temperature"] = fit_temperature(cosine.double().numpy(), truth).value
    return CalibrationFacts.model_validate(facts)
