"""The training loop of the plain networks, and the network itself."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from calm_lm.baselines import learner
from calm_lm.baselines.learner import Candidate, Trained, learn, predict, sampler_for, tune
from calm_lm.baselines.predictor import choice_score
from calm_lm.baselines.sizes import hidden_width
from calm_lm.baselines.view_network import ViewNetwork
from calm_lm.errors import CalmError
from calm_lm.model.config import ModelConfig
from calm_lm.model.layers import StateScale
from calm_lm.training.run import build_sampler

QUIET = ModelConfig(view_dropout=0.0, dropout=0.0)


def candidate(here, seed=0):
    """A network that sees the label itself, through one noisy feature."""
    rows_of = {}

    def read(rows, at):
        key = id(rows)
        if key not in rows_of:
            rows_of[key] = rows.labels.float().unsqueeze(1) + torch.linspace(-1, 1, len(rows.examples)).unsqueeze(1)
        return rows_of[key][at]

    torch.manual_seed(seed)
    return Candidate(ViewNetwork(StateScale(1), QUIET, n_readers=2, n_labels=2, parameters=40), read, [])


def test_best_weights_on_validation_rows_are_kept(world, monkeypatch):
    here = world("train.epochs=10", "train.patience=0", "train.learning_rate=0.2")
    scores = []
    monkeypatch.setattr(learner, "choice_score", lambda p, rows: scores.append(choice_score(p, rows)) or scores[-1])
    one = candidate(here)
    trained = learn(here.given, sampler_for(here.given, 0), one, 1.0, "test")
    assert len(scores) == 10
    assert trained.score == min(scores) == choice_score(predict(one, here.given.valid), here.given.valid)


def test_patience_stops_early(world, monkeypatch):
    here = world("train.epochs=10", "train.patience=2")
    falling = iter([1.0, 0.9, 0.95, 0.92, 0.1])
    monkeypatch.setattr(learner, "choice_score", lambda p, rows: next(falling))
    trained = learn(here.given, sampler_for(here.given, 0), candidate(here), 1.0, "test")
    assert trained.score == 0.9
    assert next(falling) == 0.1


def test_without_validation_rows_the_last_weights_are_kept(world):
    here = world(valid=False)
    first, trained = candidate(here), None
    before = {name: value.clone() for name, value in first.network.state_dict().items()}
    trained = learn(here.given, sampler_for(here.given, 0), first, 1.0, "test")
    assert math.isinf(trained.score)
    assert not torch.equal(trained.network.heads.weight, before["heads.weight"])


def test_diverged_attempts_lose_and_a_hopeless_case_is_said(world):
    given = world().given
    one = candidate(given)

    def attempt(scale):
        return Trained(math.inf if scale == 1.0 else scale, one.network, {})

    best, tried = tune(given, attempt)
    assert best.score == 0.3
    assert tried == 3
    with pytest.raises(CalmError, match="B04"):
        tune(given, lambda scale: Trained(math.inf, one.network, {}))
    assert tune(replace(given, valid=None), lambda scale: Trained(math.inf, one.network, {}))[1] == 1


def test_loss_that_is_no_number_ends_the_attempt(world):
    here = world()
    one = candidate(here)._replace(read=lambda rows, at: torch.full((len(at), 1), math.nan))
    assert math.isinf(learn(here.given, sampler_for(here.given, 0), one, 1.0, "test").score)


def test_batches_are_calms_own(world):
    given = world().given
    own = build_sampler(given.config, given.dataset, given.train, given.views, 3)
    assert all(torch.equal(sampler_for(given, 3).draw(step).rows, own.draw(step).rows) for step in range(5))


@pytest.mark.parametrize(("target", "inputs", "outputs"), [(1_383_952, 965, 10), (20_000, 58, 2), (500, 40, 4)])
def test_width_gives_the_parameters_asked_for(target, inputs, outputs):
    hidden = hidden_width(target, inputs, outputs)
    assert abs(hidden * (inputs + 1 + outputs) + outputs - target) <= (inputs + 1 + outputs) / 2
    assert hidden_width(1, inputs, outputs) == 1


def test_reader_heads_share_all_but_the_last_layer():
    torch.manual_seed(0)
    network = ViewNetwork(StateScale(3), QUIET, n_readers=2, n_labels=2, parameters=50, reader_heads=True).eval()
    x = torch.randn(4, 3)
    first, second = (network(x, torch.tensor([w]).expand(4, 2)) for w in ([1.0, 0.0], [0.0, 1.0]))
    first.sum().backward()
    assert not torch.allclose(first, second)
    assert float(network.heads.weight.grad[2:].abs().max()) == 0.0  # the other reader's head
    assert float(network.hidden.weight.grad.abs().max()) > 0.0
