"""Training a plain network exactly as CALM is trained: optimiser, schedule, steps, batches, targets, stopping."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from calm_lm.baselines.predictor import choice_score
from calm_lm.baselines.protocol import BaselineInput
from calm_lm.baselines.view_network import ViewNetwork
from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Floats
from calm_lm.training.material import Rows
from calm_lm.training.objective import Targets, task_loss
from calm_lm.training.run import build_sampler
from calm_lm.training.sampler import CultureBalancedSampler
from calm_lm.training.schedule import build_optimizer, learning_rate_share, set_learning_rate

Read = Callable[[Rows, Tensor], Tensor]  # rows and which of them [B] to views [B, d]
STEP_SIZES = (1.0, 0.3, 3.0)  # times the run's own; the best on the validation rows stays
ROWS_AT_ONCE = 256


class Candidate(NamedTuple):
    """What is trained: the network, how it gets its views, LoRA's matrices (empty without)."""

    network: ViewNetwork
    read: Read
    lora: list[nn.Parameter]


class Trained(NamedTuple):
    """Weights of one attempt and its score on the validation rows (infinite when it diverged)."""

    score: float
    network: ViewNetwork
    lora: dict[str, Tensor]


def tune(given: BaselineInput, attempt: Callable[[float], Trained]) -> tuple[Trained, int]:
    """The best attempt over step sizes, and how many there were; without validation rows the run's own step size.

    Raises:
        CalmError: B04 when every attempt diverged.
    """
    scales = STEP_SIZES if given.valid is not None else STEP_SIZES[:1]
    tried = [attempt(scale) for scale in scales]
    best = min(tried, key=lambda trained: trained.score)
    if given.valid is not None and not math.isfinite(best.score):
        raise CalmError(
            "B04",
            "the loss of a baseline is no number at any step size.",
            field="train.learning_rate",
            value=given.config.train.learning_rate,
            fix="lower it.",
        )
    return best, len(tried)


def sampler_for(given: BaselineInput, seed: int) -> CultureBalancedSampler:
    """CALM's own batches: the same rows at the same steps for the same seed, positives of the window included."""
    return build_sampler(given.config, given.dataset, given.train, given.views, seed)


def learn(
    given: BaselineInput, sampler: CultureBalancedSampler, candidate: Candidate, scale: float, title: str
) -> Trained:
    """One run at `scale` times the configured step sizes; the best weights on the validation rows are kept."""
    config, lm = given.config.train, given.pretrained.lm
    rates = {"learning_rate": config.learning_rate * scale, "lora_learning_rate": config.lora_learning_rate * scale}
    network, lora = candidate.network, candidate.lora
    optimizer = build_optimizer(network, lora, config.model_copy(update=rates))
    total = max(1, math.ceil(config.epochs * sampler.steps_per_epoch))
    every = max(1, total // config.evaluations)
    best, weights, deltas, waited = math.inf, _copy(network), lm.lora_state(), 0
    for step in range(total):
        network.train()
        lm.train_lora(True)
        set_learning_rate(optimizer, learning_rate_share(step, total, config.warmup))
        drawn = sampler.draw(step)
        loss = _loss(given.train, drawn.rows, drawn.partner, candidate)
        if not bool(torch.isfinite(loss)):
            break
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*network.parameters(), *lora], config.clip)
        optimizer.step()
        given.progress(title, step + 1, total)
        if (step + 1) % every and step + 1 < total:
            continue
        if given.valid is None:
            weights, deltas = _copy(network), lm.lora_state()
            continue
        lm.train_lora(False)
        score = choice_score(predict(candidate, given.valid), given.valid)
        waited = 0 if score < best else waited + 1
        if score < best:
            best, weights, deltas = score, _copy(network), lm.lora_state()
        if 0 < config.patience <= waited:
            break
    network.load_state_dict(weights)
    network.eval()
    lm.train_lora(False)
    return Trained(best, network, deltas)


def predict(candidate: Candidate, rows: Rows) -> Floats:
    """Logits of all rows [N, L], without gradients and without chance."""
    candidate.network.eval()
    device = candidate.network.heads.weight.device
    # Texts of like length go together, and all rows of a text.
    length = torch.tensor([len(text) for text in rows.texts])[rows.text_of]
    order = torch.argsort(length * len(rows.texts) + rows.text_of)
    pieces = []
    with torch.inference_mode():
        for at in torch.split(order, ROWS_AT_ONCE):
            pieces.append(candidate.network(candidate.read(rows, at), rows.readers[at].to(device)).double().cpu())
    logits: Floats = torch.cat(pieces)[torch.argsort(order)].numpy()
    return logits


def _loss(rows: Rows, at: Tensor, partner: Tensor, candidate: Candidate) -> Tensor:
    device = candidate.network.heads.weight.device
    logits = candidate.network(candidate.read(rows, at), rows.readers[at].to(device)).cpu()
    return task_loss(logits, Targets(rows.shares[at], rows.known[at], rows.cultures[at], partner))


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
