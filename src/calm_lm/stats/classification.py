"""How often labels are right: accuracy, precision, recall, F1 and the area under the ROC curve.

Every function takes the true labels `y` `[N]` first, and judges `predicted` labels `[N]` where it names them: whole
numbers from 0, else `CalmError` S05, and as many of them, else S09. Scores lie from 0 to 1. A fraction 0/0 is `nan`:
not defined on these rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from calm_lm.stats.arrays import Floats, Ints, as_distributions, as_floats, as_labels, require, require_same


def accuracy(y: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Share of rows whose predicted label `[N]` is the true one."""
    truth, guess = _pair(y, predicted)
    return float(np.mean(truth == guess))


def precision(y: npt.ArrayLike, predicted: npt.ArrayLike, label: int) -> float:
    """Of the rows predicted as `label`, the share that are; `nan` when none is predicted."""
    truth, guess = _pair(y, predicted)
    return _share(truth == label, guess == label)


def recall(y: npt.ArrayLike, predicted: npt.ArrayLike, label: int) -> float:
    """Of the rows that are `label`, the share predicted so; `nan` when there is none."""
    truth, guess = _pair(y, predicted)
    return _share(guess == label, truth == label)


def f1(y: npt.ArrayLike, predicted: npt.ArrayLike, label: int) -> float:
    """Harmonic mean of precision and recall of `label`; `nan` when the label is neither true nor predicted anywhere."""
    truth, guess = _pair(y, predicted)
    both = np.sum((truth == label) & (guess == label))
    either = np.sum(truth == label) + np.sum(guess == label)
    return float(2 * both / either) if either else float("nan")


def macro_f1(y: npt.ArrayLike, predicted: npt.ArrayLike, n_labels: int) -> float:
    """Unweighted mean of F1 over labels.

    A label that is neither true nor predicted on these rows has no F1 and is left out of the mean (as scikit-learn
    does by default); a label that is only true, or only predicted, counts as 0.

    Raises:
        CalmError: S05 for a label outside `0 .. n_labels - 1`.
    """
    truth, guess = _pair(y, predicted, n_labels)
    both = np.bincount(truth[truth == guess], minlength=n_labels)
    either = np.bincount(truth, minlength=n_labels) + np.bincount(guess, minlength=n_labels)
    seen = either > 0
    return float(np.mean(2 * both[seen] / either[seen]))


def auroc(y: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Chance that a row of label 1 scores above a row of label 0, ties counted one half.

    Args:
        y: labels 0 or 1 `[N]`.
        score: any finite number per row `[N]`, higher for label 1.

    Returns:
        A number from 0 to 1; `nan` when only one label is present.

    Source: Hanley & McNeil 1982 (the Mann-Whitney statistic).
    """
    truth, scores = as_labels(y, "y", 2), as_floats(score, "score")
    require_same("score", scores.shape, "y", truth.shape)
    return _auroc(truth, scores)


def macro_auroc(y: npt.ArrayLike, p: npt.ArrayLike) -> float:
    """Mean over labels of `auroc` of one label against the rest, from `p` `[N, L]`.

    A label that no row or every row bears has no curve and is left out; `nan` when none is left. With two labels
    it equals `auroc` of the second column.
    """
    shares = as_distributions(p, "p")
    truth = as_labels(y, "y", shares.shape[1])
    require_same("p", shares.shape[:1], "y", truth.shape)
    areas = np.array([_auroc((truth == label).astype(np.int64), column) for label, column in enumerate(shares.T)])
    return float(np.mean(areas[~np.isnan(areas)])) if not np.isnan(areas).all() else float("nan")


def _auroc(truth: Ints, scores: Floats) -> float:
    positives, rows = int(truth.sum()), len(truth)
    if positives in (0, rows):
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # tied rows share their middle rank
    above = ranks[truth == 1].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (rows - positives)))


def _pair(y: npt.ArrayLike, predicted: npt.ArrayLike, n_labels: int | None = None) -> tuple[Ints, Ints]:
    require(n_labels is None or n_labels >= 1, "n_labels", n_labels, "a whole number from 1")
    truth, guess = as_labels(y, "y", n_labels), as_labels(predicted, "predicted", n_labels)
    require_same("predicted", guess.shape, "y", truth.shape)
    return truth, guess


def _share(hit: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> float:
    return float(hit[among].mean()) if among.any() else float("nan")
