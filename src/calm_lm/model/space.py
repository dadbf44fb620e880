"""Stage 1: the abstract cognitive space. What a text asks, the culture it names, the culture it implies."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_lm.model.layers import projection_head


class TokenSpace(NamedTuple):
    """The three views of every token: `task`, `explicit`, `latent`, each [..., T, d]."""

    task: Tensor
    explicit: Tensor
    latent: Tensor


class CognitiveSpace(nn.Module):
    """Three token-wise heads over the backbone's states.

    The split into task semantics, explicit and latent culture is the paper's; that heads work on single
    tokens, and share no weights, is ours. [..., T, d_model] -> three times [..., T, d].
    """

    def __init__(self, d_model: int, hidden: int, width: int, dropout: float) -> None:
        super().__init__()
        self.task = projection_head(d_model, hidden, width, dropout)
        self.explicit = projection_head(d_model, hidden, width, dropout)
        self.latent = projection_head(d_model, hidden, width, dropout)

    def forward(self, states: Tensor) -> TokenSpace:
        """Project scaled states [..., T, d_model]."""
        return TokenSpace(self.task(states), self.explicit(states), self.latent(states))


def channel_weights(mask: Tensor, explicit: Tensor, salience: bool) -> tuple[Tensor, Tensor]:
    """Pooling weights of the explicit and the latent channel over text tokens. mask, explicit [U, T] -> two [U, T].

    With `salience` the explicit channel pools tokens that name a culture and the latent channel the others;
    a text without such tokens (or with nothing else) is pooled whole by both. Ours: the sources do not say
    what makes a token explicit.
    """
    whole = mask.float()
    if not salience:
        return whole, whole
    named = (mask & explicit).float()
    rest = (mask & ~explicit).float()
    has_both = ((named.sum(1) > 0) & (rest.sum(1) > 0)).unsqueeze(1)
    return torch.where(has_both, named, whole), torch.where(has_both, rest, whole)


def decoupling_loss(task: Tensor, explicit: Tensor, latent: Tensor) -> Tensor:
    """Mean squared cosine between the three pooled views, each [B, d]; 0 when orthogonal, 1 when parallel.

    That separation happens is the paper's; this loss is ours.
    """
    pairs = ((task, explicit), (task, latent), (explicit, latent))
    cosines = [F.cosine_similarity(a, b, dim=-1).square().mean() for a, b in pairs]
    return torch.stack(cosines).mean()
