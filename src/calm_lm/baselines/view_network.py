"""The plain network of the trained baselines: scaled views, one hidden layer, one head or one for each reader."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_lm.baselines.sizes import hidden_width
from calm_lm.model.config import ModelConfig
from calm_lm.model.layers import StateScale
from calm_lm.model.probe import LinearProbe


class ViewNetwork(nn.Module):
    """Views [B, d] and readers [B, R] to label logits [B, L], with CALM's dropout in CALM's places.

    Args:
        scale: of the views, fitted on training texts.
        config: for the dropout.
        n_readers: R.
        n_labels: L.
        parameters: how many numbers to train; the hidden layer is as wide as that needs.
        reader_input: the reader's shares stand beside the views.
        reader_heads: each reader has an output layer of its own. A blend mixes their logits, no reader is
            their mean (and what the probe says of nobody).
        probe: a fitted linear probe of the scaled views, to which the network adds, from nothing on, as CALM does.
    """

    def __init__(
        self,
        scale: StateScale,
        config: ModelConfig,
        *,
        n_readers: int,
        n_labels: int,
        parameters: int,
        reader_input: bool = False,
        reader_heads: bool = False,
        probe: LinearProbe | None = None,
    ) -> None:
        super().__init__()
        self.scale, self.reader_input = scale, reader_input
        self.view_dropout, self.dropout = config.view_dropout, config.dropout
        self.n_heads = n_readers if reader_heads and n_readers else 1
        inputs = scale.mean.numel() + (n_readers if reader_input else 0)
        outputs = self.n_heads * n_labels
        hidden = hidden_width(parameters, inputs, outputs)
        self.hidden, self.heads = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)
        self.probe = probe
        if probe is not None:
            nn.init.zeros_(self.heads.weight)
            nn.init.zeros_(self.heads.bias)

    def forward(self, views: Tensor, readers: Tensor) -> Tensor:
        """Logits of rows."""
        scaled = self.scale(views)
        logits = self._learned(scaled, readers)
        if self.probe is not None:
            logits = logits + self.probe(scaled, readers)
        return logits

    def _learned(self, scaled: Tensor, readers: Tensor) -> Tensor:
        x = F.dropout(scaled, self.view_dropout, self.training)
        if self.reader_input:
            x = torch.cat([x, readers], 1)
        hidden = F.dropout(F.relu(self.hidden(x)), self.dropout, self.training)
        per_head = self.heads(hidden).unflatten(1, (self.n_heads, -1))
        if self.n_heads == 1:
            logits: Tensor = per_head[:, 0]
            return logits
        total = readers.sum(1, keepdim=True)
        weights = torch.where(total > 0, readers / total.clamp_min(1e-6), torch.full_like(readers, 1 / self.n_heads))
        return torch.einsum("br,brl->bl", weights, per_head)
