"""Which layer CALM reads by default, and whether the sentence view joins it.

    .venv/bin/python experiments/run_read_layer.py --out runs/read-layer

Logistic regression on the mean state of one layer, with and without the sentence embedding, an offset for each
reader, on vote shares where there are votes; 5 folds by whole posts, the penalty chosen on the next fold.
Layers, data sets and penalties stand in `experiments/read_layer/settings.yaml`. The choice has the best mean rank
by cross-entropy over the data sets; of equal ranks the lower layer, which costs less, and no sentence view.
"""

# ruff: noqa: T201  (an experiment says what it does)
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml
from common import FOLDS, Fold, Outcome, comparison, facts_of, join, judge_of, keep, make_folds, options, pooled, told
from safetensors.torch import load_file

from calm_lm.baselines.features import fit_scale
from calm_lm.baselines.predictor import choice_score
from calm_lm.data.example import Dataset
from calm_lm.data.registry import load
from calm_lm.data.sample import sample_rows
from calm_lm.errors import CalmError
from calm_lm.evaluation.metrics import CROSS_ENTROPY
from calm_lm.files import sha256_bytes, write_text
from calm_lm.lm.batching import length_sorted_batches
from calm_lm.model.layers import weighted_mean
from calm_lm.stats.arrays import Floats
from calm_lm.stats.probability import softmax
from calm_lm.stats.softmax_regression import design, fit_softmax, scores
from calm_lm.training.config import RunConfig
from calm_lm.training.material import Rows, Vocabulary, build_rows
from calm_lm.training.presets import build_config, read_recipe
from calm_lm.training.run import Pretrained, load_backbone
from calm_lm.training.tensor_files import write_tensors

SETTINGS = Path(__file__).parent / "read_layer" / "settings.yaml"


class View(NamedTuple):
    """One candidate: a layer, with or without the sentence view."""

    layer: int
    sentence: bool

    @property
    def name(self) -> str:
        """As it stands in the table."""
        return f"layer {self.layer}{' + sentence' if self.sentence else ''}"


