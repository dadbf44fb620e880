"""Culture experts at the paper's widths: forward and backward beside the same matrix products alone and two peers.

    .venv/bin/python benchmarks/experts.py --json

d 512, feed-forward 2,048, 5 cluster tokens, 4 dimensions of 4 experts, top-2, 64 examples, float32, no dropout.
Beside ours run, in turns: the bare matrix products of the linear layers (forward, dX, dW, into memory that is
there already), a loop over torch's `nn.TransformerEncoderLayer`, one module per expert, and, for the
feed-forward part alone, the grouped kernel of transformers. Nothing is timed before outputs and gradients agree.
"""

# ruff: noqa: T201  (a benchmark's output is what it prints)
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from rounds import finish, interleave, parser, ratio
from torch import Tensor, nn
from transformers.integrations.moe import grouped_mm_experts_forward

from calm_lm.model.config import ModelConfig
from calm_lm.model.experts import CultureExperts
from calm_lm.model.grouped import feed_forward
from calm_lm.training.presets import build_config

EXAMPLES = 64
CHECKED = 8  # examples whose gradients are compared, in double precision if the peer has it: no ReLU flips by rounding
LEAST_RATE = 0.6  # of the rate of the bare matrix products
MEASURED = Path(__file__).with_name("routing.json")


class Work(NamedTuple):
    """One batch: aligned clusters [B, K, d], what flows back [B, K, d], and who is chosen [B, C, k]."""

    aligned: Tensor
    upstream: Tensor
    chosen: Tensor


def uniform_choice(config: ModelConfig) -> Tensor:
    """Every expert is chosen equally often, [B, C, k]."""
    example, dimension, slot = torch.meshgrid(
        torch.arange(EXAMPLES), torch.arange(config.n_dimensions), torch.arange(config.top_k), indexing="ij"
    )
    return (example * config.top_k + dimension + slot) % config.n_experts


def measured_choice(config: ModelConfig) -> Tensor:
    """Pairs of experts as often as a trained model chose them, [B, C, k]; see routing.py."""
    counts = json.loads(MEASURED.read_text("utf-8"))["choices"]
    generator = torch.Generator().manual_seed(0)
    columns = []
    for pairs in counts[: config.n_dimensions]:
        picked = torch.multinomial(
            torch.tensor([float(n) for _, n in pairs]), EXAMPLES, replacement=True, generator=generator
        )
        columns.append(torch.tensor([pair for pair, _ in pairs])[picked])
    return torch.stack(columns, 1)


def fix_choice(experts: CultureExperts, chosen: Tensor) -> None:
    """Let the routers work as always, then choose what is to be measured."""
    route = type(experts).route

    def fixed(pooled: Tensor) -> object:
        routing = route(experts, pooled)
        here = chosen[: len(pooled)]
        weights = routing.probabilities.gather(-1, here)
        return routing._replace(chosen=here, weights=weights / weights.sum(-1, keepdim=True))

    experts.route = fixed  # type: ignore[method-assign,assignment]


# -- the peers ---------------------------------------------------------------------------------------


class LoopExperts(nn.Module):
    """The same experts as modules of torch, visited one by one; routers, gate and weights are ours."""

    def __init__(self, ours: CultureExperts, config: ModelConfig) -> None:
        super().__init__()
        self.ours = [ours]  # not a submodule
        self.experts = nn.ModuleList(
            nn.ModuleList(_layer_like(ours, depth, group, config) for depth in range(config.expert_layers))
            for group in range(config.n_dimensions * config.n_experts)
        )

    def forward(self, aligned: Tensor) -> Tensor:
        """[B, K, d] -> [B, K, d]."""
        ours = self.ours[0]
        routing = ours.route(aligned.mean(1))
        share = routing.weights * routing.dimensions.unsqueeze(-1)
        total = torch.zeros_like(aligned)
        for group, layers in enumerate(self.experts):
            dimension, expert = divmod(group, ours.experts)
            row, slot = (routing.chosen[:, dimension] == expert).nonzero(as_tuple=True)
            if len(row):
                x = aligned[row]
                for layer in layers:
                    x = layer(x)
                total = total.index_add(0, row, x * share[row, dimension, slot][:, None, None])
        return total


def _layer_like(ours: CultureExperts, depth: int, group: int, config: ModelConfig) -> nn.TransformerEncoderLayer:
    layer, grouped = (
        nn.TransformerEncoderLayer(
            config.width, config.expert_heads, config.expert_ff, dropout=0.0, batch_first=True, norm_first=True
        ),
        ours.layers[depth],
    )
    pairs = {
        "self_attn.in_proj_": grouped.query_key_value, "self_attn.out_proj.": grouped.out,
        "linear1.": grouped.up, "linear2.": grouped.down,
    }  # fmt: skip
    weights = {f"{name}{part}": getattr(of, part)[group] for name, of in pairs.items() for part in ("weight", "bias")}
    norms = {"norm1": grouped.norm_attention, "norm2": grouped.norm_ff}
    weights |= {f"{name}.weight": norm.gain[group] for name, norm in norms.items()}
    weights |= {f"{name}.bias": norm.shift[group] for name, norm in norms.items()}
    layer.load_state_dict({name: value.detach().clone() for name, value in weights.items()})
    return layer


