"""CALM against every baseline by 5-fold cross-validation over training and validation rows, CREHate's by default.

    .venv/bin/python experiments/cross_validation.py --seeds 0-2 --out runs/crehate-cv backbone.adapt_layers=[12,16]
    .venv/bin/python experiments/cross_validation.py --recipe demo --systems demo --seeds 0-2 --out runs/demo-cv

Each system is fitted on three folds, stops, tunes and calibrates on the next fold, and answers the held-out one.
The two matched LoRA baselines (and CALM's own LoRA) need `backbone.adapt_layers`. Every (system, fold, seed) is kept
with its predictions and not repeated. `table.md` has paired differences CALM minus baseline, with intervals over
rows of a text and seeds, p values corrected (Holm) for the number of baselines, and how many settings each system tried.
"""

# ruff: noqa: T201  (an experiment says what it does)
from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from common import (
    FOLDS,
    Fold,
    Outcome,
    comparison,
    facts_of,
    join,
    judge_of,
    keep,
    make_folds,
    options,
    run_calm,
    silent,
    told,
)

from calm_lm.baselines.protocol import BaselineInput
from calm_lm.baselines.registry import applicable, baseline_names, get_baseline
from calm_lm.cli.options import parse_seeds
from calm_lm.data.example import Dataset
from calm_lm.data.registry import load
from calm_lm.files import write_text
from calm_lm.stats.arrays import Floats
from calm_lm.training.config import RunConfig
from calm_lm.training.material import Vocabulary, build_rows
from calm_lm.training.presets import build_config, read_recipe
from calm_lm.training.run import Pretrained, cached_views, load_backbone

CALM = "calm"


def baseline_input(fold: Fold, config: RunConfig, pretrained: Pretrained) -> BaselineInput:
    """What a baseline is given on one fold: all that CALM is given."""
    vocabulary = Vocabulary.of(fold.dataset, readers=True)
    splits = [build_rows(fold.dataset, s, vocabulary, target=config.train.target) for s in ("train", "valid", "test")]
    backbone = config.backbone.model_copy(update={"adapt_layers": None})
    views = cached_views(config.model_copy(update={"backbone": backbone}), pretrained)
    views.prepare([text for rows in splits for text in rows.texts], silent)
    return BaselineInput(fold.dataset, vocabulary, splits[0], splits[1], views, config, pretrained, silent)


def run_baseline(name: str, fold: Fold, given: BaselineInput, seed: int) -> Outcome:
    """Fit one baseline on a fold and answer its held-out rows."""
    rows = build_rows(fold.dataset, "test", given.vocabulary, target=given.config.train.target)
    fitted = get_baseline(name).fit(given, seed)
    return Outcome(fitted(rows), fitted.parameters, fitted.variants)


def cross_validate(
    dataset: Dataset, config: RunConfig, pretrained: Pretrained, names: Sequence[str], seeds: Sequence[int], out: Path
) -> list[str]:
    """Run CALM and the baselines named on every fold, and lay out the table."""
    folds = make_folds(dataset)
    given = lru_cache(maxsize=1)(lambda number: baseline_input(folds[number], config, pretrained))
    kept, left_out = applicable(names, given(0))
    for name, why in left_out.items():
        print(f"left out: {name} ({why})")
    parts: dict[tuple[str, int], list[tuple[Fold, Floats]]] = {}
    tried: dict[str, int] = {}
    trained: dict[str, int] = {}
    for fold in folds:  # every system stands on the same folds at any time, so that the work can be read half-way
        for name in (CALM, *kept):
            for seed in seeds if name == CALM or get_baseline(name).seeds else seeds[:1]:

                def make(name: str = name, fold: Fold = fold, seed: int = seed) -> Outcome:
                    if name == CALM:
                        return run_calm(config, fold.dataset, pretrained, seed)
                    return run_baseline(name, fold, given(fold.number), seed)

                place = out / f"{name}-fold-{fold.number}-seed-{seed}"
                outcome = keep(place, facts_of(name, config, fold, seed), make)
                parts.setdefault((name, seed), []).append((fold, outcome.shares))
                tried[name] = max(tried.get(name, 0), outcome.variants)
                trained[name] = outcome.parameters
    keep_rows = sorted(row for fold in folds for row in fold.held)
    systems: dict[str, list[Floats]] = {}
    for (name, _), shares in parts.items():
        systems.setdefault(name, []).append(join(shares, keep_rows))
    notes = {name: f"{trained[name]:,}; {tried[name]}; {len(systems[name])}" for name in systems}
    total = sum(tried.values())
    return [
        f"{dataset.name}: {len(keep_rows)} rows of training and validation, {FOLDS} folds; in brackets the numbers "
        f"trained, the settings tried on each inner fold, and the seeds. Settings tried in all: {total}.",
        "",
        *comparison(judge_of(dataset, keep_rows, config.train.target), systems, CALM, notes, turned=True),
    ]


def main() -> None:
    """Run, print, write `table.md`."""
    made = options(__doc__)
    made.add_argument("--seeds", default="0-2")
    made.add_argument("--recipe", default="crehate", help="a recipe by name or path, with its data")
    made.add_argument("--systems", default="frozen,prompt,lora", help="baselines and groups of them beside CALM")
    made.add_argument("overrides", nargs="*", help="KEY=VALUE")
    chosen = made.parse_args()
    names, seeds = baseline_names(chosen.systems), parse_seeds(chosen.seeds)
    recipe = read_recipe(chosen.recipe)
    dataset = load(str(recipe.pop("data", "crehate")), data_dir=chosen.data_dir)
    config = build_config(recipe, chosen.overrides, file=chosen.recipe)
    lines = cross_validate(dataset, config, load_backbone(config), names, seeds, chosen.out)
    write_text(chosen.out / "table.md", "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    told(main)
