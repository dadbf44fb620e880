"""NT-Xent against numbers worked out by hand, and the temperature's course."""

from __future__ import annotations

import math

import pytest
import torch

from calm_lm.model.clusters import gumbel_temperature
from calm_lm.model.contrast import ContrastiveWindow, culture_nt_xent

# Four unit vectors in the plane; 0 and 1 are a pair of culture 0, 2 and 3 of culture 1.
ANGLES = (0.0, math.pi / 3, math.pi / 2, math.pi)
VIEWS = torch.tensor([[math.cos(a), math.sin(a)] for a in ANGLES], dtype=torch.float64)
PARTNER, CULTURE = torch.tensor([1, 0, 3, 2]), torch.tensor([0, 0, 1, 1])


def test_four_items_by_hand():
    # cosines: 01 1/2, 02 0, 03 -1, 12 sqrt(3)/2, 13 -1/2, 23 0
    t, root = 0.5, math.sqrt(3) / 2
    rows = [
        (0.5, (0.0, -1.0)),  # view 0: positive 1, negatives 2 and 3
        (0.5, (root, -0.5)),
        (0.0, (0.0, root)),  # view 2: positive 3, negatives 0 and 1
        (0.0, (-1.0, -0.5)),
    ]
    by_hand = [-math.log(math.exp(p / t) / (math.exp(p / t) + sum(math.exp(n / t) for n in ns))) for p, ns in rows]
    found = culture_nt_xent(VIEWS, PARTNER, CULTURE, t)
    assert float(found) == pytest.approx(sum(by_hand) / 4, abs=1e-12)
    assert float(culture_nt_xent(VIEWS, PARTNER, CULTURE, t, anchors=slice(1, 3))) == pytest.approx(
        (by_hand[1] + by_hand[2]) / 2, abs=1e-12
    )


def test_same_culture_pairs_stand_in_neither_place():
    views = torch.nn.functional.normalize(torch.randn(6, 4, dtype=torch.float64), dim=-1)
    culture, partner = torch.tensor([0, 0, 1, 1, 0, 0]), torch.tensor([1, 0, 3, 2, -1, -1])
    loss = culture_nt_xent(views, partner, culture, 0.07, anchors=slice(0, 2))
    moved = views.clone()
    moved[4] = views[0]  # as near as can be, but of the anchors' own culture
    assert culture_nt_xent(moved, partner, culture, 0.07, anchors=slice(0, 2)) == loss


def test_one_culture_has_exactly_no_loss_and_no_gradient():
    views = VIEWS.clone().requires_grad_()
    loss = culture_nt_xent(views, PARTNER, torch.zeros(4, dtype=torch.int64), 0.07)
    loss.backward()
    assert loss.item() == 0.0
    assert views.grad is not None
    assert views.grad.abs().max() == 0


def test_without_a_positive_nothing_is_an_anchor():
    views = VIEWS.clone().requires_grad_()
    loss = culture_nt_xent(views, torch.full((4,), -1), CULTURE, 0.07)
    loss.backward()
    assert loss.item() == 0.0
    few = culture_nt_xent(VIEWS, torch.tensor([1, -1, -1, -1]), CULTURE, 0.5)
    assert float(few) == pytest.approx(-math.log(math.e / (math.e + 1 + math.exp(-2))), abs=1e-12)


def test_the_window_gives_unit_vectors_by_heads_of_its_own():
    torch.manual_seed(0)
    window = ContrastiveWindow(8, 6, 0.1).eval()
    explicit, latent = window(torch.randn(3, 8), torch.randn(3, 8))
    torch.testing.assert_close(torch.cat([explicit, latent]).norm(dim=-1), torch.ones(6))
    same = torch.randn(2, 8)
    assert not torch.allclose(*window(same, same))


def test_the_temperature_is_a_cosine_between_its_ends():
    course = [gumbel_temperature(step, 100) for step in (0, 25, 50, 75, 100)]
    assert course == pytest.approx([1.0, 0.6 + 0.4 * math.sqrt(0.5), 0.6, 0.6 - 0.4 * math.sqrt(0.5), 0.2], abs=1e-12)
    assert gumbel_temperature(500, 100) == gumbel_temperature(100, 100) == pytest.approx(0.2)
    assert gumbel_temperature(0, 0) == 1.0
    values = [gumbel_temperature(step, 37, 0.9, 0.3) for step in range(38)]
    assert values == sorted(values, reverse=True)
    assert (values[0], values[-1]) == pytest.approx((0.9, 0.3))
