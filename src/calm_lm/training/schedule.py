"""AdamW as the paper sets it: which parameters decay, and the step size over a run."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from calm_lm.training.config import TrainConfig


def learning_rate_share(step: int, total: int, warmup: float) -> float:
    """Linear rise over the first `warmup` share of the steps (paper), then linear fall to zero (ours)."""
    rising = max(1, round(warmup * total))
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (total - step) / max(1, total - rising))


def build_optimizer(network: nn.Module, lora: Iterable[nn.Parameter], config: TrainConfig) -> torch.optim.AdamW:
    """AdamW with betas 0.9 and 0.999; biases, norms and expert biases are not decayed (ours)."""
    named = dict(network.named_parameters())
    plain = {name for name, p in named.items() if p.ndim < 2 or name.endswith(("bias", "gain", "shift"))}
    groups = [
        {"params": [p for n, p in named.items() if n not in plain], "weight_decay": config.weight_decay},
        {"params": [p for n, p in named.items() if n in plain], "weight_decay": 0.0},
    ]
    for group in groups:
        group["lr"] = group["peak"] = config.learning_rate
    if adapted := list(lora):
        rate = config.lora_learning_rate
        groups.append({"params": adapted, "weight_decay": config.weight_decay, "lr": rate, "peak": rate})
    return torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)


def set_learning_rate(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Set every group to its peak times `share`."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share
