"""The training loop: draw, encode, answer, reflect, step; evaluate, keep the best, checkpoint, resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor

from calm_lm.errors import CalmError
from calm_lm.model.calm import CalmModel
from calm_lm.model.clusters import gumbel_temperature
from calm_lm.model.loop import EncodedPrompts
from calm_lm.training.checkpoint import (
    Progress,
    Snapshot,
    complete_checkpoints,
    load_checkpoint,
    random_state,
    restore_random_state,
    save_checkpoint,
)
from calm_lm.training.config import TrainConfig
from calm_lm.training.gather import Gather
from calm_lm.training.grounds import Grounds
from calm_lm.training.material import CachedViews, Rows
from calm_lm.training.metrics_log import WALL_CLOCK, MetricsLog
from calm_lm.training.objective import Targets, TrainingPass, objective, phase_of
from calm_lm.training.sampler import CultureBalancedSampler, PairedRows
from calm_lm.training.schedule import build_optimizer, learning_rate_share, set_learning_rate
from calm_lm.training.trainee import Trainee
from calm_lm.training.validation import validation_score

Report = Callable[[int, int, dict[str, float]], None]  # step, steps in all, the newest losses


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one run learns from.

    Attributes:
        train, valid: rows; `valid` may be None, then the last weights are kept.
        views: cached states of all their texts.
        prompts: the encoded self-prompts.
        train_grounds, valid_grounds: evidence, None without a norm source.
        sampler: draws the batches.
    """

    train: Rows
    valid: Rows | None
    views: CachedViews
    prompts: EncodedPrompts
    train_grounds: Grounds | None
    valid_grounds: Grounds | None
    sampler: CultureBalancedSampler


