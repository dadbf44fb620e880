"""Judging a run: CALM, every baseline and the controls, on the same rows with the same draws."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from calm_lm.baselines.backbone import untouched
from calm_lm.baselines.protocol import BaselineInput
from calm_lm.baselines.registry import applicable, get_baseline
from calm_lm.data.example import Dataset
from calm_lm.evaluation.controls import shuffle_votes
from calm_lm.evaluation.metrics import CROSS_ENTROPY
from calm_lm.evaluation.moderation import moderation_scores, swap_scores
from calm_lm.evaluation.scores import Judge
from calm_lm.evaluation.slices import slice_scores
from calm_lm.evaluation.system import Answers, answer_split, judged_rows, other_readers
from calm_lm.evaluation.truth import Truth
from calm_lm.model.calm import CalmModel
from calm_lm.model.norms import NormSource
from calm_lm.training.config import RunConfig
from calm_lm.training.grounds import Grounds
from calm_lm.training.material import CachedViews, Progress, Rows, Vocabulary, build_rows
from calm_lm.training.run import Pretrained, cached_views, fit_model

Floats = npt.NDArray[np.float64]


class Evaluation:
    """Everything measured on one split of one data set.

    Args:
        models: CALM by seed.
        config: of the run.
        dataset: whose `split` is judged; baselines are fitted on its `train`.
        split: `test`, `valid` or another.
        norms: the norm source reflection may cite.
        progress: told what takes long.
    """

    def __init__(
        self,
        models: Mapping[int, CalmModel],
        config: RunConfig,
        dataset: Dataset,
        split: str,
        *,
        norms: NormSource | None = None,
        progress: Progress = lambda what, done, total: None,
    ) -> None:
        self.models, self.config, self.dataset, self.split = dict(models), config, dataset, split
        self.norms, self.progress = norms, progress
        first = next(iter(self.models.values()))
        self.rows = judged_rows(first, dataset, split, target=config.train.target)
        role = dataset.contrast if not first.manifest.readers else "reader"
        self.truth = Truth.of(self.rows, role, dataset.positive)
        self.judge = Judge(self.truth)
        self.pretrained = Pretrained(first.lm, first.encoder)
        self.views = cached_views(config, self.pretrained)
        self.views.prepare(self.rows.texts, progress)
        self.answers: dict[int, Answers] = {seed: self._answer(model) for seed, model in self.models.items()}
        self.left_out: dict[str, str] = {}
        self.systems: dict[str, list[Floats]] = {"calm": [answer.shares for answer in self.answers.values()]}

    def _answer(self, model: CalmModel, readers: Tensor | None = None) -> Answers:
        """A model's answers, with the norms of the readers it is told."""
        grounds = None
        if self.norms is not None:
            model.norms = self.norms
            grounds = Grounds(self.rows, model, readers)
            self.views.prepare(grounds.phrases, self.progress)
        return answer_split(model, self.rows, self.views, grounds, readers=readers)

    def add_baselines(self, names: Sequence[str]) -> None:
        """Fit baselines on the training rows, with every seed of the run where chance enters."""
        if not names:
            return
        vocabulary = Vocabulary.of(self.dataset, readers=True)
        target = self.config.train.target
        train = build_rows(self.dataset, "train", vocabulary, target=target)
        has_valid = bool(self.dataset.splits.get("valid"))
        valid = build_rows(self.dataset, "valid", vocabulary, target=target) if has_valid else None
        rows = build_rows(self.dataset, self.split, vocabulary, target=target)
        views = self._frozen_views()
        with untouched(self.pretrained.lm, self.config.backbone):
            views.prepare([*train.texts, *(valid.texts if valid else ()), *rows.texts], self.progress)
        given = BaselineInput(
            self.dataset, vocabulary, train, valid, views, self.config, self.pretrained, self.progress
        )
        kept, self.left_out = applicable(names, given)
        for done, name in enumerate(kept):
            self.progress("fitting baselines", done, len(kept))
            baseline = get_baseline(name)
            seeds = sorted(self.models) if baseline.seeds else [0]
            self.systems[name] = [baseline.fit(given, seed)(rows) for seed in seeds]
        self.progress("fitting baselines", len(kept), len(kept))

    def _frozen_views(self) -> CachedViews:
        backbone = self.config.backbone.model_copy(update={"adapt_layers": None})
        return cached_views(self.config.model_copy(update={"backbone": backbone}), self.pretrained)

    def permuted_reader(self) -> dict[str, Any]:
        """CALM with every row read as another reader, and what that costs."""
        wrong = [self._answer(model, other_readers(self.rows, seed)).shares for seed, model in self.models.items()]
        self.systems["permuted_reader"] = wrong
        return {"metrics": self.judge.score(wrong), "paired": self.judge.compare(self.systems["calm"], wrong)}

    def shuffled_votes(self) -> dict[str, Any]:
        """What knowing the reader gains over culture-blind CALM, on the real votes and on shuffled ones."""
        real = self._gain(self.dataset, self.rows)
        null = [self._gain_shuffled(seed) for seed in range(len(self.models))]
        return {"gain": real, "null": null, "metric": CROSS_ENTROPY.name, "unit": "nats saved over culture-blind CALM"}

    def _gain(self, dataset: Dataset, rows: Rows) -> float:
        judge = Judge(Truth.of(rows, "reader", dataset.positive), replicates=10)
        blind = [self._retrain(dataset, rows, seed, readers=False) for seed in self.models]
        return float(judge.means(CROSS_ENTROPY, blind)[0] - judge.means(CROSS_ENTROPY, self.systems["calm"])[0])

    def _gain_shuffled(self, shuffle: int) -> float:
        dataset = shuffle_votes(self.dataset, shuffle)
        seed = sorted(self.models)[shuffle % len(self.models)]
        rows = build_rows(dataset, self.split, Vocabulary.of(dataset, readers=True), target=self.config.train.target)
        judge = Judge(Truth.of(rows, "reader", dataset.positive), replicates=10)
        knowing, blind = (self._retrain(dataset, rows, seed, readers=readers) for readers in (True, False))
        return float(judge.means(CROSS_ENTROPY, [blind])[0] - judge.means(CROSS_ENTROPY, [knowing])[0])

    def _retrain(self, dataset: Dataset, rows: Rows, seed: int, *, readers: bool) -> Floats:
        config = self.config.model_copy(update={"readers": readers})
        with tempfile.TemporaryDirectory() as folder, untouched(self.pretrained.lm, self.config.backbone):
            model = fit_model(config, dataset, self.pretrained, seed=seed, folder=Path(folder), progress=self.progress)
        own = judged_rows(model, dataset, self.split, target=config.train.target)
        return answer_split(model, own, self.views, None).shares

    def result(self) -> dict[str, Any]:
        """The JSON of `calm evaluate`, without manifest and optional controls."""
        calm = self.systems["calm"]
        others = {name: systems for name, systems in self.systems.items() if name not in ("calm", "permuted_reader")}
        first = next(iter(self.models.values()))
        result: dict[str, Any] = {
            "dataset": self.dataset.name,
            "split": self.split,
            "rows": len(self.rows.examples),
            "groups": self.truth.shape[0],
            "cultures": list(self.truth.names),
            "seeds": sorted(self.models),
            "metrics": self.judge.score(calm),
            "drafts": self.judge.score([answer.drafts for answer in self.answers.values()]),
            "revised": float(np.mean([answer.revised.mean() for answer in self.answers.values()])),
            "baselines": {name: self.judge.score(systems) for name, systems in others.items()},
            "paired": {name: self.judge.compare(calm, systems) for name, systems in others.items()},
            "slices": slice_scores(self.dataset.slices, self.rows.examples, self.truth, {"calm": calm} | others),
            "left_out": self.left_out,
            "controls": {},
        }
        if len(first.manifest.readers) > 1:  # an only reader can be exchanged for nobody
            result["controls"]["permuted_reader"] = self.permuted_reader()
        if self.dataset.offensive and len(self.dataset.labels) == 2:
            result["moderation"] = moderation_scores(calm, self.rows, self.truth)
            result["moderation"]["identity_swap"] = swap_scores(first, self.rows, self.views, self.progress)
        return result
