"""Culture-blind CALM: everything but the reader."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from calm_lm.baselines.backbone import adapted, untouched
from calm_lm.baselines.predictor import Predictor
from calm_lm.baselines.protocol import BaselineInput
from calm_lm.stats.arrays import Floats
from calm_lm.training.material import Rows
from calm_lm.training.run import cached_views, fit_model
from calm_lm.training.validation import answer_rows


def fit_blind(given: BaselineInput, seed: int) -> Predictor:
    """CALM fitted with the same configuration and seed, told no reader in training or prediction.

    It cites no norm records either: they are searched by the reader's culture, and would tell it.
    """
    config = given.config.model_copy(update={"readers": False})
    lm = given.pretrained.lm
    with tempfile.TemporaryDirectory() as folder, untouched(lm, config.backbone):
        model = fit_model(
            config, given.dataset, given.pretrained, seed=seed, folder=Path(folder), progress=given.progress
        )
        trained = sum(p.numel() for p in model.network.parameters())
        lora = lm.lora_state()
    views = cached_views(config, given.pretrained)

    def logits(rows: Rows) -> Floats:
        nobody = torch.zeros(len(rows.examples), 0)
        with untouched(lm, config.backbone):  # states below the adapted layers
            views.prepare(rows.texts, given.progress)
        with adapted(lm, config.backbone, lora):
            return answer_rows(model, rows, views, None, readers=nobody).logits.double().numpy()

    facts = model.manifest.calibration
    temperature = facts.share_temperature or facts.label_temperature
    return Predictor("blind", trained + sum(t.numel() for t in lora.values()), 1, temperature, logits)
