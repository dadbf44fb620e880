"""Judged rows that need no model: planted labels, votes and two systems of known quality."""

from __future__ import annotations

import numpy as np
import pytest

from calm_lm.evaluation.truth import Truth


@pytest.fixture
def truth() -> Truth:
    """60 posts read by three cultures, five votes each; labels are the majority."""
    rng = np.random.default_rng(5)
    posts, names = 60, ("AU", "GB", "SG")
    lean = rng.beta(1, 1, posts)[:, None] + np.array([0.0, 0.1, -0.1])
    votes = rng.binomial(5, lean.clip(0.02, 0.98)).ravel()
    return Truth(
        labels=(votes >= 3).astype(np.int64),
        shares=np.stack([1 - votes / 5, votes / 5], 1),
        groups=np.repeat(np.arange(posts), 3),
        cultures=np.tile(np.arange(3), posts),
        names=names,
        positive=1,
    )


@pytest.fixture
def informed(truth: Truth) -> np.ndarray:
    """A system that knows the shares, shrunk towards a half."""
    return 0.8 * truth.shares + 0.1


@pytest.fixture
def ignorant(truth: Truth) -> np.ndarray:
    """A system that answers at random."""
    return np.random.default_rng(9).dirichlet([3, 3], len(truth.labels))
