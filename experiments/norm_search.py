"""How often a search of norm records finds the one that decides a row of the demo: by words and by meaning.

python experiments/norm_search.py

The record of a row is that of its own behaviour and country; a row whose cell varies has none. The last lines are a
lookup that CALM's reflection has to beat: logistic regression on the norms of the first three records by meaning,
weighted by exp(15 cosine), each also times the first one's cosine, with that cosine and its square.
"""
# ruff: noqa: T201  (an experiment says what it does)

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from calm_lm.culture.norms import NormStore
from calm_lm.data.example import Example
from calm_lm.data.sources.demo import LABELS, build_dataset, bundled_families, norm_records
from calm_lm.lm.sentence import MeanPoolEncoder
from calm_lm.model.nearest_norms import NearestNorms
from calm_lm.model.norms import NormSource
from calm_lm.stats.arrays import Floats

K, SHARPNESS = 3, 15.0
NORMS = ("expected", "fine", "out of place")


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
    said = {split: features(rows, by_meaning) for split, rows in splits.items()}
    labels = {split: np.asarray([row.label for row in rows]) for split, rows in splits.items()}
    lookup = LogisticRegression(max_iter=2_000).fit(said["train"], labels["train"])
    print("lookup fitted on train: accuracy, cross-entropy in nats")
    for split in ("valid", "test", "test_new_family"):
        nats = log_loss(labels[split], lookup.predict_proba(said[split]), labels=lookup.classes_)
        print(f"{split:16} {lookup.score(said[split], labels[split]):.3f} {nats:.3f}")


def features(rows: Sequence[Example], source: NearestNorms) -> Floats:
    """What the first records say of each row, [N, 2 * norms + 2]."""
    source.know(list(dict.fromkeys(row.text for row in rows)))
    found = np.zeros((len(rows), 2 * len(NORMS) + 2))
    for place, row in enumerate(rows):
        assert row.reader is not None
        near = source.search(row.text, row.reader, K)
        if near:
            weights = np.exp(SHARPNESS * np.asarray([each.score - near[0].score for each in near]))
            says = np.zeros(len(NORMS))
            for each, weight in zip(near, weights / weights.sum(), strict=True):
                says[NORMS.index(each.record.norm)] += weight
            found[place] = *says, *says * near[0].score, near[0].score, near[0].score ** 2
    return found


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
