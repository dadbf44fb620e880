"""A plain network over the same frozen views as CALM, the reader as one more input, with as many parameters."""

from __future__ import annotations

import torch

from calm_lm.baselines.backbone import untouched
from calm_lm.baselines.features import fit_scale, row_vectors, text_vectors
from calm_lm.baselines.learner import Candidate, Trained, learn, predict, sampler_for, tune
from calm_lm.baselines.predictor import Predictor, calibrated
from calm_lm.baselines.protocol import BaselineInput
from calm_lm.baselines.sizes import calm_parameters
from calm_lm.baselines.view_network import ViewNetwork


def fit_mlp(given: BaselineInput, seed: int) -> Predictor:
    """Mean state, sentence view and reader through one hidden layer."""
    scale, sampler = fit_scale(text_vectors(given, given.train.texts, "both")), sampler_for(given, seed)
    target = calm_parameters(given)

    def candidate() -> Candidate:
        network = ViewNetwork(
            scale, given.config.model, n_readers=given.train.readers.size(1), n_labels=given.train.shares.size(1),
            parameters=target, reader_input=True,
        )  # fmt: skip
        return Candidate(network, lambda rows, at: row_vectors(given, rows, at, "both"), [])

    def attempt(step_size: float) -> Trained:
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            return learn(given, sampler, candidate(), step_size, "baseline mlp")

    with untouched(given.pretrained.lm, given.config.backbone):
        best, variants = tune(given, attempt)
    found = candidate()._replace(network=best.network)
    trained = sum(p.numel() for p in best.network.parameters())
    return calibrated("mlp", lambda rows: predict(found, rows), given.valid, parameters=trained, variants=variants)
