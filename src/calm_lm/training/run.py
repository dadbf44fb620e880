"""A run: one data set, one configuration, one or more seeds, and a folder that says how it came about."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from calm_lm import __version__
from calm_lm.data.example import Dataset
from calm_lm.errors import CalmError
from calm_lm.files import disk_errors, read_json, sha256_bytes, sync_folder, write_json, write_text
from calm_lm.lm.cache import cache_folder
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.lm.sentence import MeanPoolEncoder
from calm_lm.model.batch import TextBatch
from calm_lm.model.calm import CalmModel, weights_of
from calm_lm.model.config import Sizes
from calm_lm.model.layers import weighted_mean
from calm_lm.model.loop import EncodedPrompts
from calm_lm.model.manifest import CalmManifest, Provenance
from calm_lm.model.network import CalmNetwork
from calm_lm.model.norms import NormSource
from calm_lm.model.storage import attach_lora, load_pretrained
from calm_lm.training.checkpoint import remove_checkpoints
from calm_lm.training.config import RunConfig, TrainConfig
from calm_lm.training.finish import finish
from calm_lm.training.grounds import Grounds
from calm_lm.training.material import CachedViews, Progress, Rows, Vocabulary, build_rows
from calm_lm.training.probe import fit_probe, frozen_features
from calm_lm.training.processes import Processes
from calm_lm.training.sampler import CultureBalancedSampler, Units, nearest_same_culture
from calm_lm.training.trainer import Lesson, Report, Trainer


@dataclass(frozen=True, slots=True)
class Pretrained:
    """The two pretrained models, loaded once for all seeds and baselines."""

    lm: HuggingFaceLM
    encoder: MeanPoolEncoder | None


def load_backbone(config: RunConfig, notify: Callable[[str], None] | None = None) -> Pretrained:
    """Load what `config.backbone` names."""
    return Pretrained(*load_pretrained(config.backbone, notify))


def processes_of(config: RunConfig) -> Processes:
    """The processes that share runs of this configuration."""
    return Processes(cpu=config.backbone.device == "cpu")


def cached_views(config: RunConfig, pretrained: Pretrained) -> CachedViews:
    """The store of states that this configuration reads: at the read layer, or below the first adapted one."""
    backbone = config.backbone
    read = backbone.layer_to_read(pretrained.lm.n_layers)
    layer = backbone.adapt_layers[0] if backbone.adapt_layers else read
    folder = cache_folder() / "states"
    return CachedViews(pretrained.lm, pretrained.encoder, layer, backbone.max_length, folder)


def new_model(
    config: RunConfig, dataset: Dataset, vocabulary: Vocabulary, pretrained: Pretrained, *, evidence: bool
) -> CalmModel:
    """A model before its first step, with or without a part that reads norm records.

    Randomness comes from torch's global generator.
    """
    lm, encoder = pretrained.lm, pretrained.encoder
    sizes = Sizes(
        d_model=lm.d_model,
        d_sentence=encoder.d_embed if encoder else 0,
        n_labels=len(vocabulary.labels),
        n_readers=len(vocabulary.readers),
        n_cultures=len(vocabulary.cultures),
        evidence=evidence,
    )
    backbone, sentence = weights_of(lm, encoder)
    provenance = Provenance(
        dataset=dataset.name, rows=len(dataset.splits["train"]), licences=dataset.licences, citation=dataset.citation,
        files=dataset.files, offensive=dataset.offensive, notes=dataset.notes,
    )  # fmt: skip
    manifest = CalmManifest(
        model=config.model, sizes=sizes, backbone=config.backbone, backbone_weights=backbone,
        sentence_weights=sentence, labels=vocabulary.labels, positive=dataset.positive, readers=vocabulary.readers,
        cultures=vocabulary.cultures, contrast=dataset.contrast, provenance=provenance,
    )  # fmt: skip
    return CalmModel(manifest, CalmNetwork(config.model, sizes).to(lm.device), lm, encoder)


def fit_model(
    config: RunConfig,
    dataset: Dataset,
    pretrained: Pretrained,
    *,
    seed: int,
    folder: Path,
    norms: NormSource | None = None,
    resume: bool = False,
    progress: Progress = lambda what, done, total: None,
    report: Report = lambda step, total, losses: None,
) -> CalmModel:
    """Train one model with one seed; checkpoints and the metrics log go to `folder`.

    Raises:
        CalmError: T03 without training rows, T05 when layers adapt and evidence is asked for together, T13 for norms
            where no row has a reader.
    """
    if norms is not None and config.backbone.adapt_layers:
        raise CalmError(
            "T05", "evidence is encoded by the frozen backbone only.", field="backbone.adapt_layers",
            fix="train without LoRA, or without a norm source.",
        )  # fmt: skip
    processes = processes_of(config)
    vocabulary = Vocabulary.of(dataset, readers=config.readers)
    if norms is not None and not vocabulary.readers:
        raise CalmError(
            "T13", "norm records are those of a row's reader, and no reader enters this model: none would be cited.",
            field="norms", fix="train without norms, or with readers.",
        )  # fmt: skip
    train = build_rows(dataset, "train", vocabulary, target=config.train.target)
    valid = None
    if dataset.splits.get("valid"):
        valid = build_rows(dataset, "valid", vocabulary, target=config.train.target)
    torch.manual_seed(seed)
    model = new_model(config, dataset, vocabulary, pretrained, evidence=norms is not None)
    model.norms = norms
    cited = [(train, False), (valid, False), (valid if model.network.vote is not None else None, True)]
    grounds = [Grounds(rows, model, withhold=less) if norms and rows else None for rows, less in cited]
    wanted = [*train.texts, *(valid.texts if valid else ()), *(s for g in grounds if g for s in g.phrases)]
    with processes.main_first():  # one process reads the texts, the others find their states on the disk
        views = cached_views(config, pretrained)
        views.prepare(wanted, progress)
        prompts = EncodedPrompts(model.prompts, _prompt_views(config, pretrained, model, progress))
    _fit_scales(model, views, train, config)
    if model.network.probe is not None:
        fit_probe(model.network.probe, frozen_features(model, views), train, valid)
    lora = attach_lora(pretrained.lm, config.backbone, seed=seed) if config.backbone.adapt_layers else []
    sampler = build_sampler(config, dataset, train, views, seed)
    lesson = Lesson(train, valid, views, prompts, grounds[0], grounds[1], grounds[2], sampler)
    trainer = Trainer(model, lora, lesson, _without_contrast(config, sampler), folder, processes, report)
    processes.part_ways(seed)
    trainer.fit(resume=resume)
    finish(model, lesson)
    return model


def _prompt_views(config: RunConfig, pretrained: Pretrained, model: CalmModel, progress: Progress) -> TextBatch:
    """Self-prompts are read by the unadapted backbone, at the read layer, once."""
    frozen = config.model_copy(update={"backbone": config.backbone.model_copy(update={"adapt_layers": None})})
    views = cached_views(frozen, pretrained)
    views.prepare(model.prompts.texts, progress)
    return views(model.prompts.texts)


def _fit_scales(model: CalmModel, views: CachedViews, train: Rows, config: RunConfig) -> None:
    """Measure the spread of states on (at most 2,000) training texts, with the untouched backbone."""
    texts = train.texts[:: max(1, len(train.texts) // 2_000)]
    tokens, pooled = [], []
    with torch.inference_mode():
        for start in range(0, len(texts), 64):
            batch = model.adapt(views(texts[start : start + 64]))
            tokens.append(batch.tokens[batch.mask])
            pooled.append(model.network.pool_texts(batch))
        model.network.scale.fit(torch.cat(tokens))
        model.network.pooled_scale.fit(torch.cat(pooled))
        if model.network.sizes.d_sentence:
            model.network.sentence_scale.fit(views.sentence_views(texts))


def build_sampler(
    config: RunConfig, dataset: Dataset, train: Rows, views: CachedViews, seed: int
) -> CultureBalancedSampler:
    """Texts with their rows; similar texts are found by the sentence view, or the mean state without one."""
    rows: list[list[int]] = [[] for _ in train.texts]
    for row, text in enumerate(train.text_of.tolist()):
        rows[text].append(row)
    cultures = [[int(train.cultures[row]) for row in members] for members in rows]
    names = [train.examples[members[0]].group for members in rows]
    number = {name: i for i, name in enumerate(dict.fromkeys(names))}
    groups = [number[name] for name in names]
    contrast = config.train.weights.contrast > 0 and len({c for part in cultures for c in part if c >= 0}) > 1
    neighbours: list[list[int]] = [[] for _ in rows]
    if contrast:
        similar = _similarity_views(views, train.texts)
        neighbours = nearest_same_culture(similar, cultures, groups, config.train.neighbours)
    units = Units(rows, cultures, groups, neighbours)
    return CultureBalancedSampler(
        units, config.train.batch_rows, balance=config.train.balance, seed=seed, contrast=contrast
    )


def _similarity_views(views: CachedViews, texts: Sequence[str]) -> Tensor:
    if views.sentences is not None:
        return views.sentence_views(texts)
    batches = [views(texts[start : start + 256]) for start in range(0, len(texts), 256)]
    return torch.cat([weighted_mean(batch.tokens, batch.mask) for batch in batches]).cpu()


def _without_contrast(config: RunConfig, sampler: CultureBalancedSampler) -> TrainConfig:
    """The schedule, with the contrastive window off where the rows have fewer than two cultures.

    Raises:
        CalmError: T08 when no other loss has a weight.
    """
    if sampler.contrast:
        return config.train
    weights = config.train.weights.model_copy(update={"contrast": 0.0})
    if not any((weights.task, weights.decouple, weights.balance, weights.dispatch)):
        raise CalmError(
            "T08", "the rows have fewer than two cultures, and no other loss has a weight.", field="train.weights",
            fix="raise train.weights.task, or add rows of another culture.",
        )  # fmt: skip
    return config.train.model_copy(update={"weights": weights})


# -- the folder of a run -----------------------------------------------------------------------------


def open_run(folder: Path, config: RunConfig, dataset: Dataset, *, resume: bool) -> None:
    """Make a run's folder and its `config.yaml`, or check that a resumed run is the same run.

    Raises:
        CalmError: T30 when the folder already holds a run, T31 when a resumed run's configuration or data differ,
            T32 when its `config.yaml` is damaged.
    """
    declared = {"licences": list(dataset.licences), "offensive": dataset.offensive}
    data = {"name": dataset.name, "sha256": data_hash(dataset)} | declared
    facts = {"config": config.model_dump(mode="json"), "data": data}
    path = folder / "config.yaml"
    if path.exists():
        if not resume:
            raise CalmError(
                "T30", "holds a run already.", file=folder, fix="add --resume to go on, or choose another --out."
            )
        if _read_facts(path) != facts:
            raise CalmError(
                "T31", "was begun with another configuration or other data.", file=path,
                fix="resume with the same, or choose another --out.",
            )  # fmt: skip
        return
    write_text(path, yaml.safe_dump(facts, sort_keys=False, allow_unicode=True))


def _read_facts(path: Path) -> Any:
    try:
        with disk_errors(path):
            return yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CalmError("T32", "is damaged.", file=path, fix="restore it, or choose another --out.") from error


def data_hash(dataset: Dataset) -> str:
    """sha256 over everything a run reads of its rows."""
    lines = [repr((split, row)) for split, rows in sorted(dataset.splits.items()) for row in rows]
    return sha256_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))


def save_seed(model: CalmModel, folder: Path) -> None:
    """Put the finished model in place in one step."""
    part = folder / ".model.part"
    with disk_errors(folder):
        shutil.rmtree(part, ignore_errors=True)
        model.save_pretrained(part)
        shutil.rmtree(folder / "model", ignore_errors=True)
        part.replace(folder / "model")
        sync_folder(folder)
    remove_checkpoints(folder)


def write_manifest(folder: Path, dataset: Dataset, seconds: dict[str, float], started: float) -> None:
    """`manifest.json`: what ran, on what, with which data, and how long each part took."""
    previous: dict[str, Any] = read_json(folder / "manifest.json") if (folder / "manifest.json").exists() else {}
    write_json(
        folder / "manifest.json",
        {
            "calm_lm": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            "threads": torch.get_num_threads(),
            "dataset": {
                "name": dataset.name, "sha256": data_hash(dataset), "files": dataset.files,
                "licences": list(dataset.licences), "citation": dataset.citation, "notes": list(dataset.notes),
                "rows": {split: len(rows) for split, rows in dataset.splits.items()},
            },
            "seconds": previous.get("seconds", {}) | {name: round(value, 3) for name, value in seconds.items()},
            "seeds": sorted(int(p.parent.name.removeprefix("seed-")) for p in folder.glob("seed-*/model")),
            "wall_clock": round(time.time() - started, 3),
        },
    )  # fmt: skip


def run_seeds(
    config: RunConfig,
    dataset: Dataset,
    folder: Path,
    seeds: Sequence[int],
    *,
    resume: bool = False,
    norms: NormSource | None = None,
    progress: Progress = lambda what, done, total: None,
    report: Callable[[int], Report] = lambda seed: lambda step, total, losses: None,
) -> list[CalmModel]:
    """Train one model per seed into `folder/seed-N`; finished seeds of a resumed run are loaded, not repeated."""
    started = time.time()
    processes = processes_of(config)
    if processes.main:
        open_run(folder, config, dataset, resume=resume)
    with processes.main_first():
        pretrained = load_backbone(config, lambda line: progress(line, 0, 0))
    models: list[CalmModel] = []
    seconds: dict[str, float] = {}
    for seed in seeds:
        place = folder / f"seed-{seed}"
        if (place / "model" / "config.json").exists():
            models.append(CalmModel.from_pretrained(place / "model", local_files_only=config.backbone.local_files_only))
            continue
        begun = time.perf_counter()
        model = fit_model(
            config, dataset, pretrained, seed=seed, folder=place, norms=norms, resume=resume, progress=progress,
            report=report(seed),
        )  # fmt: skip
        if processes.main:
            save_seed(model, place)
        processes.wait()
        seconds[f"seed-{seed}"] = time.perf_counter() - begun
        models.append(model)
        if config.backbone.adapt_layers:  # the next seed starts from the untouched backbone
            pretrained = load_backbone(config)
    if processes.main:
        write_manifest(folder, dataset, seconds, started)
    return models
