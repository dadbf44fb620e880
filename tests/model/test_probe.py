"""The linear probe: what a blend, a reader and nobody are told."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.model.probe import LinearProbe


@pytest.fixture(scope="module")
def probe() -> LinearProbe:
    made = LinearProbe(6, 3, 2).double()
    draw = torch.Generator().manual_seed(3)
    made.load(torch.randn(4, 2, 6, generator=draw), torch.randn(4, 2, generator=draw))
    return made


def test_an_unfitted_probe_says_nothing():
    assert (LinearProbe(6, 3, 2)(torch.randn(4, 6), torch.rand(4, 3)) == 0).all()


def test_a_reader_adds_weights_of_its_own_and_nobody_adds_none(probe):
    views = torch.randn(3, 6, dtype=torch.float64)
    common = F.linear(views, probe.weight[0], probe.offset[0])
    torch.testing.assert_close(probe(views, torch.zeros(3, 3, dtype=torch.float64)), common)
    for reader in range(3):
        own = F.linear(views, probe.weight[1 + reader], probe.offset[1 + reader])
        told = F.one_hot(torch.full((3,), reader), 3).double()
        torch.testing.assert_close(probe(views, told), common + own)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_a_blend_is_the_mixture_of_its_readers(probe, weights):
    views, blend = torch.ones(1, 6, dtype=torch.float64), torch.tensor([weights], dtype=torch.float64)
    nobody = probe(views, torch.zeros(1, 3, dtype=torch.float64))
    added = [probe(views, torch.eye(3, dtype=torch.float64)[i : i + 1]) - nobody for i in range(3)]
    torch.testing.assert_close(probe(views, blend), nobody + sum(w * a for w, a in zip(weights, added, strict=True)))


def test_without_readers_there_is_one_answer():
    made = LinearProbe(6, 0, 2)
    made.load(torch.ones(1, 2, 6), torch.tensor([[0.5, 0.0]]))
    assert made(torch.ones(2, 6), torch.zeros(2, 0)).tolist() == [[6.5, 6.0]] * 2
