"""The training objective: every term with its weight and the part of the run in which it counts."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from calm_lm.model.contrast import culture_nt_xent
from calm_lm.model.experts import expert_losses
from calm_lm.model.reflection import reflection_loss
from calm_lm.model.space import decoupling_loss
from calm_lm.training.config import TrainConfig


class Targets(NamedTuple):
    """What rows should say.

    Attributes:
        shares: [B, L], rows sum to 1.
        counts: [B] 1.0 where a target exists.
        culture: [B] int64 contrast culture or -1.
        partner: [B] position of the positive or -1.
    """

    shares: Tensor
    counts: Tensor
    culture: Tensor
    partner: Tensor


class TrainingPass(NamedTuple):
    """What one training pass leaves for the objective, row by row.

    Attributes:
        task, explicit, latent: pooled vectors of the three heads, [B, d].
        state: identity states, [B, d].
        probabilities: of the routers, [B, C, E].
        chosen: experts that answered, [B, C, k] int64.
        explicit_view, latent_view: unit vectors of the contrastive window, [B, d].
        draft: logits of the first answer, [B, L].
        second, calibrated: logits and states after reflection; None before reflection starts.
        dropped: [B] 1.0 where a row was read without its reader (reader dropout); None where none was.
    """

    task: Tensor
    explicit: Tensor
    latent: Tensor
    state: Tensor
    probabilities: Tensor
    chosen: Tensor
    explicit_view: Tensor
    latent_view: Tensor
    draft: Tensor
    second: Tensor | None
    calibrated: Tensor | None
    dropped: Tensor | None = None


class Phase(NamedTuple):
    """Which terms count at a step."""

    task: bool
    reflect: bool


def phase_of(step: int, total: int, config: TrainConfig) -> Phase:
    """Curriculum (ours): channels and routers settle first, where they have a loss at all; reflection joins late."""
    share = step / max(total, 1)
    weights = config.weights
    settles = any((weights.contrast, weights.decouple, weights.balance, weights.dispatch))
    task = not settles or share >= config.settle
    return Phase(task, reflect=task and weights.reflect > 0 and share >= config.reflect_from)


def without_dropped(targets: Targets, dropped: Tensor) -> Targets:
    """Targets for a contrastive window that groups by reader, where some rows were read without theirs.

    Nothing in such a row tells the culture it is labelled with, so it is neither anchor nor positive (with it,
    the loss has a floor that no model can pass). As a negative it stays: nobody's reading is no culture's.

    Args:
        targets: B rows.
        dropped: [B] above 0 where the reader was dropped.
    """
    gone = dropped > 0
    lost = gone | gone[targets.partner.clamp_min(0)]
    return targets._replace(
        culture=targets.culture.masked_fill(gone, -1), partner=targets.partner.masked_fill(lost, -1)
    )


def task_loss(logits: Tensor, targets: Targets) -> Tensor:
    """Mean cross-entropy in nats of rows that have a target."""
    per_row = -(targets.shares * logits.log_softmax(-1)).sum(-1)
    return (per_row * targets.counts).sum() / targets.counts.sum().clamp_min(1.0)


def objective(
    out: TrainingPass,
    targets: Targets,
    config: TrainConfig,
    phase: Phase,
    temperature: float,
    reflected: Targets | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum over the rows of a whole batch, and every term unweighted by name.

    `reflected` is what second answers should say where evidence was lent; None where it is the same.
    """
    weights = config.weights
    experts = expert_losses(out.probabilities, out.chosen)
    terms: dict[str, Tensor] = {
        "decouple": decoupling_loss(out.task, out.explicit, out.latent),
        "balance": experts.balance,
        "dispatch": experts.dispatch,
    }
    if weights.contrast:
        for name, view in (("contrast_explicit", out.explicit_view), ("contrast_latent", out.latent_view)):
            terms[name] = culture_nt_xent(view, targets.partner, targets.culture, temperature)
    if phase.task:
        terms["task"] = task_loss(out.draft, targets)
    if phase.reflect and out.second is not None and out.calibrated is not None:
        wanted = targets if reflected is None else reflected
        right = out.draft.argmax(-1) == wanted.shares.argmax(-1)
        terms["reflect"] = reflection_loss(out.second, wanted.shares, right, out.state, out.calibrated, wanted.counts)
    scale = {name: getattr(weights, name.partition("_")[0]) for name in terms}
    total = torch.stack([terms[name] * scale[name] for name in terms if scale[name]]).sum()
    return total, terms
