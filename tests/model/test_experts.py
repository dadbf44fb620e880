"""Routing, the losses on it, and grouped experts against a plain loop of modules."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.model.experts import CultureExperts, expert_losses
from calm_lm.model.grouped import GradientSpace, GroupedLinear, GroupedNorm, _GroupedProduct, feed_forward


@pytest.fixture
def experts(config):
    def make(**changes) -> CultureExperts:
        torch.manual_seed(2)
        made = CultureExperts(config(**changes)).eval()
        torch.nn.init.normal_(made.router)  # decided enough that no two experts tie
        for layer in made.layers:  # norms that are not all alike
            for norm in (layer.norm_attention, layer.norm_ff):
                torch.nn.init.normal_(norm.gain, 1.0, 0.2)
                torch.nn.init.normal_(norm.shift, 0.0, 0.2)
        return made

    return make


# -- the plain loop ------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-12)])
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"n_dimensions": 1, "n_experts": 1, "top_k": 1, "expert_layers": 1, "n_clusters": 1},
        {"n_dimensions": 3, "n_experts": 5, "top_k": 4, "expert_layers": 2},
        {"n_dimensions": 2, "n_experts": 8, "top_k": 1, "expert_layers": 3},  # experts without any row
    ],
)
def test_grouped_experts_equal_the_plain_loop(experts, plain_experts, shape, dtype, tolerance):
    grouped = experts(**shape).to(dtype)
    plain = plain_experts.like(grouped)
    clusters = shape.get("n_clusters", 5)
    ours = torch.randn(7, clusters, 16, dtype=dtype, generator=torch.Generator().manual_seed(1)).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    weights = torch.randn(7, clusters, 16, dtype=dtype)
    found, expected = grouped(ours)[0], plain(theirs)
    assert _relative(found, expected) <= tolerance
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    assert _relative(ours.grad, theirs.grad) <= tolerance
    gradients = dict(plain.pieces(grouped, lambda p: p.grad))
    assert gradients.keys() == {name for name, _ in plain.named_parameters()}
    for name, parameter in plain.named_parameters():
        wanted = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert _relative(gradients[name], wanted) <= tolerance, name


def _relative(found, expected) -> float:
    """Largest difference, relative to the largest number or 0.1 (a top-1 router's gradient is rounding noise)."""
    return ((found - expected).abs().max() / expected.abs().max().clamp_min(0.1)).item()


def test_the_grouped_product_has_the_right_gradient_also_of_an_empty_group():
    torch.manual_seed(0)
    x, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((6, 3), (4, 2, 3), (4, 2))
    )
    bounds, space = [(0, 2), (2, 2), (2, 5), (5, 6)], GradientSpace()
    assert torch.autograd.gradcheck(lambda *args: _GroupedProduct.apply(*args, bounds, space), (x, weight, bias))
    _GroupedProduct.apply(x, weight, bias, bounds, space).sum().backward()
    assert (weight.grad[1] == 0).all()
    assert (bias.grad[1] == 0).all()
    frozen = _GroupedProduct.apply(x.detach(), weight, bias, bounds, space)
    assert torch.autograd.gradcheck(
        lambda *args: _GroupedProduct.apply(x.detach(), *args, bounds, space), (weight, bias)
    )
    assert frozen.requires_grad


BOUNDS = [(0, 2), (2, 2), (2, 5), (5, 6)]  # the second group has no row


def test_the_grouped_feed_forward_part_equals_its_steps_and_has_the_right_gradient():
    torch.manual_seed(0)
    up, down = GroupedLinear(4, 3, 5).double(), GroupedLinear(4, 5, 3).double()
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    steps = down(torch.relu(up(x, BOUNDS)), BOUNDS)
    torch.testing.assert_close(feed_forward(x, up, down, BOUNDS, 0.0), steps, rtol=0, atol=1e-12)
    parameters = [*up.parameters(), *down.parameters()]
    expected = torch.autograd.grad(steps.square().sum(), [x, *parameters])
    found = torch.autograd.grad(feed_forward(x, up, down, BOUNDS, 0.0).square().sum(), [x, *parameters])
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    assert (found[1][1] == 0).all()


