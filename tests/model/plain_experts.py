"""The experts as a plain loop of modules, written from the formulas alone: what `CultureExperts` must equal."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainExpertLayer(nn.Module):
    """A pre-norm transformer layer with one linear map each for query, key and value."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_ff = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """One example's tokens, [K, d] -> [K, d]."""
        seen = self.norm_attention(x)
        heads = []
        for query, key, value in zip(
            *(part(seen).chunk(self.heads, -1) for part in (self.query, self.key, self.value)), strict=True
        ):
            scores = query @ key.t() / query.size(-1) ** 0.5
            heads.append(scores.softmax(-1) @ value)
        x = x + self.out(torch.cat(heads, -1))
        return x + self.down(F.relu(self.up(self.norm_ff(x))))


class PlainExperts(nn.Module):
    """C x E experts, each a module of its own; rows, dimensions and chosen experts are visited one by one."""

    def __init__(self, width: int, dimensions: int, experts: int, top_k: int, layers: int, heads: int, hidden: int):
        super().__init__()
        self.experts_per_dimension, self.top_k = experts, top_k
        self.routers = nn.ModuleList(nn.Linear(width, experts, bias=False) for _ in range(dimensions))
        self.gate = nn.Linear(width, dimensions)
        self.experts = nn.ModuleList(
            nn.ModuleList(PlainExpertLayer(width, heads, hidden) for _ in range(layers))
            for _ in range(dimensions * experts)
        )

    @classmethod
    def like(cls, grouped: nn.Module) -> PlainExperts:
        """The same experts with the weights of a `CultureExperts`."""
        width = grouped.router.size(1)
        first = grouped.layers[0]
        plain = cls(
            width,
            grouped.dimensions,
            grouped.experts,
            grouped.top_k,
            len(grouped.layers),
            first.heads,
            first.up.weight.size(1),
        ).to(grouped.router.dtype)
        weights = dict(plain.pieces(grouped, lambda p: p))
        with torch.no_grad():
            for name, parameter in plain.named_parameters():
                parameter.copy_(weights[name])
        return plain

    def pieces(self, grouped: nn.Module, take) -> list[tuple[str, Tensor]]:
        """What `take` gives of every parameter of `grouped` (itself, its gradient), under our names."""
        width = grouped.router.size(1)
        found = [("gate.weight", take(grouped.gate.weight)), ("gate.bias", take(grouped.gate.bias))]
        routers = take(grouped.router).view(len(self.routers), -1, width)
        found += [(f"routers.{c}.weight", routers[c]) for c in range(len(self.routers))]
        for depth, layer in enumerate(grouped.layers):
            for group in range(len(self.experts)):
                place = f"experts.{group}.{depth}"
                for norm in ("norm_attention", "norm_ff"):
                    found.append((f"{place}.{norm}.weight", take(getattr(layer, norm).gain)[group]))
                    found.append((f"{place}.{norm}.bias", take(getattr(layer, norm).shift)[group]))
                for part, kind in (
                    (p, k) for p in ("query_key_value", "out", "up", "down") for k in ("weight", "bias")
                ):
                    value = take(getattr(getattr(layer, part), kind))[group]
                    names = ("query", "key", "value") if part == "query_key_value" else (part,)
                    for name, chunk in zip(names, value.chunk(len(names)), strict=True):
                        found.append((f"{place}.{name}.{kind}", chunk))
        return found

    def forward(self, aligned: Tensor) -> Tensor:
        """[B, K, d] -> [B, K, d]."""
        return torch.stack([self._row(row) for row in aligned])

    def _row(self, tokens: Tensor) -> Tensor:
        pooled = tokens.mean(0)
        gate = self.gate(pooled).softmax(-1)
        total = torch.zeros_like(tokens)
        for dimension, router in enumerate(self.routers):
            probabilities = router(pooled).softmax(-1)
            order = sorted(range(len(probabilities)), key=lambda e: -probabilities[e].item())[: self.top_k]
            mass = sum(probabilities[e] for e in order)
            for expert in order:
                x = tokens
                for layer in self.experts[dimension * self.experts_per_dimension + expert]:
                    x = layer(x)
                total = total + gate[dimension] * probabilities[expert] / mass * x
        return total
