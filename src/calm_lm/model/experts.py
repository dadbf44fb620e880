"""Stage 3: culture-informed experts. Each communicative dimension asks two of its four experts.

An expert is a two-layer pre-norm transformer over the K cluster tokens of one example, so an example is
routed whole. All experts of all dimensions are computed together: rows are sorted by expert, attention and residuals
run once over all rows, and only norms and matrix products go expert by expert, in place.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_lm.model.batch import Routing
from calm_lm.model.config import ModelConfig
from calm_lm.model.grouped import Bounds, GroupedLinear, GroupedNorm, feed_forward


class ExpertLayer(nn.Module):
    """One pre-norm transformer layer for G experts, over rows sorted by expert. [M, d] -> [M, d]."""

    def __init__(self, groups: int, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_attention = GroupedNorm(groups, width)
        self.query_key_value = GroupedLinear(groups, width, 3 * width)
        self.out = GroupedLinear(groups, width, width)
        self.norm_ff = GroupedNorm(groups, width)
        self.up = GroupedLinear(groups, width, hidden)
        self.down = GroupedLinear(groups, hidden, width)

    def forward(self, x: Tensor, bounds: Bounds, tokens: int) -> Tensor:
        """Attend among each example's `tokens` rows of x [M, d], which stand together, then feed forward."""
        mixed = self.query_key_value(self.norm_attention(x, bounds), bounds)
        x = x + self._drop(self.out(self._attend(mixed, tokens), bounds))
        drop = self.dropout if self.training else 0.0
        return x + self._drop(feed_forward(self.norm_ff(x, bounds), self.up, self.down, bounds, drop))

    def _attend(self, mixed: Tensor, tokens: int) -> Tensor:
        """Queries, keys and values [M, 3 * d] to what was attended to [M, d].

        With a handful of tokens plain products take half the time of torch's fused attention on a CPU.
        """
        width = mixed.size(1) // 3
        heads = mixed.view(-1, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind()
        weights = ((query * key.size(-1) ** -0.5) @ key.transpose(-1, -2)).softmax(-1)
        attended: Tensor = weights @ value
        return attended.transpose(1, 2).reshape(-1, width)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class ExpertLosses(NamedTuple):
    """Scalars: `balance` (1 when all experts are used alike) and `dispatch` (0 when every choice is certain)."""

    balance: Tensor
    dispatch: Tensor


class CultureExperts(nn.Module):
    """C dimensions with E experts each, top-k routed, blended by a dimension gate.

    Four experts, two transformer layers of 512/2048 and top-2 with a dispatch and a balance loss are the
    paper's. C and the dimensions' names, the gate, routing whole examples, noise of 1/E on the router while
    training and weights renormalised over the chosen experts are ours. Shape: [B, K, d] -> [B, K, d].
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.dimensions, self.experts, self.top_k = config.n_dimensions, config.n_experts, config.top_k
        self.noise = config.noise
        groups = self.dimensions * self.experts
        self.router = nn.Parameter(torch.empty(groups, config.width).normal_(std=0.02))
        self.gate = nn.Linear(config.width, self.dimensions)
        self.layers = nn.ModuleList(
            ExpertLayer(groups, config.width, config.expert_heads, config.expert_ff, config.expert_dropout)
            for _ in range(config.expert_layers)
        )

    def forward(self, aligned: Tensor) -> tuple[Tensor, Routing]:
        """Blend the chosen experts' answers to aligned clusters [B, K, d]; also says who was chosen."""
        routing = self.route(aligned.mean(1))
        share = routing.weights * routing.dimensions.unsqueeze(-1)  # [B, C, k]
        offset = torch.arange(self.dimensions, device=aligned.device)[:, None] * self.experts
        group, order = (routing.chosen + offset).flatten().sort(stable=True)  # by expert, [N = B*C*k]
        row = order // (self.dimensions * self.top_k)
        y = self.compute(aligned[row], group)
        blended = torch.zeros_like(aligned).index_add(0, row, y * share.flatten()[order][:, None, None])
        return blended, routing

    def route(self, pooled: Tensor) -> Routing:
        """Choose experts for pooled rows [B, d]."""
        logits = (pooled @ self.router.t()).view(-1, self.dimensions, self.experts)
        probabilities = logits.softmax(-1)
        noisy = logits + torch.randn_like(logits) / self.experts if self.training and self.noise else logits
        chosen = noisy.topk(self.top_k, -1).indices
        weights = probabilities.gather(-1, chosen)
        return Routing(probabilities, chosen, weights / weights.sum(-1, keepdim=True), self.gate(pooled).softmax(-1))

    def compute(self, x: Tensor, group: Tensor) -> Tensor:
        """Run expert `group[n]` (sorted) on x[n]: [N, K, d], [N] -> [N, K, d]."""
        ends = torch.bincount(group, minlength=self.dimensions * self.experts).cumsum(0).mul(x.size(1)).tolist()
        bounds = list(zip([0, *ends[:-1]], ends, strict=True))
        rows = x.flatten(0, 1)
        for layer in self.layers:
            rows = layer(rows, bounds, x.size(1))
        return rows.view_as(x)


def expert_losses(probabilities: Tensor, chosen: Tensor) -> ExpertLosses:
    """Balance and dispatch losses of [B, C, E] probabilities and [B, C, k] choices, averaged over dimensions.

    Balance is `E * sum_i f_i P_i` (Switch form, f the share of chosen slots, P the mean probability), dispatch
    the entropy of each example's probabilities over log E. The paper names both losses; the forms are ours.
    """
    experts = probabilities.size(-1)
    slots = F.one_hot(chosen, experts).sum(2).to(probabilities.dtype)  # [B, C, E]
    used = slots.mean(0) / chosen.size(-1)
    balance = experts * (used * probabilities.mean(0)).sum(-1).mean()
    if experts == 1:
        return ExpertLosses(balance, probabilities.sum() * 0.0)
    entropy = -(probabilities * probabilities.clamp_min(1e-9).log()).sum(-1).mean()
    return ExpertLosses(balance, entropy / math.log(experts))
