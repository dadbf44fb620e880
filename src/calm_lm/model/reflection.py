"""Stage 4: the self-prompted reflective loop, on encoded prompts.

The loop (draft, culture-conditioned self-prompt, grounded reasoning, calibration when the answer departs from
the identity) is known through a third party's reading note; every formula is ours. A self-prompt names a
culture, two communicative dimensions and a draft label: a finite set, so each prompt is encoded once.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_lm.model.layers import projection_head


class SelfPrompts(NamedTuple):
    """The finite set of prompts, and where each stands.

    Prompt number of (culture c, dimension pair p, label y) is `(c * n_pairs + p) * n_labels + y`; the last
    culture slot is "no particular reader".
    """

    texts: tuple[str, ...]
    readers: tuple[str | None, ...]
    pairs: tuple[tuple[int, int], ...]
    n_labels: int

    def number(self, culture: Tensor, pair: Tensor, label: Tensor) -> Tensor:
        """Prompt numbers for int64 tensors of one shape, such as [B]."""
        return (culture * len(self.pairs) + pair) * self.n_labels + label


def build_self_prompts(
    readers: tuple[str, ...], names: tuple[str, ...], labels: tuple[str, ...], dimensions: tuple[str, ...]
) -> SelfPrompts:
    """All prompts for reader ids (with display `names`), labels and dimension names."""
    pairs = tuple(combinations(range(len(dimensions)), 2)) or ((0, 0),)
    slots: list[str | None] = [*readers, None]
    settings = [*names, "no particular place"]
    texts = [
        f"Cultural setting: {setting}. What matters: {dimensions[a]}, {dimensions[b]}. "
        f"Draft answer: {label.replace('_', ' ')}. Does the draft fit that setting?"
        for setting in settings
        for a, b in pairs
        for label in labels
    ]
    return SelfPrompts(tuple(texts), tuple(slots), pairs, len(labels))


def pair_of_dimensions(gate: Tensor, pairs: tuple[tuple[int, int], ...]) -> Tensor:
    """Index of the pair made of each row's two heaviest dimensions. [B, C] -> [B] int64."""
    if gate.size(-1) == 1:
        return gate.new_zeros(gate.size(0), dtype=torch.int64)
    top = gate.topk(2, -1).indices.sort(-1).values
    table = torch.full((gate.size(-1), gate.size(-1)), -1, dtype=torch.int64, device=gate.device)
    for index, (first, second) in enumerate(pairs):
        table[first, second] = index
    return table[top[:, 0], top[:, 1]]


class Calibration(nn.Module):
    """`z' = z + g * (r - z)` with `g = sigmoid(MLP([z; r; |z - r|]))`, r the state of self-prompt and evidence.

    Shapes: z, r [B, d] -> z' [B, d] and the mean gate [B]. The gate starts nearly shut (bias -2), so that an
    untrained loop keeps its drafts.
    """

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.gate = projection_head(3 * width, hidden, width, dropout)
        last = self.gate[-1]
        assert isinstance(last, nn.Linear)
        nn.init.constant_(last.bias, -2.0)

    def forward(self, state: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Move states [B, d] towards references [B, d]; also the mean gate [B], 0 to 1."""
        gate = torch.sigmoid(self.gate(torch.cat([state, reference, (state - reference).abs()], -1)))
        return state + gate * (reference - state), gate.mean(-1)


def keep_second_answer(draft: Tensor, second: Tensor) -> Tensor:
    """Whether each second answer is kept: its own probability is not below the draft's. [B, L] twice -> [B] bool."""
    return second.max(-1).values >= draft.max(-1).values


def reflection_loss(
    second_logits: Tensor, target: Tensor, draft_right: Tensor, state: Tensor, calibrated: Tensor, per_row: Tensor
) -> Tensor:
    """`CE(second, target) + 0.1 * [draft right] * (1 - cos(z', stop_gradient(z)))`, weighted by `per_row` [B].

    The state may move freely only where the draft was wrong.
    """
    answer = -(target * second_logits.log_softmax(-1)).sum(-1)
    drift = 1 - F.cosine_similarity(calibrated, state.detach(), dim=-1)
    loss = (answer + 0.1 * draft_right.to(drift.dtype) * drift) * per_row
    return loss.sum() / per_row.sum().clamp_min(1.0)
