"""Rows of a survey task, one for each item and place, and the scores of answers laid along them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from calm_lm.evaluation.asking.pool import Pooled
from calm_lm.evaluation.table import Metric
from calm_lm.stats.alignment import (
    aggregated_social_value_alignment,
    neutral_processed_social_value_alignment,
    social_value_alignment,
)
from calm_lm.stats.arrays import Floats, Ints
from calm_lm.stats.distances import (
    jensen_shannon_rows,
    kl_rows,
    mean_position_rows,
    modal_match_rows,
    total_variation_rows,
    wasserstein_rows,
)
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.item import SurveyItem

SMOOTHING = 0.001  # added to every share of both sides before KL
FIVE_POINTS = 5
METRICS = (
    Metric("wasserstein", "Wasserstein distance to people", higher_is_better=False),
    Metric("jensen_shannon", "Jensen-Shannon distance to people", higher_is_better=False),
    Metric("total_variation", "Total variation from people", higher_is_better=False),
    Metric("modal_match", "Commonest answer is people's", higher_is_better=True),
    Metric("nvas", "Answer closeness (NVAS)", higher_is_better=True),
    Metric("kl", f"KL from people, smoothing {SMOOTHING}", higher_is_better=False, high=None),
    Metric("sva", "Social value alignment (KorNAT)", higher_is_better=True),
    Metric("sva_aggregated", "Social value alignment, sides merged", higher_is_better=True),
    Metric("sva_neutral", "Social value alignment, neutral-processed", higher_is_better=True),
)


class SurveyRows:
    """Items and places with the people's answers, sorted by item.

    Args:
        rows: in the order of their items.
        thin: rows that are not judged because too few people stand behind them.
    """

    class Row(NamedTuple):
        """One item and the people of one place, or of one part of them.

        Attributes:
            item: the question.
            people: what they answered.
            everyone: what everyone in their country answered, where they are a part of it; they are among these.
        """

        item: SurveyItem
        people: ResponseDistribution
        everyone: ResponseDistribution | None = None

        @property
        def country(self) -> str:
            """Where they live."""
            return self.people.cell.country

        @property
        def culture(self) -> str:
            """Who they are, as the table of scores names them: `EG`, or `EG, sex=female`."""
            return self.people.cell.name

    def __init__(self, rows: Sequence[Row], thin: Sequence[Row] = ()) -> None:
        self._rows = list(rows)
        self.thin = tuple(thin)
        places: dict[str, list[int]] = {}
        for number, row in enumerate(rows):
            places.setdefault(row.item.id, []).append(number)
        self.by_item: dict[str, Ints] = {item: np.asarray(found) for item, found in places.items()}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __getitem__(self, number: int) -> Row:
        return self._rows[number]

    def people(self, rows: Ints) -> Floats:
        """People's shares of rows of one item [n, K]."""
        return np.stack([self._rows[row].people.array for row in rows])

    def means_of_others(self) -> list[Floats | None]:
        """For each row, the mean shares of the item's other places; None where there is no other."""
        found: list[Floats | None] = [None] * len(self)
        for rows in self.by_item.values():
            shares = self.people(rows)
            for place, row in enumerate(rows):
                if len(rows) > 1:
                    found[row] = np.delete(shares, place, axis=0).mean(0)
        return found


class Sheets(NamedTuple):
    """Answers by culture and item [C, I, K], filled up with zeros; `nan` where a culture has no answer to an item."""

    model: Floats
    people: Floats


def sheets(rows: SurveyRows, answers: Sequence[Pooled], cultures: Sequence[str]) -> Sheets:
    """The model's and people's answers of these cultures, laid side by side."""
    places = {culture: place for place, culture in enumerate(cultures)}
    most = max(len(row.item.options) for row in rows)
    model = np.full((len(cultures), len(rows.by_item), most), np.nan)
    found = Sheets(model, model.copy())
    for at, item in enumerate(rows.by_item):
        for row in rows.by_item[item]:
            place, shares = places.get(rows[row].culture), answers[row].shares
            if place is not None and shares is not None:
                for kept, given in zip(found, (shares, rows[row].people.array), strict=True):
                    kept[place, at] = 0.0
                    kept[place, at, : len(given)] = given
    return found


class Matched(NamedTuple):
    """The rows of one item that have an answer."""

    item: SurveyItem
    rows: Ints
    model: Floats
    people: Floats


def matched(rows: SurveyRows, answers: Sequence[Pooled]) -> Iterator[Matched]:
    """Item by item, model's shares beside people's [n, K]; rows without any valid answer are left to the bounds."""
    for found in rows.by_item.values():
        valid = np.asarray([row for row in found if answers[row].shares is not None], dtype=np.int64)
        if len(valid):
            model = np.stack([answers[row].shares for row in valid])
            yield Matched(rows[valid[0]].item, valid, model, rows.people(valid))


def score_rows(rows: SurveyRows, answers: Sequence[Pooled]) -> dict[str, Floats]:
    """Every metric on every row [N]; `nan` where there is no valid answer, or no order for a metric that needs one.

    NVAS of a nominal item is whether the commonest answers agree (our choice, as in `stats.alignment.nvas`).
    """
    scores = {metric.name: np.full(len(rows), np.nan) for metric in METRICS}
    for part in matched(rows, answers):
        scores["jensen_shannon"][part.rows] = jensen_shannon_rows(part.model, part.people)
        scores["total_variation"][part.rows] = total_variation_rows(part.model, part.people)
        scores["kl"][part.rows] = kl_rows(part.model, part.people, smoothing=SMOOTHING)
        chosen = part.model.argmax(1)
        scores["sva"][part.rows] = social_value_alignment(part.people, chosen).score
        if part.item.scale == "ordinal" and len(part.item.options) == FIVE_POINTS:
            merged = aggregated_social_value_alignment(part.people, chosen)
            scores["sva_aggregated"][part.rows] = merged.score
            scores["sva_neutral"][part.rows] = neutral_processed_social_value_alignment(part.people, chosen).score
        modal = modal_match_rows(part.model, part.people)
        scores["modal_match"][part.rows] = modal
        if part.item.scale == "ordinal":
            scores["wasserstein"][part.rows] = wasserstein_rows(part.model, part.people)
            means = [mean_position_rows(shares) for shares in (part.model, part.people)]
            scores["nvas"][part.rows] = 1 - np.abs(means[0] - means[1])
        else:
            scores["nvas"][part.rows] = modal
    return scores
