"""The reader's profile: a few learned tokens that stand beside the text's own, before the three heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ReaderProfile(nn.Module):
    """P learned tokens per reader culture, mixed by the blend's weights.

    So one post read for SG and for AU are different inputs. Ours. Tokens are in scaled units (see
    `StateScale`). Shapes: weights [V, n_readers] -> tokens [V, P, d_model], mask [V, P] (False for a row of
    zeros, which is "no reader").
    """

    def __init__(self, n_readers: int, n_tokens: int, d_model: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.empty(n_readers, n_tokens, d_model).normal_(std=0.5))

    def forward(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Profile tokens [V, P, d_model] and their mask [V, P] of V blends."""
        tokens = torch.einsum("vr,rpd->vpd", weights, self.tokens)
        present = weights.sum(1, keepdim=True) > 0
        return tokens, present.expand(-1, self.tokens.size(1))
