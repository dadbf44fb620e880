"""What norm records say, and how reflection reads it: by the situation they speak of, and by the norm in it.

A record's situation is matched with the text, its norm is what is read, and neither names the culture: the search
has already chosen whose records these are. Were the culture readable, a model trained at one time could take from
a record whose it is instead of what it says, and records of a later date would tell it nothing. Ours.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_lm.model.layers import projection_head


class RecordStates(NamedTuple):
    """n norm records as the network reads them.

    Attributes:
        situations: they apply to, [n, d].
        norms: that hold there, [n, d].
        phrases: the norms' sentence embeddings, [n, d_sentence]; untrained.
    """

    situations: Tensor
    norms: Tensor
    phrases: Tensor


class EvidenceRows(NamedTuple):
    """Norm records that speak to each row.

    Attributes:
        states: of n records.
        records: [B, k] int64 into `states`; where the weight is 0 it means nothing.
        weight: [B, k] >= 0, a row sums to 1 or (no evidence) to 0.
        score: [B] of the first record as the search gives it; 0 without evidence.
    """

    states: RecordStates
    records: Tensor
    weight: Tensor
    score: Tensor


class EvidenceReader(nn.Module):
    """Attention of a row over its records and its self-prompt.

    Record j of a row gets the score `s * cos(W t, W q_j) + log w_j`, with t the views of the text, q_j those of the
    record's situation and w_j the weight of the search; the self-prompt gets a learned score. What record j says to
    the row is `MLP([n_j; z])`, n_j the state of its norm. The sum replaces the self-prompt's state as the reference
    that the row is calibrated to.
    """

    def __init__(self, inputs: int, hidden: int, width: int, dropout: float) -> None:
        super().__init__()
        self.situation = nn.Linear(inputs, width)
        self.norm = projection_head(inputs, hidden, width, dropout)
        self.say = projection_head(2 * width, hidden, width, dropout)
        self.sharpness = nn.Parameter(torch.tensor([5.0]))
        self.prompt = nn.Parameter(torch.zeros(1))

    def read(self, situations: Tensor, norms: Tensor, phrases: Tensor) -> RecordStates:
        """States of n records: views of situations and norms, [n, inputs] twice; the norms' sentence embeddings."""
        return RecordStates(self.situation(situations), self.norm(norms), phrases)

    def attention(self, text: Tensor, evidence: EvidenceRows) -> Tensor:
        """Weights of k records and, last, of the self-prompt, for text views [B, inputs]. [B, k + 1], rows sum to 1."""
        situations = evidence.states.situations[evidence.records]
        fit = F.cosine_similarity(self.situation(text).unsqueeze(1), situations, dim=-1)
        scores = self.sharpness * fit + evidence.weight.clamp_min(1e-9).log()
        scores = scores.masked_fill(evidence.weight <= 0, float("-inf"))
        return torch.cat([scores, self.prompt.expand(len(scores), 1)], 1).softmax(-1)

    def forward(self, text: Tensor, state: Tensor, reference: Tensor, evidence: EvidenceRows) -> Tensor:
        """The reference of each row: text views [B, inputs], state and self-prompt [B, d] -> [B, d].

        A row without evidence keeps its self-prompt: its attention to records is 0.
        """
        attention = self.attention(text, evidence)
        norms = evidence.states.norms[evidence.records]
        said = self.say(torch.cat([norms, state.unsqueeze(1).expand_as(norms)], -1))
        found: Tensor = (attention[:, :-1].unsqueeze(-1) * said).sum(1) + attention[:, -1:] * reference
        return found