def bare_products(ours: CultureExperts, chosen: Tensor, tokens: int) -> Callable[[], None]:
    """The matrix products of every linear layer of every expert, on operands and results that lie ready."""
    offset = torch.arange(ours.dimensions)[:, None] * ours.experts
    counts = torch.bincount((chosen + offset).flatten(), minlength=ours.dimensions * ours.experts) * tokens
    stops = counts.cumsum(0).tolist()
    bounds = list(zip([0, *stops[:-1]], stops, strict=True))
    jobs = []
    for layer in ours.layers:
        for linear in (layer.query_key_value, layer.out, layer.up, layer.down):
            weight = linear.weight.detach()
            x, dy = torch.randn(stops[-1], weight.size(2)), torch.randn(stops[-1], weight.size(1))
            jobs.append((weight, x, torch.empty_like(dy), dy, torch.empty_like(x), torch.empty_like(weight)))

    def run() -> None:
        for weight, x, y, _, _, _ in jobs:
            for group, (a, b) in enumerate(bounds):
                if a < b:
                    torch.mm(x[a:b], weight[group].t(), out=y[a:b])
        for weight, x, _, dy, dx, d_weight in reversed(jobs):
            for group, (a, b) in enumerate(bounds):
                if a < b:
                    torch.mm(dy[a:b], weight[group], out=dx[a:b])
                    torch.mm(dy[a:b].t(), x[a:b], out=d_weight[group])

    return run


class OurFeedForward(nn.Module):
    """Gather, both grouped linear layers, weigh and add: the feed-forward part as `CultureExperts` computes it."""

    def __init__(self, ours: CultureExperts) -> None:
        super().__init__()
        self.up, self.down = ours.layers[0].up, ours.layers[0].down

    def forward(self, tokens: Tensor, experts: Tensor, shares: Tensor) -> Tensor:
        """Tokens [S, d] to experts [S, k] with weights [S, k] -> [S, d]."""
        group, order = experts.flatten().sort(stable=True)
        row = order // experts.size(1)
        ends = torch.bincount(group, minlength=len(self.up.weight)).cumsum(0).tolist()
        bounds = list(zip([0, *ends[:-1]], ends, strict=True))
        y = feed_forward(tokens[row], self.up, self.down, bounds, 0.0)
        return torch.zeros_like(tokens).index_add(0, row, y * shares.flatten()[order].unsqueeze(1))


class TheirFeedForward(nn.Module):
    """The same weights behind transformers' grouped kernel."""

    def __init__(self, ours: CultureExperts) -> None:
        super().__init__()
        up, down = ours.layers[0].up, ours.layers[0].down
        self.parts = nn.ParameterList(p.detach().clone() for p in (up.weight, up.bias, down.weight, down.bias))
        self.experts = len(up.weight)

    def forward(self, tokens: Tensor, experts: Tensor, shares: Tensor) -> Tensor:
        """Tokens [S, d] to experts [S, k] with weights [S, k] -> [S, d]."""
        up, up_bias, down, down_bias = self.parts
        weights = SimpleNamespace(
            num_experts=self.experts, _is_expert_parallel=False, has_gate=False, has_bias=True, is_transposed=False,
            has_post_expert_norm=False, act_fn=F.relu, up_proj=up, up_proj_bias=up_bias, down_proj=down,
            down_proj_bias=down_bias,
        )  # fmt: skip
        return grouped_mm_experts_forward(weights, tokens, experts, shares)


# -- the comparison ----------------------------------------------------------------------------------


def there_and_back(module: nn.Module, first: Tensor, upstream: Tensor, *rest: Tensor) -> Callable[[], Tensor]:
    """Forward and backward with fresh gradients, as in a training step; gives the output."""

    def run() -> Tensor:
        module.zero_grad(set_to_none=True)
        first.grad = None
        out = module(first, *rest)
        out = out[0] if isinstance(out, tuple) else out
        out.backward(upstream)
        return out.detach()

    return run


