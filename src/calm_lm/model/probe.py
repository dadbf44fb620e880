"""The linear probe: the answer that the backbone's views give before any stage has learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LinearProbe(nn.Module):
    """Label logits from a text's views: weights that all readers share, and what each reader adds to them.

    It is logistic regression, fitted before training and then held; the stages of CALM learn what to add to it, and
    start from adding nothing. On a thousand texts a linear reading is hard to beat, and a network that must find it
    by itself falls behind it. Ours, after linear probing before fine-tuning (Kumar and others, ICLR 2022).

    A blend adds the mixture of its readers; no reader adds nothing. Shapes: views [B, F], readers [B, R] -> [B, L].
    """

    weight: Tensor
    offset: Tensor

    def __init__(self, features: int, n_readers: int, n_labels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(1 + n_readers, n_labels, features))
        self.register_buffer("offset", torch.zeros(1 + n_readers, n_labels))

    def load(self, weight: Tensor, offset: Tensor) -> None:
        """Take fitted weights [1 + R, L, F] and offsets [1 + R, L], the first of each for everybody."""
        self.weight.copy_(weight)
        self.offset.copy_(offset)

    def forward(self, views: Tensor, readers: Tensor) -> Tensor:
        """Logits [B, L] of B rows."""
        mix = torch.cat([views.new_ones(len(views), 1), readers], 1)
        per_part = torch.einsum("bf,plf->bpl", views, self.weight) + self.offset
        return torch.einsum("bp,bpl->bl", mix, per_part)