def test_dropout_inside_the_feed_forward_part_has_the_gradient_of_the_rows_it_kept():
    torch.manual_seed(1)
    up, down = GroupedLinear(4, 3, 5).double(), GroupedLinear(4, 5, 3).double()
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)

    def run(*_) -> torch.Tensor:
        torch.manual_seed(7)  # the same rows are dropped at every call
        return feed_forward(x, up, down, BOUNDS, 0.4)

    assert torch.autograd.gradcheck(run, (x, up.weight, up.bias, down.weight, down.bias))
    assert not torch.allclose(run(), feed_forward(x, up, down, BOUNDS, 0.0))
    torch.manual_seed(0)
    mean = torch.stack([feed_forward(x, up, down, BOUNDS, 0.4).detach() for _ in range(4_000)]).mean(0)
    torch.testing.assert_close(mean, feed_forward(x, up, down, BOUNDS, 0.0).detach(), rtol=0, atol=0.05)


def test_grouped_norms_equal_layer_norms_of_each_group():
    torch.manual_seed(0)
    norm = GroupedNorm(4, 8).double()
    torch.nn.init.normal_(norm.gain)
    torch.nn.init.normal_(norm.shift)
    x = torch.randn(6, 8, dtype=torch.float64, requires_grad=True)
    expected = torch.cat(
        [torch.nn.functional.layer_norm(x[a:b], (8,), norm.gain[g], norm.shift[g]) for g, (a, b) in enumerate(BOUNDS)]
    )
    found = norm(x, BOUNDS)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    wanted = torch.autograd.grad(expected.square().sum(), [x, norm.gain, norm.shift])
    ours = torch.autograd.grad(found.square().sum(), [x, norm.gain, norm.shift])
    for mine, theirs in zip(ours, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)


# -- memory of gradients ---------------------------------------------------------------------------


def test_gradient_memory_is_used_again_only_when_no_view_of_it_is_left():
    space, like = GradientSpace(), torch.empty(4, 3)
    first = space.take(like)
    place = first.data_ptr()
    second = space.take(like)
    assert second.data_ptr() != place
    view = first[1:, 0]
    del first
    assert space.take(like).data_ptr() != place
    view.fill_(3.0)
    del view
    assert space.take(like).data_ptr() == place
    assert space.take(like.double()).dtype == torch.float64
    assert space.take(like.bfloat16()).dtype == torch.bfloat16


def test_a_gradient_that_is_kept_does_not_change_in_later_steps(experts):
    made = experts().double()
    x = torch.randn(9, 5, 16, dtype=torch.float64)
    kept = []
    for step in range(3):
        made.zero_grad(set_to_none=True)
        (made(x)[0] + made(2 * x)[0]).square().sum().mul(step + 1.0).backward()  # two uses of every layer
        kept.append({name: p.grad for name, p in made.named_parameters() if p.grad is not None})
        for name, gradient in kept[0].items():
            torch.testing.assert_close(kept[step][name], gradient * (step + 1), rtol=1e-9, atol=1e-9)


def test_gradients_accumulate_over_backward_passes(experts):
    made = experts().double()
    x = torch.randn(9, 5, 16, dtype=torch.float64)
    for times in (1, 2):
        made.zero_grad(set_to_none=True)
        for _ in range(times):
            made(x)[0].square().sum().backward()
        if times == 1:
            once = {name: p.grad.clone() for name, p in made.named_parameters()}
    for name, parameter in made.named_parameters():
        torch.testing.assert_close(parameter.grad, 2 * once[name], rtol=1e-12, atol=1e-12)


def test_a_grouped_layer_starts_as_linear_layers_do():
    torch.manual_seed(0)
    layer = GroupedLinear(3, 64, 50)
    reach = 1 / math.sqrt(64)
    for parameter in layer.parameters():
        assert parameter.abs().max() <= reach
        assert parameter.std().item() == pytest.approx(reach / math.sqrt(3), rel=0.15)


# -- routing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_at_most_k_experts_per_row_with_weights_that_sum_to_one(experts, training, top_k):
    made = experts(top_k=top_k).train(training)
    routing = made.route(torch.randn(30, 16))
    assert routing.chosen.shape == routing.weights.shape == (30, 4, top_k)
    assert all(len(set(row)) == top_k for row in routing.chosen.flatten(0, 1).tolist())
    torch.testing.assert_close(routing.weights.sum(-1), torch.ones(30, 4))
    torch.testing.assert_close(routing.probabilities.sum(-1), torch.ones(30, 4))
    torch.testing.assert_close(routing.dimensions.sum(-1), torch.ones(30))
    ratio = routing.probabilities.gather(-1, routing.chosen)
    torch.testing.assert_close(routing.weights, ratio / ratio.sum(-1, keepdim=True))


