"""The training objective: every term with its weight and the part of the run in which it counts."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from calm_lm.model.batch import Encoding
from calm_lm.model.contrast import culture_nt_xent
from calm_lm.model.experts import expert_losses
from calm_lm.model.reflection import reflection_loss
from calm_lm.model.space import decoupling_loss
from calm_lm.training.config import TrainConfig
from calm_lm.training.gather import Gather


class Targets(NamedTuple):
    """What rows should say: `shares` [B, L] (rows sum to 1), `counts` [B] 1.0 where a target exists, `culture` [B]
    int64 contrast culture or -1, `partner` [B] position of the positive or -1."""

    shares: Tensor
    counts: Tensor
    culture: Tensor
    partner: Tensor


class TrainingPass(NamedTuple):
    """What one training pass leaves for the objective; `second` and `calibrated` are None before reflection starts."""

    encoding: Encoding
    explicit_view: Tensor
    latent_view: Tensor
    draft: Tensor
    second: Tensor | None
    calibrated: Tensor | None


class Phase(NamedTuple):
    """Which terms count at a step."""

    task: bool
    reflect: bool


def phase_of(step: int, total: int, config: TrainConfig) -> Phase:
    """Curriculum (ours): channels and routers settle first, reflection joins late."""
    share = step / max(total, 1)
    reflect = config.weights.reflect > 0 and share >= config.reflect_from
    return Phase(task=share >= config.settle, reflect=reflect and share >= config.settle)


def task_loss(logits: Tensor, targets: Targets) -> Tensor:
    """Mean cross-entropy in nats of rows that have a target."""
    per_row = -(targets.shares * logits.log_softmax(-1)).sum(-1)
    return (per_row * targets.counts).sum() / targets.counts.sum().clamp_min(1.0)


def objective(
    out: TrainingPass, targets: Targets, config: TrainConfig, phase: Phase, temperature: float, gather: Gather
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum, and every term unweighted by name.

    With several processes `gather` brings views and routing together, so that negatives and the experts'
    load are those of the whole batch.
    """
    weights = config.weights
    routing = out.encoding.routing
    experts = expert_losses(gather.all(routing.probabilities), gather.all(routing.chosen))
    terms: dict[str, Tensor] = {
        "decouple": decoupling_loss(out.encoding.task, out.encoding.explicit, out.encoding.latent),
        "balance": experts.balance,
        "dispatch": experts.dispatch,
    }
    if weights.contrast:
        culture, partner = gather.all(targets.culture), gather.positions(targets.partner)
        anchors = gather.own(len(targets.culture))
        for name, view in (("contrast_explicit", out.explicit_view), ("contrast_latent", out.latent_view)):
            terms[name] = culture_nt_xent(gather.all(view), partner, culture, temperature, anchors=anchors)
    if phase.task:
        terms["task"] = task_loss(out.draft, targets)
    if phase.reflect and out.second is not None and out.calibrated is not None:
        right = out.draft.argmax(-1) == targets.shares.argmax(-1)
        terms["reflect"] = reflection_loss(
            out.second, targets.shares, right, out.encoding.state, out.calibrated, targets.counts
        )
    scale = {name: getattr(weights, name.partition("_")[0]) for name in terms}
    total = torch.stack([terms[name] * scale[name] for name in terms if scale[name]]).sum()
    return total, terms