def read_texts(
    texts: Sequence[str], layers: Sequence[int], pretrained: Pretrained, config: RunConfig, folder: Path
) -> dict[str, torch.Tensor]:
    """Mean states of all layers in one pass, and sentence embeddings: name to [U, d]; kept in `folder`."""
    lm, encoder = pretrained.lm, pretrained.encoder
    parts = [lm.identity.fingerprint, str(config.backbone.max_length), *map(str, layers), *texts]
    path = folder / f"views-{sha256_bytes(chr(0).join(parts).encode())[:16]}.safetensors"
    if path.exists():
        return load_file(path)
    means = torch.zeros(len(layers), len(texts), lm.d_model)
    batches = length_sorted_batches([len(text.encode()) // 3 + 2 for text in texts], 2_048)
    for number, batch in enumerate(batches):
        out = lm.hidden_states([texts[i] for i in batch], layers, max_length=config.backbone.max_length)
        for place, states in enumerate(out.states):
            means[place, batch] = weighted_mean(states.float(), out.mask).cpu()
        print(f"\r  reading texts: batch {number + 1} of {len(batches)}", end="", flush=True)
    print()
    found = {f"layer-{layer}": means[place].clone() for place, layer in enumerate(layers)}
    if encoder is not None:
        found["sentence"] = torch.cat([encoder.embed(texts[i : i + 512]).cpu() for i in range(0, len(texts), 512)])
    write_tensors(path, found)
    return found


def regress(fold: Fold, view: View, vectors: Mapping[str, torch.Tensor], texts: Sequence[str], config: RunConfig,
            penalties: Sequence[float]) -> Outcome:  # fmt: skip
    """Fit on `train`, choose the penalty on `valid`, answer `test`."""
    vocabulary = Vocabulary.of(fold.dataset, readers=True)
    number = {text: i for i, text in enumerate(texts)}
    parts = [vectors[f"layer-{view.layer}"], *([vectors["sentence"]] if view.sentence else [])]
    whole = torch.cat(parts, 1)

    def lay_out(split: str) -> tuple[Rows, torch.Tensor]:
        rows = build_rows(fold.dataset, split, vocabulary, target=config.train.target)
        return rows, whole[[number[text] for text in rows.texts]]

    (train, x), (valid, x_valid), (test, x_test) = map(lay_out, ("train", "valid", "test"))
    scale = fit_scale(x)
    laid, laid_valid, laid_test = (
        design(rows.text_of.numpy(), len(rows.texts), rows.readers.double().numpy(), 0.0)
        for rows in (train, valid, test)
    )
    best, found = float("inf"), None
    chosen = None
    for penalty in penalties:  # strongest first: each fit starts near the next
        found = fit_softmax(scale(x).numpy(), laid, train.shares.double().numpy(), penalty, start=found)
        score = choice_score(scores(scale(x_valid).numpy(), laid_valid, found), valid)
        if score < best:
            best, chosen = score, found
    assert chosen is not None
    return Outcome(softmax(scores(scale(x_test).numpy(), laid_test, chosen)), chosen.size, len(penalties))


def judge_views(
    dataset: Dataset, views: Sequence[View], config: RunConfig, pretrained: Pretrained, penalties: Sequence[float],
    out: Path,
) -> tuple[list[str], list[float]]:  # fmt: skip
    """Table of all views on one data set, and each view's cross-entropy (mean over readers)."""
    texts = list(dict.fromkeys(row.text for row in pooled(dataset)))
    layers = sorted({view.layer for view in views})
    vectors = read_texts(texts, layers, pretrained, config, out)
    folds = make_folds(dataset)
    keep_rows = sorted(row for fold in folds for row in fold.held)
    systems: dict[str, list[Floats]] = {}
    for view in views:
        parts = []
        for fold in folds:
            place = out / f"{dataset.name}-layer-{view.layer}{'-sentence' * view.sentence}-fold-{fold.number}"
            facts = facts_of(view.name, config, fold, 0) | {"penalties": list(penalties)}

            def make(fold: Fold = fold, view: View = view) -> Outcome:
                return regress(fold, view, vectors, texts, config, penalties)

            parts.append((fold, keep(place, facts, make).shares))
        systems[view.name] = [join(parts, keep_rows)]
    judge = judge_of(dataset, keep_rows, config.train.target)
    surprise = [float(judge.means(CROSS_ENTROPY, systems[view.name])[0]) for view in views]
    best = views[int(np.argmin(surprise))].name
    lines = [f"{dataset.name}: {len(keep_rows)} rows of training and validation, {FOLDS} folds, {len(views)} variants "
             f"tried with {len(penalties)} penalties each.", "", *comparison(judge, systems, best, {})]  # fmt: skip
    return lines, surprise


def choose(views: Sequence[View], surprise: Mapping[str, Sequence[float]]) -> tuple[View, dict[View, float]]:
    """The view with the best mean rank over data sets; of equal ones the cheaper."""
    ranks = np.stack([np.argsort(np.argsort(values)) + 1 for values in surprise.values()]).mean(0)
    mean = {view: float(rank) for view, rank in zip(views, ranks, strict=True)}
    return min(mean, key=lambda view: (mean[view], view.layer, view.sentence)), mean


def main() -> None:
    """Run, print, write `table.md`."""
    made = options(__doc__)
    made.add_argument("--data", help="data sets, comma-separated; those of the settings by default")
    made.add_argument("overrides", nargs="*", help="KEY=VALUE of the backbone")
    chosen = made.parse_args()
    settings = yaml.safe_load(SETTINGS.read_text("utf-8"))
    names = chosen.data.split(",") if chosen.data else settings["data"]
    for name in names:
        if name not in settings["data"]:
            raise CalmError(
                "X05",
                "is no data set of this experiment.",
                field="--data",
                value=name,
                fix=f"use {', '.join(settings['data'])}.",
            )
    lines: list[str] = []
    surprise: dict[str, list[float]] = {}
    pretrained: Pretrained | None = None
    for name in names:
        recipe = read_recipe(name)
        config = build_config({"train": {"target": recipe.get("train", {}).get("target", "shares")}}, chosen.overrides)
        pretrained = pretrained or load_backbone(config)
        dataset = load(name, data_dir=chosen.data_dir)
        if name in settings["rows"]:  # a quarter of the training rows comes on top for validation
            dataset = sample_rows(dataset, settings["rows"][name] * 4 // 5)
        layers = [layer for layer in settings["layers"] if layer <= pretrained.lm.n_layers]
        joins = (False, True) if pretrained.encoder else (False,)
        views = [View(layer, sentence) for sentence in joins for layer in layers]
        table, surprise[name] = judge_views(dataset, views, config, pretrained, settings["penalties"], chosen.out)
        lines += [*table, ""]
        print("\n".join(table), "\n", flush=True)
    best, ranks = choose(views, surprise)
    verdict = [f"Mean rank by cross-entropy over {', '.join(names)}: "
               + ", ".join(f"{view.name} {rank:.1f}" for view, rank in sorted(ranks.items(), key=lambda p: p[1])),
               f"Choice: {best.name}."]  # fmt: skip
    write_text(chosen.out / "table.md", "\n".join([*lines, *verdict]) + "\n")
    print("\n".join(verdict))


if __name__ == "__main__":
    told(main)
