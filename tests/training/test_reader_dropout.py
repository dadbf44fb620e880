"""Rows that reader dropout read without their reader, in a contrastive window that groups by reader."""

from __future__ import annotations

import torch

from calm_lm.model.contrast import culture_nt_xent
from calm_lm.training.objective import Targets, without_dropped

NOBODY = torch.zeros(4, 2)


def test_dropped_rows_are_neither_anchor_nor_positive_but_still_negatives():
    targets = Targets(NOBODY, NOBODY[:, 0], torch.tensor([0, 1, 0, 1]), torch.tensor([2, 3, 0, 1]))
    left = without_dropped(targets, torch.tensor([0.0, 1.0, 0.0, 0.0]))
    assert left.partner.tolist() == [2, -1, 0, -1]
    assert left.culture.tolist() == [0, -1, 0, 1]
    views = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.5], [1.0, -1.0]]), dim=-1)
    similarity = views @ views.t() / 0.5
    terms = [-torch.log_softmax(similarity[i][[j, 1, 3]], 0)[0] for i, j in ((0, 2), (2, 0))]
    torch.testing.assert_close(culture_nt_xent(views, left.partner, left.culture, 0.5), torch.stack(terms).mean())


def test_nothing_dropped_changes_nothing():
    targets = Targets(NOBODY, NOBODY[:, 0], torch.tensor([0, -1, 0, 1]), torch.tensor([2, -1, 0, -1]))
    left = without_dropped(targets, torch.zeros(4))
    assert left.culture.equal(targets.culture)
    assert left.partner.equal(targets.partner)
