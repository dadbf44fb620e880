"""CALM without one of its parts at a time: same data, same steps, same seeds.

    .venv/bin/python experiments/run_ablations.py --data crehate --seeds 0-4 --out runs/ablations-crehate

Variants are the files of `experiments/ablations/`; each is laid over the recipe of the data set. Seed s holds out
fold s mod 5 and stops and calibrates on the next one, so five seeds judge every post once, at one run a seed. A run
that is finished is not repeated; `table.md` has means over readers, the worst reader, paired differences to `full`
with intervals over posts, and p values corrected (Holm) for the number of variants.
"""

# ruff: noqa: T201  (an experiment says what it does)
from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from common import FOLDS, Fold, Outcome, comparison, facts_of, join, judge_of, keep, make_folds, options, run_calm, told

from calm_lm.cli.options import parse_seeds
from calm_lm.data.example import Dataset
from calm_lm.data.registry import load
from calm_lm.errors import CalmError
from calm_lm.files import write_text
from calm_lm.stats.arrays import Floats
from calm_lm.training.config import RunConfig
from calm_lm.training.presets import build_config, read_recipe
from calm_lm.training.run import Pretrained, load_backbone

FOLDER = Path(__file__).parent / "ablations"
DATA = ("crehate", "demo")


class Task(NamedTuple):
    """One run."""

    name: str
    config: RunConfig
    fold: Fold
    seed: int
    place: Path


def variant_names(chosen: str | None = None) -> list[str]:
    """All variants, `full` first, or those named with commas (and `full`).

    Raises:
        CalmError: X02 for a name without a file.
    """
    known = sorted((path.stem for path in FOLDER.glob("*.yaml")), key=lambda name: (name != "full", name))
    wanted = known if chosen is None else ["full", *filter(None, map(str.strip, chosen.split(",")))]
    for name in wanted:
        if name not in known:
            raise CalmError("X02", "is no ablation.", field="--only", value=name, fix=f"use {', '.join(known)}.")
    return list(dict.fromkeys(wanted))


def settings(part: Mapping[str, Any], above: str = "") -> list[str]:
    """Nested settings as KEY=VALUE overrides."""
    found = []
    for key, value in part.items():
        found += settings(value, f"{above}{key}.") if isinstance(value, dict) else [f"{above}{key}={_plain(value)}"]
    return found


def _plain(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True).splitlines()[0]


def variant_config(name: str, recipe: Mapping[str, Any], overrides: Sequence[str] = ()) -> RunConfig:
    """The recipe, the user's overrides, and the variant on top."""
    changes = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    return build_config(recipe, [*overrides, *settings(changes)], file=f"{name}.yaml")


def idle(configs: Mapping[str, RunConfig]) -> list[str]:
    """Variants that are `full` again with this recipe."""
    return [name for name, config in configs.items() if name != "full" and config == configs["full"]]


def folds_of_seeds(seeds: Sequence[int]) -> list[list[int]]:
    """Seeds in passes: within a pass every seed holds out another fold.

    Raises:
        CalmError: X03 for seeds that would judge some posts more often than others.
    """
    passes = [list(seeds[start : start + FOLDS]) for start in range(0, len(seeds), FOLDS)]
    covered = [{seed % FOLDS for seed in part} for part in passes]
    if any(len(c) != len(part) or c != covered[0] for c, part in zip(covered, passes, strict=True)):
        raise CalmError(
            "X03", f"seed s holds out fold s mod {FOLDS}, and these judge some posts more often than others.",
            field="--seeds", value=list(seeds), fix="write 0-4, or 0-9 for two passes.",
        )  # fmt: skip
    return passes


def run_task(task: Task) -> Outcome:
    """Train and answer, or take what is kept."""
    make = partial(_make, task)
    return keep(task.place, facts_of(task.name, task.config, task.fold, task.seed), make)


def _make(task: Task) -> Outcome:
    return run_calm(task.config, task.fold.dataset, _pretrained(task.config.backbone.model_dump_json()), task.seed)


@lru_cache(maxsize=1)
def _pretrained(backbone: str) -> Pretrained:
    """The backbone, loaded once a process."""
    return load_backbone(RunConfig.model_validate_json(f'{{"backbone": {backbone}}}'))


def run_all(tasks: Sequence[Task], jobs: int) -> list[Outcome]:
    """All runs; with several jobs, each has its share of the cores."""
    if jobs == 1:
        return [run_task(task) for task in tasks]
    threads = max(1, (os.cpu_count() or 1) // jobs)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        return list(pool.map(run_task, tasks))


def ablate(
    dataset: Dataset, configs: Mapping[str, RunConfig], seeds: Sequence[int], out: Path, jobs: int = 1
) -> list[str]:
    """Run every variant with every seed and lay out the table."""
    passes = folds_of_seeds(seeds)
    folds = make_folds(dataset)
    keep_rows = sorted(row for seed in passes[0] for row in folds[seed % FOLDS].held)
    # Variants take turns within a seed: an experiment that is stopped early can still be read.
    tasks = [
        Task(name, config, folds[seed % FOLDS], seed, out / f"{name}-seed-{seed}")
        for seed in seeds
        for name, config in configs.items()
    ]
    found = dict(zip([(t.name, t.seed) for t in tasks], run_all(tasks, jobs), strict=True))
    systems: dict[str, list[Floats]] = {
        name: [join([(folds[s % FOLDS], found[name, s].shares) for s in part], keep_rows) for part in passes]
        for name in configs
    }
    judge = judge_of(dataset, keep_rows, configs["full"].train.target)
    notes = {name: f"{found[name, seeds[0]].parameters:,}" for name in configs}
    return [
        f"{dataset.name}: {len(keep_rows)} rows of training and validation, seeds {', '.join(map(str, seeds))}, "
        f"{len(configs)} variants tried; in brackets the numbers trained.",
        "",
        *comparison(judge, systems, "full", notes),
    ]


def main() -> None:
    """Run, print, write `table.md`."""
    made = options(__doc__)
    made.add_argument("--data", required=True, help=" or ".join(DATA))
    made.add_argument("--seeds", default="0-4")
    made.add_argument("--jobs", type=int, default=1, help="runs at once")
    made.add_argument("--only", help="variants, comma-separated; all by default")
    made.add_argument("overrides", nargs="*", help="KEY=VALUE for every variant")
    chosen = made.parse_args()
    if chosen.data not in DATA:
        raise CalmError(
            "X04",
            "is no data set of this experiment.",
            field="--data",
            value=chosen.data,
            fix=f"use {' or '.join(DATA)}.",
        )
    seeds = parse_seeds(chosen.seeds)
    recipe = read_recipe(chosen.data)
    recipe.pop("data")
    configs = {name: variant_config(name, recipe, chosen.overrides) for name in variant_names(chosen.only)}
    for name in idle(configs):
        print(f"{name} is left out: it changes nothing on {chosen.data}")
        del configs[name]
    print(f"{len(configs)} variants, {len(configs) * len(seeds)} runs", flush=True)
    lines = ablate(load(chosen.data, data_dir=chosen.data_dir), configs, seeds, chosen.out, chosen.jobs)
    write_text(chosen.out / "table.md", "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    told(main)
