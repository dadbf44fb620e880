"""Stage 1: pooling, salience, decoupling, scales, and where a token names a culture."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.model.layers import StateScale, weighted_mean
from calm_lm.model.space import CognitiveSpace, channel_weights, decoupling_loss
from calm_lm.model.views import explicit_tokens


def test_weighted_mean_is_the_mean_of_a_loop_and_zero_without_weight():
    torch.manual_seed(0)
    values, weights = torch.randn(3, 4, 2, dtype=torch.float64), torch.tensor([[1, 1, 0, 0], [0, 2, 1, 0], [0] * 4])
    means = weighted_mean(values, weights)
    torch.testing.assert_close(means[0], (values[0, 0] + values[0, 1]) / 2)
    torch.testing.assert_close(means[1], (2 * values[1, 1] + values[1, 2]) / 3)
    assert means[2].tolist() == [0.0, 0.0]


def test_a_scale_centres_and_leaves_still_features_alone():
    values = torch.randn(200, 3) * torch.tensor([1.0, 50.0, 0.0]) + torch.tensor([0.0, 900.0, 4.0])
    scale = StateScale(3)
    scale.fit(values)
    scaled = scale(values)
    torch.testing.assert_close(scaled.mean(0), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(scaled.std(0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-3, rtol=0)
    assert scale.std[2] == 1
    assert not list(scale.parameters())


def test_heads_share_no_weights_and_work_on_single_tokens():
    torch.manual_seed(0)
    space = CognitiveSpace(6, 8, 4, 0.1).eval()
    states = torch.randn(2, 5, 6)
    whole = space(states)
    for part in whole:
        assert part.shape == (2, 5, 4)
    torch.testing.assert_close(space(states[:, 3]).latent, whole.latent[:, 3])
    whole.task.sum().backward()
    assert all(p.grad is None for head in (space.explicit, space.latent) for p in head.parameters())


M = torch.tensor([[1, 1, 1, 1, 0]], dtype=torch.bool)


@pytest.mark.parametrize(
    ("explicit", "salience", "named", "rest"),
    [
        ([0, 1, 0, 0, 0], True, [0, 1, 0, 0, 0], [1, 0, 1, 1, 0]),
        ([0, 0, 0, 0, 0], True, [1, 1, 1, 1, 0], [1, 1, 1, 1, 0]),  # nothing names a culture
        ([1, 1, 1, 1, 1], True, [1, 1, 1, 1, 0], [1, 1, 1, 1, 0]),  # everything does
        ([0, 0, 0, 0, 1], True, [1, 1, 1, 1, 0], [1, 1, 1, 1, 0]),  # only padding does
        ([0, 1, 0, 0, 0], False, [1, 1, 1, 1, 0], [1, 1, 1, 1, 0]),  # the switch is off
    ],
)
def test_channel_weights_split_or_fall_back(explicit, salience, named, rest):
    found = channel_weights(M, torch.tensor([explicit], dtype=torch.bool), salience)
    assert [part[0].tolist() for part in found] == [named, rest]


@given(st.lists(st.lists(st.sampled_from("pen"), min_size=6, max_size=6), min_size=1, max_size=4))
def test_every_real_token_is_pooled_somewhere_and_padding_nowhere(rows):
    mask = torch.tensor([[kind != "p" for kind in row] for row in rows])
    explicit = torch.tensor([[kind == "e" for kind in row] for row in rows])
    named, rest = channel_weights(mask, explicit, True)
    assert torch.equal((named + rest) > 0, mask)


def test_decoupling_is_zero_for_orthogonal_and_one_for_parallel_views():
    one, two, three = torch.eye(3, dtype=torch.float64).unsqueeze(1)
    assert decoupling_loss(one, two, three) == 0
    assert decoupling_loss(one, -2 * one, 3 * one) == pytest.approx(1)
    assert decoupling_loss(one, one + two, three) == pytest.approx((0.5 + 0 + 0) / 3)


def test_tokens_that_overlap_a_mention_are_explicit():
    texts = ["Tea in Japan is hot.", "No place here."]
    spans = torch.tensor([[[0, 3], [4, 6], [6, 9], [9, 12], [0, 0]], [[0, 2], [3, 8], [9, 13], [0, 0], [0, 0]]])
    assert explicit_tokens(texts, spans).tolist() == [[False, False, True, True, False], [False] * 5]