def apart(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest number."""
    return ((found - expected).abs().max() / expected.abs().max()).item()


def gate(what: str, pairs: list[tuple[str, Tensor, Tensor]]) -> None:
    """Refuse to time contestants that compute different things."""
    bounds = {torch.float32: 1e-4, torch.float64: 1e-9}
    wrong = [name for name, found, expected in pairs if not apart(found, expected) <= bounds[found.dtype]]
    if wrong:
        raise SystemExit(f"{what}: {', '.join(wrong)} differ; not timed")
    print(f"  {what} agree")


def gradients(ours: nn.Module, theirs: nn.Module, x: Tensor, upstream: Tensor, *rest: Tensor) -> list[Tensor]:
    """Gradient of the input, ours and theirs; those of the weights stay on the modules."""
    found = []
    for module in (ours, theirs):
        start = x.clone().requires_grad_()
        there_and_back(module, start, upstream, *rest)()
        assert start.grad is not None
        found.append(start.grad)
    return found


def compare_experts(config: ModelConfig, chosen: Tensor, rounds: int) -> dict[str, list[float]]:
    """Ours, the loop and the bare products on one routing."""
    torch.manual_seed(0)
    ours = CultureExperts(config).train()
    fix_choice(ours, chosen)
    loop = LoopExperts(ours, config).train()
    aligned = torch.randn(EXAMPLES, config.n_clusters, config.width)
    upstream = torch.randn_like(aligned)
    few, back = aligned[:CHECKED].double(), upstream[:CHECKED].double()
    pairs = [("d input", *gradients(ours.double(), loop.double(), few, back))]
    for group, layers in enumerate(loop.experts):
        for depth, theirs in enumerate(layers):
            layer, name = ours.layers[depth], f"expert {group} layer {depth}"
            if theirs.linear1.weight.grad is None:  # not chosen by these examples
                continue
            pairs += [
                (f"d up of {name}", layer.up.weight.grad[group], theirs.linear1.weight.grad),
                (f"d qkv of {name}", layer.query_key_value.weight.grad[group], theirs.self_attn.in_proj_weight.grad),
                (f"d norm of {name}", layer.norm_ff.gain.grad[group], theirs.norm2.weight.grad),
            ]
    gate("gradients of the experts", pairs)
    runs = [there_and_back(module.float(), aligned.clone().requires_grad_(), upstream) for module in (ours, loop)]
    gate("outputs of the experts", [("output", runs[0](), runs[1]())])
    products = bare_products(ours, chosen, config.n_clusters)
    return interleave({"ours": runs[0], "products": products, "loop": runs[1]}, rounds=rounds)


def compare_feed_forward(config: ModelConfig, chosen: Tensor, rounds: int) -> dict[str, list[float]]:
    """Our feed-forward part and transformers', every token of an example going to the example's experts."""
    torch.manual_seed(0)
    experts = CultureExperts(config)
    offset = torch.arange(config.n_dimensions)[:, None] * config.n_experts
    choice = (chosen + offset).flatten(1).repeat_interleave(config.n_clusters, 0)
    shares = torch.rand(choice.shape).softmax(-1)
    tokens = torch.randn(len(choice), config.width)
    upstream = torch.randn_like(tokens)
    ours, theirs = OurFeedForward(experts), TheirFeedForward(experts)
    few = CHECKED * config.n_clusters
    pairs = [("d input", *gradients(ours, theirs, tokens[:few], upstream[:few], choice[:few], shares[:few]))]
    pairs += [
        ("d up", ours.up.weight.grad, theirs.parts[0].grad), ("d up bias", ours.up.bias.grad, theirs.parts[1].grad),
        ("d down", ours.down.weight.grad, theirs.parts[2].grad),
    ]  # fmt: skip
    gate("gradients of the feed-forward parts", pairs)
    runs = [
        there_and_back(module, tokens.clone().requires_grad_(), upstream, choice, shares) for module in (ours, theirs)
    ]
    gate("outputs of the feed-forward parts", [("output", runs[0](), runs[1]())])
    return interleave({"ours": runs[0], "transformers": runs[1]}, rounds=rounds)


def main() -> None:
    """Measure both routings and print ratios."""
    options = parser(__doc__, rounds=10)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    config = build_config({}, ["preset=paper", "model.expert_dropout=0.0", "model.noise=false"]).model
    failures, results = [], {}
    for name, choice in (("uniform", uniform_choice(config)), ("measured", measured_choice(config))):
        print(f"\n{name} routing")
        seconds = compare_experts(config, choice, chosen.rounds)
        part = compare_feed_forward(config, choice, chosen.rounds)
        ratios = {
            "experts, ours / bare matrix products": ratio(seconds, "ours", "products"),
            "experts, ours / loop over torch's layers": ratio(seconds, "ours", "loop"),
            "feed-forward, ours / transformers' grouped kernel": ratio(part, "ours", "transformers"),
        }
        for title, value in ratios.items():
            print(f"  {title}: {value}")
        bounds = (1 / LEAST_RATE, 1.0, 1.0)
        failures += [
            f"{name}: {title} is {value.median:.3f}, bound {bound:.3f}"
            for (title, value), bound in zip(ratios.items(), bounds, strict=True)
            if value.median > bound
        ]
        results[name] = {"seconds": {"experts": seconds, "feed_forward": part}, "ratios": ratios}
    finish("experts", results, save=chosen.json, failures=failures)


if __name__ == "__main__":
    main()
