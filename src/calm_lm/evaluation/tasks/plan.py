"""How a task is to be run this time: conditions, sizes, seeds, and where the data lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.tasks.spec import Task, Wanted

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a run of one task that is not in its declaration.

    Attributes:
        wanted: the task with its sizes.
        conditions: ways of asking, the first is the reference.
        data_dir: folder of the data sets.
        seed: of samples, orders and draws.
        replicates: of the bootstrap.
        languages: the part of the task's languages that it is asked in; None is all of them.
    """

    wanted: Wanted
    conditions: tuple[Condition, ...]
    data_dir: Path | None = None
    seed: int = 0
    replicates: int = 1_000
    languages: tuple[str, ...] | None = None

    @property
    def asked_in(self) -> tuple[str, ...]:
        """Languages that the task is asked in where a condition does not choose."""
        return self.task.languages if self.languages is None else self.languages

    @property
    def task(self) -> Task:
        """The task."""
        return self.wanted.task

    def sample(self, items: Sequence[T], by: Callable[[T], str]) -> list[T]:
        """At most as many items as wanted, spread over the parts that `by` names, in the given order; seeded.

        Parts give in turn, so each part's number differs by at most one until it is used up.
        """
        if self.wanted.items is None or len(items) <= self.wanted.items:
            return list(items)
        rng = np.random.default_rng(self.seed)
        parts: dict[str, list[int]] = {}
        for place in rng.permutation(len(items)).tolist():
            parts.setdefault(by(items[place]), []).append(place)
        chosen: list[int] = []
        queues = [parts[name] for name in sorted(parts)]
        while len(chosen) < self.wanted.items:
            for queue in queues:
                if queue and len(chosen) < self.wanted.items:
                    chosen.append(queue.pop())
        return [items[place] for place in sorted(chosen)]
