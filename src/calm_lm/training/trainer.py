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
    remove_checkpoints,
    restore_random_state,
    save_checkpoint,
)
from calm_lm.training.config import TrainConfig
from calm_lm.training.grounds import NOTHING, Grounds
from calm_lm.training.interruption import Interruption
from calm_lm.training.material import CachedViews, Rows
from calm_lm.training.metrics_log import WALL_CLOCK, MetricsLog
from calm_lm.training.objective import Targets, TrainingPass, objective, phase_of, without_dropped
from calm_lm.training.processes import Processes
from calm_lm.training.sampler import CultureBalancedSampler, PairedRows
from calm_lm.training.schedule import build_optimizer, learning_rate_share, set_learning_rate
from calm_lm.training.trainee import Trainee
from calm_lm.training.validation import validation_score

# step, steps in all, the newest losses (and `valid` after a validation)
Report = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one run learns from.

    Attributes:
        train, valid: rows; where `valid` is None or has no targets, the last weights are kept.
        views: cached states of all their texts.
        prompts: the encoded self-prompts.
        train_grounds, valid_grounds: evidence, None without a norm source.
        withheld_grounds: of the validation rows, as if the source knew less (see `Grounds`).
        sampler: draws the batches.
    """

    train: Rows
    valid: Rows | None
    views: CachedViews
    prompts: EncodedPrompts
    train_grounds: Grounds | None
    valid_grounds: Grounds | None
    withheld_grounds: Grounds | None
    sampler: CultureBalancedSampler


class Trainer:
    """Fits one model with one seed.

    Args:
        model: a fresh model; its network is trained in place.
        lora: LoRA parameters, empty for a frozen backbone.
        lesson: rows, views and batches.
        config: schedule, weights, stopping.
        folder: where checkpoints and the metrics log go.
        processes: those that share the run.
        report: told after every step, by the main process.
    """

    def __init__(
        self,
        model: CalmModel,
        lora: list[torch.nn.Parameter],
        lesson: Lesson,
        config: TrainConfig,
        folder: Path,
        processes: Processes,
        report: Report,
    ) -> None:
        self.model, self.lesson, self.config, self.folder, self.report = model, lesson, config, folder, report
        self.processes = processes
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
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}

    def fit(self, *, resume: bool) -> Progress:
        """Run to the end (or to early stopping) and leave the best weights in the model.

        Raises:
            KeyboardInterrupt: after Ctrl-C, once the running step is done and a checkpoint is written.
            CalmError: T04 when the loss is no number, T07, T10 to T12 when it cannot be resumed, F01 for the disk.
        """
        if resume:
            self._restore()
        self.processes.wait()  # until all have read what the main process may now remove
        if self.processes.main:
            remove_checkpoints(self.folder, unfinished_only=resume)
        path = self.folder / "metrics.jsonl" if self.processes.main else None
        with MetricsLog(path, self.progress.metrics_bytes) as log, Interruption() as interruption:
            while self.progress.step < self.total and not self.progress.stopped:
                self._advance(log)
                interrupted = self.processes.anywhere(interruption.asked)
                if interrupted or self.progress.step % self.config.checkpoint_every == 0:
                    self._checkpoint(log)
                if interrupted:
                    raise KeyboardInterrupt(f"stopped after step {self.progress.step}; --resume goes on from there.")
        if self.best:
            self._load_weights(self.best)
        self.network.eval()
        self.model.lm.train_lora(False)
        return self.progress

    def _advance(self, log: MetricsLog) -> None:
        """One step, and the validation that is due after it."""
        step = self.progress.step
        losses = self._step(step)
        self.progress.step = step + 1
        log.write({"step": step} | losses)
        if (step + 1) % self.every == 0 or step + 1 == self.total:
            losses |= self._evaluate(log)
        if self.processes.main:
            self.report(step + 1, self.total, losses)

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
        drawn = self.lesson.sampler.draw(step)
        phase = phase_of(step, self.total, self.config)
        grounds = self.lesson.train_grounds
        lent = drawn.rows if grounds is None else grounds.lend(drawn, self.lesson.sampler.seed, step)
        out = self._forward(drawn, lent, step, reflecting=phase.reflect)
        temperature = self.model.manifest.model.contrast_temperature
        targets = self._targets(drawn, out)
        loss, terms = objective(
            out, targets, self.config, phase, temperature, self._reflected(targets, drawn.rows, lent)
        )
        if not bool(torch.isfinite(loss)):
            raise CalmError(
                "T04",
                f"the loss is no number at step {step}.",
                file=self.folder,
                fix="lower train.learning_rate, then --resume from the last checkpoint.",
            )
        self.optimizer.zero_grad(set_to_none=True)
        # Each process has the gradient of its own rows; data-parallel training averages, and we want the sum.
        self.accelerator.backward(loss * self.processes.count)
        # What no loss reached is left alone, not decayed: one process has no gradient there, several have zeros.
        for parameter in self.trainee.parameters():
            if parameter.grad is not None and not bool(parameter.grad.any()):
                parameter.grad = None
        norm = self.accelerator.clip_grad_norm_(self.trainee.parameters(), self.config.clip)
        self.optimizer.step()
        record = {name: float(value.detach()) for name, value in {"loss": loss, **terms}.items()}
        return record | self._load(out) | {"gradient": float(norm), WALL_CLOCK: time.perf_counter() - started}

    def _forward(self, drawn: PairedRows, lent: Tensor, step: int, *, reflecting: bool) -> TrainingPass:
        """Compute this process's rows and join them with those of the others."""
        rows, model = self.lesson.train, self.model
        config = model.manifest.model
        temperature = gumbel_temperature(step, self.total, config.gumbel_start, config.gumbel_end)
        sizes = drawn.cut(self.processes.count)
        own = torch.split(drawn.rows, sizes)[self.processes.rank]
        numbers, text_of = torch.unique(rows.text_of[own], return_inverse=True)
        texts = self.lesson.views([rows.texts[i] for i in numbers.tolist()])
        evidence = None
        if reflecting and self.lesson.train_grounds is not None:
            cited = torch.split(lent, sizes)[self.processes.rank]
            evidence = self.lesson.train_grounds.evidence(cited, model, self.lesson.views)
        readers = rows.readers[own]
        out: TrainingPass = self.wrapped(texts, readers, text_of, temperature, evidence, 1 if reflecting else 0)
        given = {name: part for name, part in out._asdict().items() if part is not None}
        return out._replace(**{name: self.processes.join(part, sizes) for name, part in given.items()})

    def _targets(self, drawn: PairedRows, out: TrainingPass) -> Targets:
        rows = self.lesson.train
        at = drawn.rows
        parts = (rows.shares[at], rows.known[at], rows.cultures[at], drawn.partner)
        targets = Targets(*(part.to(out.draft.device) for part in parts))
        if self.model.manifest.contrast == "reader" and out.dropped is not None:
            return without_dropped(targets, out.dropped.to(targets.culture.device))
        return targets

    def _reflected(self, targets: Targets, own: Tensor, lent: Tensor) -> Targets:
        """What second answers should say: the targets of the rows whose evidence they were given, else their own."""
        rows, device = self.lesson.train, targets.shares.device
        at = torch.where(lent == NOTHING, own, lent)
        return targets._replace(shares=rows.shares[at].to(device), counts=rows.known[at].to(device))

    def _load(self, out: TrainingPass) -> dict[str, float]:
        """How evenly experts are used, 1 is even.

        Entropy of their share of chosen slots over the largest possible, and the least used expert's share times E.
        """
        experts = out.probabilities.size(-1)
        used = torch.nn.functional.one_hot(out.chosen, experts).float().mean((0, 2))  # [C, E]
        entropy = -(used * used.clamp_min(1e-9).log()).sum(-1) / math.log(max(experts, 2))
        return {"load_entropy": float(entropy.mean()), "load_least": float(used.min()) * experts}

    # -- evaluation, checkpoints ---------------------------------------------------------------------

    def _evaluate(self, log: MetricsLog) -> dict[str, float]:
        """Score the validation rows; once every part has been trained, remember the best weights."""
        if self.lesson.valid is None or not bool(self.lesson.valid.known.any()):
            return {}
        phase = phase_of(self.progress.step - 1, self.total, self.config)
        score = self.processes.agree(validation_score(self.model, self.lesson, reflecting=phase.reflect))
        log.write({"step": self.progress.step - 1, "valid": score})
        if phase != phase_of(self.total - 1, self.total, self.config):
            return {"valid": score}
        if score < self.progress.best:
            self.progress.best, self.progress.best_step, self.progress.waited = score, self.progress.step, 0
            self.best = self._weights()
        else:
            self.progress.waited += 1
            self.progress.stopped = 0 < self.config.patience <= self.progress.waited
        return {"valid": score}

    def _checkpoint(self, log: MetricsLog) -> None:
        self.progress.metrics_bytes = log.flush()
        tensors = {f"weights.{name}": value for name, value in self._weights().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adamw.{number}.{name}": value.detach().clone() for name, value in state.items()}
        count = self.processes.count
        for name, value in random_state().items():  # of every process, one below the other
            tensors[name] = self.processes.join(value, [len(value)] * count).view(count, -1)
        if self.processes.main:
            save_checkpoint(self.folder, Snapshot(tensors, self.progress))

    def _restore(self) -> None:
        """Go back to the newest complete checkpoint; without one the run starts over."""
        found = complete_checkpoints(self.folder)
        if not found:
            return
        snapshot = load_checkpoint(found[-1])
        random = _under(snapshot.tensors, "random.")
        if any(len(states) != self.processes.count for states in random.values()):
            raise CalmError(
                "T07",
                f"was written by another number of processes than {self.processes.count}.",
                file=found[-1],
                fix="launch as many processes as the run began with.",
            )
        self.progress = snapshot.progress
        self._load_weights(_under(snapshot.tensors, "weights."))
        self.best = _under(snapshot.tensors, "best.")
        optimizer: dict[str, Any] = self.optimizer.state_dict()
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _under(snapshot.tensors, "adamw.").items():
            number, _, key = name.partition(".")
            moments.setdefault(int(number), {})[key] = value
        self.optimizer.load_state_dict(optimizer | {"state": moments})
        restore_random_state({f"random.{name}": states[self.processes.rank].clone() for name, states in random.items()})

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
