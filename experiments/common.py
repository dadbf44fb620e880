"""What the experiments share: folds over training and validation rows, finished runs that are kept, tables.

Test splits are never read here. A fold holds out whole posts; the next fold serves for early stopping, tuning and
calibration, so that no choice is made on the rows that are judged.
"""

# ruff: noqa: T201  (an experiment says what it does)
from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file

from calm_lm import __version__
from calm_lm.data.example import Dataset, Example
from calm_lm.data.splits import grouped_folds
from calm_lm.errors import CalmError
from calm_lm.evaluation.scores import Judge
from calm_lm.evaluation.system import answer_split, judged_rows
from calm_lm.evaluation.truth import Truth
from calm_lm.files import read_json, write_json
from calm_lm.stats.arrays import Floats
from calm_lm.stats.paired import holm
from calm_lm.training.config import RunConfig
from calm_lm.training.grounds import Grounds
from calm_lm.training.material import Vocabulary, build_rows
from calm_lm.training.norm_sources import open_norms
from calm_lm.training.run import Pretrained, cached_views, data_hash, fit_model
from calm_lm.training.tensor_files import write_tensors

FOLDS = 5
REPLICATES = 2_000


class Fold(NamedTuple):
    """One fold: its number, rows as `train`, `valid` (the next fold) and `test` (held out), places of the latter."""

    number: int
    dataset: Dataset
    held: list[int]


def pooled(dataset: Dataset) -> tuple[Example, ...]:
    """The rows that experiments may see: training and validation."""
    return tuple(row for split in ("train", "valid") for row in dataset.splits.get(split, ()))


def make_folds(dataset: Dataset, k: int = FOLDS) -> list[Fold]:
    """All folds of a data set's training and validation rows, whole groups held out."""
    rows = pooled(dataset)
    held = [part for _, part in grouped_folds(rows, k)]
    folds = []
    for number in range(k):
        inner = held[(number + 1) % k]
        out = {*held[number], *inner}
        splits = {
            "train": tuple(row for i, row in enumerate(rows) if i not in out),
            "valid": tuple(rows[i] for i in inner),
            "test": tuple(rows[i] for i in held[number]),
        }
        folds.append(Fold(number, replace(dataset, splits=splits), held[number]))
    return folds


# -- runs that are kept --------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """Predicted shares of the held-out rows [N, L], numbers trained, settings tried on the inner validation rows."""

    shares: Floats
    parameters: int
    variants: int


def facts_of(name: str, config: RunConfig, fold: Fold, seed: int) -> dict[str, Any]:
    """What a result depends on; a kept one is taken only when all of it is the same."""
    return {
        "system": name,
        "fold": fold.number,
        "seed": seed,
        "data": data_hash(fold.dataset),
        "config": config.model_dump(mode="json"),
        "calm_lm": __version__,
    }


def keep(place: Path, facts: Mapping[str, Any], make: Callable[[], Outcome]) -> Outcome:
    """The outcome kept at `place` (.safetensors with the shares, .json written last), or a new one.

    Raises:
        CalmError: X01 when what is kept was made with other settings or data.
    """
    report, tensors = place.with_name(f"{place.name}.json"), place.with_name(f"{place.name}.safetensors")
    if report.exists():
        kept = read_json(report)
        if kept["facts"] != facts:
            raise CalmError(
                "X01", "was made with other settings, other data or another version.", file=report,
                fix="choose another --out, or remove it.",
            )  # fmt: skip
        return Outcome(load_file(tensors)["shares"].numpy(), kept["parameters"], kept["variants"])
    begun = time.perf_counter()
    made = make()
    seconds = round(time.perf_counter() - begun, 1)
    write_tensors(tensors, {"shares": torch.from_numpy(made.shares).contiguous()})
    write_json(
        report, {"facts": dict(facts), "parameters": made.parameters, "variants": made.variants, "seconds": seconds}
    )
    print(f"  {place.name}: {seconds} s", flush=True)
    return made


