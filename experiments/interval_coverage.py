"""How often the report's intervals hold the truth where questions are few, beside plain percentile intervals.

python experiments/interval_coverage.py

Invented scores. Means: questions with normal values. Inequity: 14 cultures whose true scores spread by 0 or 0.1, each
with its own questions that are right or wrong; the truth is the standard deviation of the true scores. Calibration:
rows whose confidence is even from 0.7 to 1 and too high by 0, 0.05 or 0.1; the truth is that number, and beside it
stands the ECE with its percentile interval.
"""
# ruff: noqa: T201  (an experiment says what it does)

from __future__ import annotations

import numpy as np

from calm_lm.evaluation.table import Metric, Table, ends
from calm_lm.stats.arrays import Floats
from calm_lm.stats.calibration_error import equal_mass_bins, root, squared_calibration_error
from calm_lm.stats.sums import draw, few_drawn, group_sums, replicate

SAMPLES, CULTURES, BINS = 2_000, 14, 10
SCORE = Metric("score", "Score", higher_is_better=True, low=None, high=None)


def main() -> None:
    """One line a number of questions."""
    print(f"share of {SAMPLES} samples whose 95 % interval holds the truth: ours, drawing as many as there are")
    for questions in (5, 8, 20):
        print(f"mean of {questions:2} questions: {means(questions)}")
    for questions in (3, 10):
        for spread in (0.0, 0.1):
            print(f"inequity, {questions:2} questions a culture, truth {spread}: {inequities(questions, spread)}")
    for rows in (30, 100, 400):
        for error in (0.0, 0.05, 0.1):
            print(f"calibration error, {rows:3} rows, truth {error}: {calibration_errors(rows, error)}")


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


def calibration_errors(rows: int, error: float) -> str:
    """Shares held as above, then the mean of our estimates and of the ECE, in 10 bins."""
    rng = np.random.default_rng([rows, round(100 * error)])
    ours, plain = (draw(rows, 1, 1_000, 0, drawn).groups for drawn in (few_drawn(rows), None))
    held, estimates = [0, 0], np.zeros(2)
    for _ in range(SAMPLES):
        confidence = rng.uniform(0.7, 1.0, rows)
        right = (rng.random(rows) < confidence - error).astype(np.float64)
        found = root(squared_calibration_error(confidence, right, weights=ours, bins=BINS))
        held[0] += _holds(found, error)
        member = np.eye(BINS)[equal_mass_bins(confidence, BINS)]
        usual = np.abs((plain * (confidence - right)) @ member).sum(1) / plain.sum(1)
        held[1] += _holds(usual, error)
        estimates += found[0], usual[0]
    shares, means_ = (held[0] / SAMPLES, held[1] / SAMPLES), (estimates / SAMPLES).round(3).tolist()
    return f"{shares}, on average {means_[0]} and ECE {means_[1]}"


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
