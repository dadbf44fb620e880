"""How a part of the people answered one item: shares over its options, with what is needed to trust them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np

from calm_lm.errors import CalmError
from calm_lm.stats.arrays import Floats
from calm_lm.survey.cell import Cell
from calm_lm.survey.item import SurveyItem

NOT_ONE = "V12"  # the code of shares that do not sum to one
SUM_TOLERANCE = 0.02  # published shares are rounded: ten of them may miss one by a percentage point or two


@dataclass(frozen=True, slots=True)
class ResponseDistribution:
    """Shares of the valid answers; never a bare mean.

    Attributes:
        item: id of the item.
        cell: whose answers.
        shares: over the item's options, in their order, summing to one.
        missing_share: share of all respondents asked who gave no valid answer; None where it was not published.
        n: respondents with a valid answer; None where it was not published.
        n_effective: Kish's effective number under the weights; None where `n` is.
        weighted: whether population weights made the shares; None where the source does not say.
        wave: the survey's wave or round.
        date: when people were asked, as precisely as published (`2022`, `2017-2021`).
    """

    item: str
    cell: Cell
    shares: tuple[float, ...]
    missing_share: float | None = None
    n: int | None = None
    n_effective: float | None = None
    weighted: bool | None = None
    wave: str = ""
    date: str = ""

    @property
    def array(self) -> Floats:
        """The shares as an array [K]."""
        return np.asarray(self.shares, dtype=np.float64)

    @classmethod
    def from_shares(
        cls,
        item: SurveyItem,
        cell: Cell,
        shares: Mapping[str, float],
        *,
        n: int | None = None,
        weighted: bool | None = None,
        wave: str = "",
        date: str = "",
        file: str | PathLike[str] | None = None,
        row: int | None = None,
    ) -> ResponseDistribution:
        """From published shares by code; those of missing codes are set apart, the rest divided by its sum.

        Args:
            item: the item that was answered.
            cell: by whom.
            shares: share of each code, from 0 to 1; a code that is left out got none.
            n: respondents behind them, the missing ones not counted.
            weighted: whether they were weighted.
            wave: the survey's wave.
            date: when.
            file: where they stand, for errors.
            row: the line.

        Raises:
            CalmError: V10 for a code that the item does not have, V11 for a share below 0 or no number, V12 for shares
                that do not sum to one (within 0.02: they are published rounded), V13 for no valid answer at all.
        """
        known = {option.code for option in (*item.options, *item.missing)}
        for code, share in shares.items():
            if code not in known:
                raise CalmError(
                    "V10", "is no option of this item.", file=file, row=row, field=item.id, value=code,
                    fix=f"use {', '.join(item.codes)}, or declare it a missing code.",
                )  # fmt: skip
            if not math.isfinite(share) or share < 0:
                raise CalmError(
                    "V11", "a share must be a number from 0 to 1.", file=file, row=row, field=f"{item.id}, {code}",
                    value=share, fix="check the source; negative numbers are missing codes, not shares.",
                )  # fmt: skip
        total = math.fsum(shares.values())
        if abs(total - 1) > SUM_TOLERANCE:
            raise CalmError(
                NOT_ONE, "the shares do not sum to one.", file=file, row=row, field=f"{item.id}, {cell.name}",
                value=round(total, 6), fix="give shares of all answers (percentages divided by 100).",
            )  # fmt: skip
        return cls.from_counts(
            item, cell, shares, known_n=n, weighted=weighted, wave=wave, date=date, file=file, row=row
        )

    @classmethod
    def from_counts(
        cls,
        item: SurveyItem,
        cell: Cell,
        counts: Mapping[str, float],
        *,
        known_n: int | None,
        n_effective: float | None = None,
        weighted: bool | None = None,
        wave: str = "",
        date: str = "",
        file: str | PathLike[str] | None = None,
        row: int | None = None,
    ) -> ResponseDistribution:
        """From weights or counts by code, those of missing codes included.

        Args:
            item: the item that was answered.
            cell: by whom.
            counts: sum of weights, or number of people, for each code; a code that is left out got none.
            known_n: people with a valid answer; None where it is not known.
            n_effective: Kish's number under the weights; None takes `known_n`.
            weighted: whether they are sums of weights.
            wave: the survey's wave.
            date: when.
            file: where they stand, for errors.
            row: the line.

        Raises:
            CalmError: V13 where nobody gave a valid answer.
        """
        valid = np.array([counts.get(code, 0.0) for code in item.codes], dtype=np.float64)
        missing = math.fsum(counts.get(option.code, 0.0) for option in item.missing)
        if valid.sum() <= 0:
            raise CalmError(
                "V13", "nobody gave a valid answer.", file=file, row=row, field=f"{item.id}, {cell.name}",
                fix="leave the cell out; an empty cell has no distribution.",
            )  # fmt: skip
        return cls(
            item=item.id,
            cell=cell,
            shares=tuple((valid / valid.sum()).tolist()),
            missing_share=missing / (missing + float(valid.sum())) if item.missing else None,
            n=known_n,
            n_effective=n_effective if n_effective is not None else (None if known_n is None else float(known_n)),
            weighted=weighted,
            wave=wave,
            date=date,
        )


def stack(distributions: Sequence[ResponseDistribution]) -> Floats:
    """Shares of one item's distributions [N, K]."""
    return np.stack([each.array for each in distributions])
