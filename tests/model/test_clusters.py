"""Clusters and their alignment."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from calm_lm.model.alignment import IdentityPool
from calm_lm.model.clusters import Clusterer, cluster_sums, gumbel_noise

MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]], dtype=torch.bool)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("temperature", [1.0, 0.2])
def test_assignments_sum_to_one_on_tokens_and_zero_on_padding(training, temperature):
    torch.manual_seed(0)
    clusterer = Clusterer(8, 6, 5, 0.1).train(training)
    assigned = clusterer(torch.randn(3, 4, 8), MASK, temperature)
    torch.testing.assert_close(assigned.sum(-1), MASK.float())
    assert (assigned >= 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_nothing_overflows_in_half_precision(dtype, size):
    torch.manual_seed(0)
    clusterer = Clusterer(8, 6, 5, 0.0).train().to(dtype)
    tokens = (torch.randn(3, 4, 8) * size).to(dtype)
    for _ in range(20):
        assigned = clusterer(tokens, MASK, 0.2)
        assert torch.isfinite(assigned).all()
        sums, mass = cluster_sums(tokens.float(), assigned)
        assert torch.isfinite(sums / mass.clamp_min(1e-6).unsqueeze(-1)).all()
        assert (sums[2] == 0).all()  # a row of padding alone


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_gumbel_noise_is_gumbel_and_finite(dtype):
    torch.manual_seed(0)
    noise = gumbel_noise(torch.zeros(400_000, dtype=dtype))
    assert noise.dtype == torch.float32
    assert torch.isfinite(noise).all()
    assert float(noise.mean()) == pytest.approx(0.5772, abs=0.01)  # Euler's constant
    assert float(noise.var()) == pytest.approx(1.6449, abs=0.03)  # pi^2 / 6


def test_noise_only_while_training_and_only_where_wanted():
    torch.manual_seed(0)
    tokens = torch.randn(3, 4, 8)
    noisy, plain = Clusterer(8, 6, 5, 0.0).train(), Clusterer(8, 6, 5, 0.0, noise=False).train()
    assert not torch.equal(noisy(tokens, MASK, 0.5), noisy(tokens, MASK, 0.5))
    assert torch.equal(plain(tokens, MASK, 0.5), plain(tokens, MASK, 0.5))
    noisy.eval()
    expected = (noisy.head(tokens) / 0.2).softmax(-1) * MASK.unsqueeze(-1)
    torch.testing.assert_close(noisy(tokens, MASK, 0.2), expected)


def test_alignment_equals_torch_attention_from_latent_to_explicit():
    torch.manual_seed(0)
    pool = IdentityPool(16, 4, True).double().eval()
    latent, explicit = torch.randn(2, 3, 5, 16, dtype=torch.float64)
    attention = nn.MultiheadAttention(16, 4, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.cat([pool.query.weight, pool.key_value.weight]))
        attention.in_proj_bias.copy_(torch.cat([pool.query.bias, pool.key_value.bias]))
        attention.out_proj.weight.copy_(pool.out.weight)
        attention.out_proj.bias.copy_(pool.out.bias)
        source = pool.norm_explicit(explicit)
        expected = pool.norm_out(latent + attention(pool.norm_latent(latent), source, source)[0])
        torch.testing.assert_close(pool(latent, explicit), expected, rtol=1e-12, atol=1e-12)


def test_without_cross_attention_every_cluster_receives_the_same():
    torch.manual_seed(0)
    pool = IdentityPool(16, 4, False).double().eval()
    latent, explicit = torch.randn(2, 3, 5, 16, dtype=torch.float64)
    shuffled = explicit[:, torch.randperm(5)]
    torch.testing.assert_close(pool(latent, explicit), pool(latent, shuffled))
    received = pool.out(pool.key_value(pool.norm_explicit(explicit).mean(1))[:, 16:])
    torch.testing.assert_close(pool(latent, explicit), pool.norm_out(latent + received.unsqueeze(1)))