def test_routers_are_noisy_only_while_training_and_wanted(experts):
    pooled = torch.randn(200, 16)
    made, still = experts(), experts(noise=False)
    torch.nn.init.normal_(made.router, std=0.02)
    picks = [made.train(mode).route(pooled).chosen for mode in (True, True, False, False)]
    assert not torch.equal(picks[0], picks[1])
    assert torch.equal(picks[2], picks[3])
    assert torch.equal(still.train().route(pooled).chosen, still.train().route(pooled).chosen)


# -- losses --------------------------------------------------------------------------------------


def numpy_losses(probabilities: np.ndarray, chosen: np.ndarray) -> tuple[float, float]:
    """The same two losses, dimension by dimension and expert by expert."""
    rows, dimensions, experts = probabilities.shape
    balances = []
    for c in range(dimensions):
        used = [np.mean(np.sum(chosen[:, c] == e, axis=1)) / chosen.shape[2] for e in range(experts)]
        balances.append(experts * sum(used[e] * probabilities[:, c, e].mean() for e in range(experts)))
    entropies = [
        -sum(p * math.log(p) for p in probabilities[b, c] if p > 0) for b in range(rows) for c in range(dimensions)
    ]
    return float(np.mean(balances)), float(np.mean(entropies) / math.log(experts))


@given(st.integers(1, 6), st.integers(1, 3), st.integers(2, 6), st.data())
def test_losses_equal_an_independent_formula(rows, dimensions, experts, data):
    top_k = data.draw(st.integers(1, experts))
    draw = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    probabilities = draw.dirichlet(np.full(experts, 0.3), size=(rows, dimensions))
    chosen = np.argsort(-probabilities, axis=-1)[..., :top_k].copy()
    found = expert_losses(torch.tensor(probabilities), torch.tensor(chosen))
    balance, dispatch = numpy_losses(probabilities, chosen)
    assert float(found.balance) == pytest.approx(balance, abs=1e-9)
    assert float(found.dispatch) == pytest.approx(dispatch, abs=1e-7)
    assert -1e-9 <= float(found.dispatch) <= 1 + 1e-9


def test_balance_is_one_at_even_use_and_e_when_one_expert_takes_all():
    even = torch.full((4, 2, 4), 0.25, dtype=torch.float64)
    pairs = torch.tensor([[0, 1], [2, 3], [0, 1], [2, 3]]).unsqueeze(1).expand(4, 2, 2)
    found = expert_losses(even, pairs)
    assert found.balance.item() == pytest.approx(1, abs=1e-12)
    assert float(found.dispatch) == pytest.approx(1, abs=1e-12)
    alone = torch.zeros(4, 2, 4, dtype=torch.float64)
    alone[..., 2] = 1
    taken = expert_losses(alone, torch.full((4, 2, 1), 2))
    assert float(taken.balance) == pytest.approx(4, abs=1e-12)
    assert float(taken.dispatch) == pytest.approx(0, abs=1e-7)
    between = [expert_losses(even * (1 - s) + alone * s, torch.full((4, 2, 1), 2)).balance for s in (0, 0.3, 0.6, 1)]
    assert between == sorted(between)


def test_one_expert_alone_has_nothing_to_decide():
    found = expert_losses(torch.ones(3, 2, 1, requires_grad=True), torch.zeros(3, 2, 1, dtype=torch.int64))
    assert (found.balance.item(), found.dispatch.item()) == (1.0, 0.0)


def test_gradients_reach_every_expert_within_fifty_steps(config):
    torch.manual_seed(0)
    made = CultureExperts(config()).train()
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-3)
    reached = torch.zeros(16, dtype=torch.bool)
    target = torch.randn(16)
    for _ in range(50):
        blended, routing = made(torch.randn(24, 5, 16))
        losses = expert_losses(routing.probabilities, routing.chosen)
        loss = (blended.mean(1) - target).square().mean() + 0.01 * (losses.balance + losses.dispatch)
        optimizer.zero_grad()
        loss.backward()
        per_expert = [layer.up.weight.grad.abs().sum((1, 2)) for layer in made.layers]
        reached |= (torch.stack(per_expert) > 0).all(0)
        optimizer.step()
    assert reached.all()
