"""How often a search of norm records finds the one that decides a row of the demo: by words and by meaning.

python experiments/norm_search.py

The record of a row is that of its own behaviour and country; a row whose cell varies has none. What a lookup of these
records is worth stands in the demo's table, as the baseline `lookup`.
"""
# ruff: noqa: T201  (an experiment says what it does)

from __future__ import annotations

from collections.abc import Sequence

from calm_lm.culture.norms import NormStore
from calm_lm.data.example import Example
from calm_lm.data.sources.demo import LABELS, build_dataset, bundled_families, norm_records
from calm_lm.lm.sentence import MeanPoolEncoder
from calm_lm.model.nearest_norms import NearestNorms
from calm_lm.model.norms import NormSource

K = 3


def main() -> None:
    """One line a split and search."""
    families = bundled_families()
    store = NormStore(norm_records(families))
    by_meaning = NearestNorms(store.records, MeanPoolEncoder.load("embedded"))
    print(f"{len(store)} records. Rows that have one: it comes first, it is among {K}. All rows: the first one's norm")
    print("is the label.")
    splits = build_dataset(families).splits
    for split, rows in splits.items():
        by_meaning.know(list(dict.fromkeys(row.text for row in rows)))
        for name, source in (("by words", store), ("by meaning", by_meaning)):
            first, among, label = hits(rows, source, {record.id for record in store})
            print(f"{split:16} {name:10} {first:.3f} {among:.3f} {label:.3f}")


def hits(rows: Sequence[Example], source: NormSource, ids: set[str]) -> tuple[float, float, float]:
    """Shares of rows: own record first, own record among `K`, label of the first record right."""
    first = among = right = having = 0
    for row in rows:
        assert row.reader is not None
        assert row.label is not None
        found = [near.record for near in source.search(row.text, row.reader, K)]
        right += bool(found) and found[0].norm.replace(" ", "_") == LABELS[row.label]
        own = f"{row.tag('family')}/{row.tag('behaviour')}:{row.reader}"
        if own in ids:
            having += 1
            first += bool(found) and found[0].id == own
            among += own in [record.id for record in found]
    return first / max(1, having), among / max(1, having), right / len(rows)


if __name__ == "__main__":
    main()