def run_calm(config: RunConfig, dataset: Dataset, pretrained: Pretrained, seed: int) -> Outcome:
    """Train CALM on `train` and `valid`, answer `test`; the backbone is left as it came."""
    norms = open_norms(config.norms)
    with tempfile.TemporaryDirectory() as folder:
        model = fit_model(config, dataset, pretrained, seed=seed, folder=Path(folder), norms=norms)
    rows = judged_rows(model, dataset, "test", target=config.train.target)
    views = cached_views(config, pretrained)
    grounds = Grounds(rows, model) if norms else None
    views.prepare([*rows.texts, *(grounds.phrases if grounds else ())], silent)
    shares = answer_split(model, rows, views, grounds).shares
    trained = sum(p.numel() for p in model.network.parameters())
    trained += sum(delta.numel() for delta in pretrained.lm.lora_state().values())
    pretrained.lm.remove_lora()
    return Outcome(shares, trained, 1)


def silent(what: str, done: int, total: int) -> None:
    """A progress listener that says nothing."""


# -- judging -------------------------------------------------------------------------------------------


def judge_of(dataset: Dataset, keep_rows: Sequence[int], target: str) -> Judge:
    """A judge of some of the pooled rows, per reader where the data have readers."""
    rows = pooled(dataset)
    judged = replace(dataset, splits={"train": rows, "judged": tuple(rows[i] for i in keep_rows)})
    role = "reader" if dataset.cultures("reader") else None
    truth = Truth.of(
        build_rows(judged, "judged", Vocabulary.of(judged, readers=True), target=target), role, dataset.positive
    )
    return Judge(truth, replicates=REPLICATES)


def join(parts: Sequence[tuple[Fold, Floats]], keep_rows: Sequence[int]) -> Floats:
    """Predictions of several folds in the order of `keep_rows`."""
    place = {row: i for i, row in enumerate(keep_rows)}
    whole = np.full((len(keep_rows), parts[0][1].shape[1]), np.nan)
    for fold, shares in parts:
        whole[[place[row] for row in fold.held]] = shares
    assert np.isfinite(whole).all()
    return whole


METRICS = {"macro_f1": "macro-F1", "cross_entropy": "cross-entropy"}


def comparison(
    judge: Judge, systems: Mapping[str, list[Floats]], first: str, notes: Mapping[str, str], *, turned: bool = False
) -> list[str]:
    """A table of all systems, with paired differences to `first`, Holm-corrected over the systems per metric.

    Differences are the row's system minus `first`, or the other way round where `turned`.
    """
    scores = {name: judge.score(shares) for name, shares in systems.items()}
    others = [name for name in systems if name != first]
    pairs = {
        name: judge.compare(systems[first], systems[name]) if turned else judge.compare(systems[name], systems[first])
        for name in others
    }
    corrected = {
        metric: dict(zip(others, holm([pairs[name][metric]["p"] for name in others]), strict=True)) if others else {}
        for metric in METRICS
    }
    minus = f"{first} − it" if turned else f"it − {first}"
    head = ["system", *(f"{title} [95 %]; worst" for title in METRICS.values())]
    head += [f"{title}: {minus} [95 %], p" for title in METRICS.values()]
    table = [head]
    for name in systems:
        row = [f"{name}{f' ({notes[name]})' if name in notes else ''}"]
        for metric in METRICS:
            found = scores[name][metric]
            worst = "" if found["worst"] is None else f"; {found['worst']:.3f} {found['worst_culture']}"
            row.append(f"{found['mean']:.3f} [{found['interval'][0]:.3f}, {found['interval'][1]:.3f}]{worst}")
        for metric in METRICS:
            if name == first:
                row.append("")
                continue
            gap = pairs[name][metric]
            low, high = gap["interval"]
            row.append(f"{gap['difference']:+.4f} [{low:+.4f}, {high:+.4f}], {corrected[metric][name]:.3f}")
        table.append(row)
    return markdown(table)


def markdown(table: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a markdown table; the first row is the head."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
    return [lines[0], "|" + " --- |" * len(table[0]), *lines[1:]]


# -- the command line ----------------------------------------------------------------------------------


def options(description: str | None) -> argparse.ArgumentParser:
    """Options that all experiments have."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data-dir", type=Path, help="folder of data sets; CALM_DATA otherwise")
    made.add_argument("--out", type=Path, required=True, help="where finished runs are kept and the table is written")
    return made


def told(main: Callable[[], None]) -> None:
    """Run `main`; a user's mistake is one line and exit code 2."""
    try:
        main()
    except CalmError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
