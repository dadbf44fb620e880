"""Count which experts a trained model chooses, for the skewed routing of experts.py.

    .venv/bin/python benchmarks/routing.py calm-demo/run/seed-0/model

Reads every situation of the bundled data as every country and writes `benchmarks/routing.json`: per
communicative dimension how often each set of experts was chosen.
"""

# ruff: noqa: T201  (its output is what it prints)
from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from calm_lm.data.registry import load
from calm_lm.model.calm import CalmModel

PLACE = Path(__file__).with_name("routing.json")


def count_choices(model: CalmModel) -> list[list[tuple[list[int], int]]]:
    """For each dimension the sets of experts with how often, most frequent first."""
    rows = load("demo").splits["train"]
    counts = [Counter() for _ in model.dimensions]
    for start in range(0, len(rows), 120):
        batch = rows[start : start + 120]
        chosen = model.answer_texts([r.text for r in batch], [r.reader for r in batch])[0].routing.chosen
        for number, count in enumerate(counts):
            count.update(tuple(sorted(pair)) for pair in chosen[:, number].tolist())
    return [[(list(pair), n) for pair, n in count.most_common()] for count in counts]


def main() -> None:
    """Load, count, write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("model", type=Path, help="a trained model's folder")
    model = CalmModel.from_pretrained(options.parse_args().model)
    choices = count_choices(model)
    facts = {"data": model.manifest.provenance.dataset, "rows": sum(n for _, n in choices[0])}
    lines = ",\n  ".join(json.dumps(pairs) for pairs in choices)
    PLACE.write_text(json.dumps(facts)[:-1] + ',\n "choices": [\n  ' + lines + "\n]}\n", "utf-8")
    for name, pairs in zip(model.dimensions, choices, strict=True):
        total = sum(n for _, n in pairs)
        print(f"{name}: " + ", ".join(f"{pair} {n / total:.0%}" for pair, n in pairs))


if __name__ == "__main__":
    main()
