"""Whatever is no data for a statistic is refused with the code, the row and the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import calm_lm.stats
from calm_lm.errors import CalmError
from calm_lm.stats.arrays import as_ids
from calm_lm.stats.bootstrap import bootstrap_interval, bootstrap_mean, bootstrap_over_seeds
from calm_lm.stats.calibration import Temperature, abstention_threshold
from calm_lm.stats.classification import accuracy, auroc, macro_f1
from calm_lm.stats.paired import holm
from calm_lm.stats.per_culture import score_cultures
from calm_lm.stats.probability import brier, cross_entropy_to_shares, vote_shares

NAN = float("nan")


@pytest.mark.parametrize(
    ("code", "row", "field", "call"),
    [
        ("S01", None, "temperature", lambda: Temperature(0.0)),
        ("S01", None, "target_accuracy", lambda: abstention_threshold([0.5], [1], 1.2)),
        ("S01", None, "seed", lambda: bootstrap_mean([1, 2], [1, 2], seed=-1)),
        ("S01", None, "seed", lambda: bootstrap_interval(lambda rows: 0.0, [1, 2], seed=-1)),
        ("S01", None, "n", lambda: bootstrap_mean([1, 2], [1, 2], seed=0, n=0)),
        ("S01", None, "level", lambda: bootstrap_mean([1, 2], [1, 2], seed=0, level=95)),
        ("S01", None, "prior", lambda: vote_shares([[1, 0]], prior=-1)),
        ("S02", None, "score", lambda: auroc([0, 1], ["low", "high"])),
        ("S02", None, "p", lambda: brier([[0.5, 0.5], [1.0]], [[1, 0], [1, 0]])),
        ("S03", None, "y", lambda: accuracy([], [])),
        ("S03", None, "p", lambda: brier([0.5, 0.5], [[1, 0]])),
        ("S04", 2, "score", lambda: auroc([0, 1], [0.1, NAN])),
        ("S04", 3, "p_values", lambda: holm([0.1, 0.2, NAN])),
        ("S04", 1, "p", lambda: brier([[NAN, 1.0]], [[1, 0]])),
        ("S05", 2, "y", lambda: macro_f1([0, 2], [0, 1], 2)),
        ("S05", 1, "predicted", lambda: accuracy([0, 1], [0.5, 1])),
        ("S05", 2, "y", lambda: accuracy([0, -1], [0, 1])),
        ("S06", 2, "p", lambda: cross_entropy_to_shares([[0.5, 0.5], [-2.0, 3.0]], [[1, 0], [1, 0]])),
        ("S07", 1, "shares", lambda: cross_entropy_to_shares([[0.5, 0.5]], [[1, 1]])),
        ("S08", 2, "cultures", lambda: score_cultures(lambda rows: 0.0, ["SG", None], higher_is_better=True)),
        ("S08", 1, "cultures", lambda: score_cultures(lambda rows: 0.0, np.array(["", "SG"]), higher_is_better=True)),
        ("S08", None, "groups", lambda: bootstrap_mean([1, 2], [0.5, 1.5], seed=0)),
        ("S08", None, "groups", lambda: bootstrap_mean([1, 2], [1, "a"], seed=0)),
        ("S09", None, "predicted", lambda: accuracy([0, 1], [0])),
        ("S09", None, "shares", lambda: brier([[0.5, 0.5]], [[0.2, 0.3, 0.5]])),
        ("S09", None, "values", lambda: bootstrap_mean([1, 2, 3], [1, 2], seed=0)),
        ("S10", 2, "votes", lambda: vote_shares([[1, 0], [3, -1]])),
        ("S11", 2, "votes", lambda: vote_shares([[1, 0], [0, 0]])),
        ("S12", None, "groups", lambda: bootstrap_mean([1, 2], [7, 7], seed=0)),
        ("S13", None, "share undefined", lambda: bootstrap_interval(lambda rows: NAN, [1, 2], seed=0, n=5)),
        ("S14", None, "statistics", lambda: bootstrap_over_seeds([], [1, 2], seed=0)),
    ],
)
def test_a_mistake_is_one_error_with_its_place(
    code: str, row: int | None, field: str, call: Callable[[], object]
) -> None:
    with pytest.raises(CalmError) as caught:
        call()
    assert (caught.value.code, caught.value.row, caught.value.field) == (code, row, field)


def test_each_code_stands_at_one_place() -> None:
    source = "".join(path.read_text() for path in Path(calm_lm.stats.__file__).parent.glob("*.py"))
    codes = re.findall(r'"(S\d\d)"', source)
    assert len(codes) == len(set(codes)) > 30


def test_ids_of_one_kind_pass_however_they_are_held() -> None:
    for ids in (["b", "a"], np.array(["b", "a"]), np.array(["b", "a"], dtype=object), list(np.array(["b", "a"]))):
        assert as_ids(ids, "groups").tolist() == ["b", "a"]
    for numbers in ([2, 1], np.array([2, 1]), list(np.array([2, 1]))):
        assert as_ids(numbers, "groups").tolist() == [2, 1]


def test_an_error_about_ids_repeats_none_of_them() -> None:
    with pytest.raises(CalmError) as caught:
        as_ids(["a private text", None], "groups")
    assert "private" not in str(caught.value)
