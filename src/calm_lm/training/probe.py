"""Fitting the linear probe: what the frozen views say, before anything else has learned."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from calm_lm.model.calm import CalmModel
from calm_lm.model.probe import LinearProbe
from calm_lm.model.views import Views
from calm_lm.training.linear import Features, fit_linear
from calm_lm.training.material import Rows

READER_SCALES = (0.0, 0.3, 1.0)  # of weights that differ by reader; the first leaves only offsets
WITHOUT_VALID = 1e-1  # a fixed penalty for some thousand standardised features and few texts
TEXTS_AT_ONCE = 256


def fit_probe(probe: LinearProbe, features: Features, train: Rows, valid: Rows | None) -> int:
    """Fit a probe on the training rows, penalty and reader weights chosen on the validation rows.

    Without any target it stays zero. A probe without readers takes all rows as one reader's.

    Returns:
        How many settings were tried on the validation rows.
    """
    if not bool(train.known.any()):
        return 0
    with_readers = len(probe.weight) > 1
    scales = READER_SCALES if with_readers else READER_SCALES[:1]
    scale, found, variants = fit_linear(
        features, train, valid, readers=with_readers, scales=scales, without_valid=WITHOUT_VALID
    )
    fitted = torch.from_numpy(found.weights).view(len(found.weights), -1, found.offsets.shape[1]).permute(1, 2, 0)
    weight = torch.zeros(probe.weight.shape, dtype=fitted.dtype)
    weight[: len(fitted)] = fitted
    weight[1:] *= scale
    probe.load(weight, torch.from_numpy(found.offsets))
    return variants


def frozen_features(model: CalmModel, views: Views) -> Features:
    """What the model's probe reads of texts, [U, F]."""

    def features(texts: Sequence[str]) -> object:
        pieces = [_read(model, views, texts[i : i + TEXTS_AT_ONCE]) for i in range(0, len(texts), TEXTS_AT_ONCE)]
        return torch.cat(pieces).float().cpu().numpy()

    return features


@torch.inference_mode()
def _read(model: CalmModel, views: Views, texts: Sequence[str]) -> Tensor:
    batch = model.adapt(views(texts))
    return model.network.probe_views(model.network.pool_texts(batch), batch.sentence)
