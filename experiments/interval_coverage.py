"""How often the report's intervals hold the truth where questions are few, beside plain percentile intervals.

python experiments/interval_coverage.py

Invented scores. Means: questions with normal values. Inequity: 14 cultures whose true scores spread by 0 or 0.1, each
with its own questions that are right or wrong; the truth is the standard deviation of the true scores.
"""
# ruff: noqa: T201  (an experiment says what it does)

from __future__ import annotations

import numpy as np

from calm_lm.evaluation.table import Metric, Table, ends
from calm_lm.stats.arrays import Floats
from calm_lm.stats.sums import draw, group_sums, replicate

SAMPLES, CULTURES = 2_000, 14
SCORE = Metric("score", "Score", higher_is_better=True, low=None, high=None)


def main() -> None:
    """One line a number of questions."""
    print(f"share of {SAMPLES} samples whose 95 % interval holds the truth: ours, drawing as many as there are")
    for questions in (5, 8, 20):
        print(f"mean of {questions:2} questions: {means(questions)}")
    for questions in (3, 10):
        for spread in (0.0, 0.1):
            print(f"inequity, {questions:2} questions a culture, truth {spread}: {inequities(questions, spread)}")


def means(questions: int) -> tuple[float, float]:
    """Of the mean of normal values around 0."""
    rng = np.random.default_rng(questions)
    names = [str(i) for i in range(questions)]
    table = Table(names, ["everyone"] * questions)
    held = [0, 0]
    for _ in range(SAMPLES):
        values = rng.normal(size=questions)
        low, high = table.score(SCORE, values)["interval"]
        plain = np.quantile(values[rng.integers(questions, size=(1_000, questions))].mean(1), [0.025, 0.975])
        held[0] += low <= 0 <= high
        held[1] += plain[0] <= 0 <= plain[1]
    return held[0] / SAMPLES, float(held[1] / SAMPLES)


def inequities(questions: int, spread: float) -> tuple[float, float]:
    """Of the standard deviation over cultures of a share."""
    rng = np.random.default_rng([questions, round(100 * spread)])
    true = 0.5 + spread * np.tile([1.0, -1.0], CULTURES // 2)
    cultures = np.repeat([f"culture {i:02}" for i in range(CULTURES)], questions)
    table = Table([str(i) for i in range(len(cultures))], cultures.tolist())
    plain_draws = draw(len(cultures), 1, 1_000, 0)
    held = [0, 0]
    for _ in range(SAMPLES):
        values = (rng.random(len(cultures)) < np.repeat(true, questions)).astype(np.float64)
        held[0] += _holds(table.spread(values), spread)
        rows = np.stack([values, np.ones(len(values))], 1)[None]
        shape = (len(values), CULTURES)
        sums = group_sums(rows, np.arange(len(values)), table.culture_of, shape)
        held[1] += _holds(np.nanstd(replicate(sums, _share, plain_draws)[0], axis=1), spread)
    return held[0] / SAMPLES, float(held[1] / SAMPLES)


def _share(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        found: Floats = sums[..., 0] / sums[..., 1]
    return found


def _holds(replicates: Floats, truth: float) -> bool:
    found = ends(replicates)
    assert found is not None
    assert found[0] is not None
    assert found[1] is not None
    return found[0] <= truth <= found[1]


if __name__ == "__main__":
    main()
