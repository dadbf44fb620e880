"""Parts of the rows that a data set names: which rows they keep, and scores of these rows alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Example, Slice
from calm_lm.evaluation.slices import narrow, rows_of, slice_scores
from calm_lm.evaluation.truth import Truth

KINDS = ("easy", "hard", "hard", "none")
HARD = Slice("hard rows", "kind", ("hard",))


@pytest.fixture
def judged():
    """Forty rows in twenty groups; the country FR has easy rows only."""
    rng = np.random.default_rng(0)
    kinds = [KINDS[i % 4] for i in range(40)]
    places = ["FR" if kind == "easy" else ("DE", "JP")[i % 2] for i, kind in enumerate(kinds)]
    examples = [
        Example(
            text=f"text {i}", id=str(i), group=f"g{i // 2}", label=0, about=Blend.of(place),
            tags=() if kind == "none" else (("kind", kind),),
        )
        for i, (kind, place) in enumerate(zip(kinds, places, strict=True))
    ]  # fmt: skip
    names = ("DE", "FR", "JP")
    labels = rng.integers(0, 2, 40)
    truth = Truth(
        labels, np.eye(2)[labels], np.arange(40) // 2, np.array([names.index(place) for place in places]), names, 1
    )
    return examples, truth, {name: [rng.dirichlet((1, 1), 40) for _ in range(2)] for name in ("calm", "other")}


def test_a_row_without_the_tag_is_in_no_slice(judged):
    examples, _, _ = judged
    assert rows_of(HARD, examples).tolist() == [kind == "hard" for kind in KINDS] * 10
    both = Slice("tagged", "kind", ("easy", "hard"))
    assert rows_of(both, examples).sum() == 30


def test_what_is_left_is_numbered_without_gaps(judged):
    examples, truth, _ = judged
    part = narrow(truth, rows_of(HARD, examples))
    assert part.names == ("DE", "JP")
    assert sorted(set(part.groups.tolist())) == list(range(part.shape[0]))
    assert [part.names[c] for c in part.cultures] == [
        truth.names[c] for c, kept in zip(truth.cultures, rows_of(HARD, examples), strict=True) if kept
    ]


def test_scores_are_those_of_the_rows_alone(judged):
    examples, truth, systems = judged
    found = slice_scores([HARD], examples, truth, systems)["hard rows"]
    keep = rows_of(HARD, examples)
    assert found["rows"] == 20
    for name, shares in systems.items():
        for metric, score in (("precision", precision_score), ("f1", f1_score)):
            wanted = [
                score(truth.labels[rows], p.argmax(1)[rows], zero_division=0.0)
                for p in shares
                for rows in (keep & (truth.cultures == 0), keep & (truth.cultures == 2))
            ]
            assert found["metrics"][name][metric]["mean"] == pytest.approx(np.mean(wanted))
    gap = found["paired"]["other"]["f1"]["difference"]
    means = [found["metrics"][name]["f1"]["mean"] for name in ("calm", "other")]
    assert gap == pytest.approx(means[0] - means[1])


def test_a_slice_of_all_or_of_nothing_is_not_told(judged):
    examples, truth, systems = judged
    nothing, everything = Slice("nothing", "kind", ("new",)), Slice("everything", "kind", ("easy", "hard", "x"))
    tagged = [row for row in examples if row.tags]
    keep = np.array([bool(row.tags) for row in examples])
    kept = {name: [p[keep] for p in shares] for name, shares in systems.items()}
    assert slice_scores([nothing, everything], tagged, truth.take(keep), kept) == {}
