"""A smaller data set with the same balance, for runs that must fit a machine."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from calm_lm.data.example import Dataset, Example
from calm_lm.data.splits import order_key


def sample_rows(dataset: Dataset, rows: int, seed: int = 0) -> Dataset:
    """At most `rows` training rows, a quarter of that for validation; other splits stay whole.

    Within each label the groups that come first in a seeded order are taken, whole, so that the label balance
    stays and no group is cut.
    """
    splits = dict(dataset.splits)
    for split, size in (("train", rows), ("valid", max(1, rows // 4))):
        if len(splits.get(split, ())) > size:
            splits[split] = _take(splits[split], size, seed)
    if splits == dataset.splits:
        return dataset
    kept = ", ".join(
        f"{len(splits[split])} of {len(dataset.splits[split])} {split}" for split in splits if split != "test"
    )
    return replace(dataset, splits=splits, notes=(*dataset.notes, f"A stratified sample: {kept} rows."))


def _take(rows: tuple[Example, ...], size: int, seed: int) -> tuple[Example, ...]:
    by_label: dict[int | None, dict[str, list[Example]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_label[row.label][row.group].append(row)
    chosen: set[str] = set()
    for groups in by_label.values():
        total = sum(map(len, groups.values()))
        room = round(size * total / len(rows))
        for group in sorted(groups, key=lambda name: order_key(name, seed)):
            if room < len(groups[group]):
                break
            chosen.update(row.id for row in groups[group])
            room -= len(groups[group])
    return tuple(row for row in rows if row.id in chosen)
