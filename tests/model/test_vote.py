"""What cited norms say for each label: by which formula, and that nothing is said before it is fitted."""

from __future__ import annotations

import math

import pytest
import torch

from calm_lm.model.evidence import EvidenceRows, RecordStates
from calm_lm.model.vote import NormVote


@pytest.fixture
def evidence() -> EvidenceRows:
    """Three rows over two records: two cited, none, one."""
    states = RecordStates(torch.zeros(2, 4), torch.zeros(2, 4), torch.eye(2, 3))
    weight = torch.tensor([[0.6, 0.4], [0.0, 0.0], [1.0, 0.0]])
    return EvidenceRows(states, torch.tensor([[0, 1], [0, 0], [1, 0]]), weight, torch.tensor([0.5, 0.0, 0.3]))


@pytest.fixture
def vote() -> NormVote:
    made = NormVote(3, 2)
    made.coefficients.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0], [-0.5, 0.5]]))
    made.trusted_from.fill_(0.4)
    made.width.fill_(0.1)
    return made


def test_the_vote_is_the_formula_by_hand(vote, evidence):
    logits = torch.tensor([[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]])
    voted, trust = vote(logits, evidence)
    first = 0.6**7 / (0.6**7 + 0.4**7)  # a record's share falls with the 7th power of its score
    trusted = [1 / (1 + math.exp(-1.0)), 0.0, 1 / (1 + math.exp(1.0))]
    assert trust.tolist() == pytest.approx(trusted, abs=1e-6)
    said = [[first - 0.5, 2 * (1 - first) + 0.5], [0.0, 0.0], [-0.5, 2.5]]
    for row in range(3):
        for label in range(2):
            expected = float(logits[row, label]) + trusted[row] * said[row][label]
            assert float(voted[row, label]) == pytest.approx(expected, abs=1e-5)


def test_a_vote_that_is_not_fitted_says_nothing(evidence):
    vote = NormVote(3, 2)
    assert not vote.fitted
    logits = torch.randn(3, 2)
    assert torch.equal(vote(logits, evidence)[0], logits)