class Trainer:
    """Fits one model with one seed.

    Args:
        model: a fresh model; its network is trained in place.
        lora: LoRA parameters, empty for a frozen backbone.
        lesson: rows, views and batches.
        config: schedule, weights, stopping.
        folder: where checkpoints and the metrics log go.
        report: told after every step.
    """

    def __init__(
        self,
        model: CalmModel,
        lora: list[torch.nn.Parameter],
        lesson: Lesson,
        config: TrainConfig,
        folder: Path,
        report: Report,
    ) -> None:
        self.model, self.lesson, self.config, self.folder, self.report = model, lesson, config, folder, report
        self.total = max(1, math.ceil(config.epochs * lesson.sampler.steps_per_epoch))
        self.every = max(1, self.total // config.evaluations)
        on_cpu = model.manifest.backbone.device == "cpu"
        # Before reflection starts its gate has no gradient, which data-parallel runs must be told.
        self.accelerator = Accelerator(
            cpu=on_cpu, kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)]
        )
        self.trainee = Trainee(model, lora, lesson.prompts)
        optimizer = build_optimizer(model.network, lora, config)
        self.wrapped, self.optimizer = self.accelerator.prepare(self.trainee, optimizer)
        self.gather = Gather()
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}

    def fit(self, *, resume: bool) -> Progress:
        """Run to the end (or to early stopping) and leave the best weights in the model."""
        if resume:
            self._restore()
        log = MetricsLog(self.folder / "metrics.jsonl", self.progress.metrics_bytes)
        while self.progress.step < self.total and not self.progress.stopped:
            step = self.progress.step
            losses = self._step(step)
            self.progress.step = step + 1
            log.write({"step": step} | losses)
            self.report(step + 1, self.total, losses)
            if (step + 1) % self.every == 0 or step + 1 == self.total:
                self._evaluate(log)
            if (step + 1) % self.config.checkpoint_every == 0:
                self._checkpoint(log)
        if self.best:
            self._load_weights(self.best)
        log.close()
        self.network.eval()
        return self.progress

    @property
    def network(self) -> torch.nn.Module:
        """The trained stages."""
        return self.model.network

    # -- one step ------------------------------------------------------------------------------------

    def _step(self, step: int) -> dict[str, float]:
        started = time.perf_counter()
        self.trainee.train()
        self.model.lm.train_lora(True)
        set_learning_rate(self.optimizer, learning_rate_share(step, self.total, self.config.warmup))
        drawn = self.lesson.sampler.draw(step * self.gather.count + self.gather.rank)
        phase = phase_of(step, self.total, self.config)
        out = self._forward(drawn, step, reflecting=phase.reflect)
        temperature = self.model.manifest.model.contrast_temperature
        loss, terms = objective(out, self._targets(drawn), self.config, phase, temperature, self.gather)
        if not bool(torch.isfinite(loss)):
            raise CalmError(
                "T04",
                f"the loss is no number at step {step}.",
                file=self.folder,
                fix="lower train.learning_rate, then --resume from the last checkpoint.",
            )
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.trainee.parameters(), self.config.clip)
        self.optimizer.step()
        record = {"loss": float(loss)} | {name: float(value) for name, value in terms.items()}
        return record | self._load(out) | {"gradient": float(norm), WALL_CLOCK: time.perf_counter() - started}

    def _forward(self, drawn: PairedRows, step: int, *, reflecting: bool) -> TrainingPass:
        rows, model = self.lesson.train, self.model
        config = model.manifest.model
        temperature = gumbel_temperature(step, self.total, config.gumbel_start, config.gumbel_end)
        numbers, text_of = torch.unique(rows.text_of[drawn.rows], return_inverse=True)
        texts = self.lesson.views([rows.texts[i] for i in numbers.tolist()])
        evidence = None
        if reflecting and self.lesson.train_grounds is not None:
            evidence = self.lesson.train_grounds.evidence(drawn.rows, model, self.lesson.views, temperature)
        readers = rows.readers[drawn.rows]
        out: TrainingPass = self.wrapped(texts, readers, text_of, temperature, evidence, 1 if reflecting else 0)
        return out

    def _targets(self, drawn: PairedRows) -> Targets:
        rows = self.lesson.train
        at = drawn.rows
        return Targets(rows.shares[at], rows.known[at], rows.cultures[at], drawn.partner)

    def _load(self, out: TrainingPass) -> dict[str, float]:
        """How evenly experts are used: entropy of their share of chosen slots over the largest possible, and the
        least used expert's share times E (1 is even, 0 is collapse)."""
        chosen = out.encoding.routing.chosen
        experts = out.encoding.routing.probabilities.size(-1)
        used = torch.nn.functional.one_hot(chosen, experts).float().mean((0, 2))  # [C, E]
        entropy = -(used * used.clamp_min(1e-9).log()).sum(-1) / math.log(max(experts, 2))
        return {"load_entropy": float(entropy.mean()), "load_least": float(used.min()) * experts}

    # -- evaluation, checkpoints ---------------------------------------------------------------------

    def _evaluate(self, log: MetricsLog) -> None:
        """Score the validation rows; once every part has been trained, remember the best weights."""
        if self.lesson.valid is None:
            return
        phase = phase_of(self.progress.step, self.total, self.config)
        complete = phase.task and (phase.reflect or self.config.weights.reflect == 0)
        score = validation_score(self.model, self.lesson, reflecting=phase.reflect)
        log.write({"step": self.progress.step - 1, "valid": score})
        if not complete:
            return
        if score < self.progress.best:
            self.progress.best, self.progress.best_step, self.progress.waited = score, self.progress.step, 0
            self.best = self._weights()
        else:
            self.progress.waited += 1
            self.progress.stopped = 0 < self.config.patience <= self.progress.waited

    def _checkpoint(self, log: MetricsLog) -> None:
        self.progress.metrics_bytes = log.flush()
        if not self.accelerator.is_main_process:
            return
        tensors = {f"weights.{name}": value for name, value in self._weights().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adamw.{number}.{name}": value.detach().clone() for name, value in state.items()}
        save_checkpoint(self.folder, Snapshot(tensors | random_state(), self.progress))

    def _restore(self) -> None:
        """Go back to the newest complete checkpoint; without one the run starts over."""
        found = complete_checkpoints(self.folder)
        if not found:
            return
        snapshot = load_checkpoint(found[-1])
        self.progress = snapshot.progress
        self._load_weights(_under(snapshot.tensors, "weights."))
        self.best = _under(snapshot.tensors, "best.")
        optimizer: dict[str, Any] = self.optimizer.state_dict()
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _under(snapshot.tensors, "adamw.").items():
            number, _, key = name.partition(".")
            moments.setdefault(int(number), {})[key] = value
        self.optimizer.load_state_dict(optimizer | {"state": moments})
        restore_random_state(snapshot.tensors)

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self.trainee.state_dict().items()}

    def _load_weights(self, weights: dict[str, Tensor]) -> None:
        try:
            self.trainee.load_state_dict(weights, strict=True)
        except RuntimeError as error:
            raise CalmError(
                "T11",
                "the checkpoint's weights do not fit this configuration.",
                file=self.folder,
                fix="resume with the configuration the run began with, or choose another --out.",
            ) from error


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
