"""How many numbers CALM trains, and how wide a plain network must be to train as many."""

from __future__ import annotations

import torch

from calm_lm.baselines.protocol import BaselineInput
from calm_lm.model.config import Sizes
from calm_lm.model.network import CalmNetwork


def calm_parameters(given: BaselineInput) -> int:
    """Trained numbers of the CALM network of this run, LoRA not counted; nothing is allocated."""
    lm, encoder = given.pretrained.lm, given.pretrained.encoder
    sizes = Sizes(
        d_model=lm.d_model,
        d_sentence=encoder.d_embed if encoder else 0,
        n_labels=len(given.vocabulary.labels),
        n_readers=len(given.vocabulary.readers) if given.config.readers else 0,
        n_cultures=len(given.vocabulary.cultures),
        evidence=given.config.norms is not None,
    )
    with torch.device("meta"):
        return sum(p.numel() for p in CalmNetwork(given.config.model, sizes).parameters())


def hidden_width(target: int, inputs: int, outputs: int) -> int:
    """Hidden units with which a network of one hidden layer has about `target` weights and biases, at least 1."""
    return max(1, round((target - outputs) / (inputs + 1 + outputs)))
