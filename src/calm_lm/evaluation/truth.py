"""What predictions are judged against: labels, vote shares, groups and cultures of the rows of a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from calm_lm.data.example import Role
from calm_lm.training.material import Rows

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Truth:
    """The judged side of N rows.

    Attributes:
        labels: [N] label numbers, -1 unknown.
        shares: [N, L] vote shares where there are votes, else the label as one-hot.
        groups: [N] number of the group that must be resampled whole (the post).
        cultures: [N] number into `names`.
        names: culture ids by which results are told apart; `all` when rows have none.
        positive: the label that AUROC and false positives speak of.
    """

    labels: Ints
    shares: Floats
    groups: Ints
    cultures: Ints
    names: tuple[str, ...]
    positive: int

    @classmethod
    def of(cls, rows: Rows, role: Role | None, positive: int) -> Self:
        """Judge rows by the culture in `role`; rows without one stand under `none`."""
        number: dict[str, int] = {}
        groups = [number.setdefault(example.group, len(number)) for example in rows.examples]
        ids = ["none" if role is None or (c := e.culture(role)) is None else c.parts[0][0] for e in rows.examples]
        names = tuple(sorted(set(ids)))
        if names == ("none",):
            names, ids = ("all",), ["all"] * len(ids)
        place = {name: i for i, name in enumerate(names)}
        return cls(
            labels=rows.labels.numpy().astype(np.int64),
            shares=rows.shares.double().numpy(),
            groups=np.array(groups, dtype=np.int64),
            cultures=np.array([place[i] for i in ids], dtype=np.int64),
            names=names,
            positive=positive,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(groups, cultures)."""
        return int(self.groups.max()) + 1, len(self.names)

    def take(self, keep: npt.NDArray[np.bool_]) -> Truth:
        """Some of the rows, cultures and groups numbered as before."""
        return Truth(
            self.labels[keep], self.shares[keep], self.groups[keep], self.cultures[keep], self.names, self.positive
        )
