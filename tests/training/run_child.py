"""A warmed-up process that forks training runs: one process or several, to their end or killed at a numbered point.

Jobs come as JSON lines on stdin, answers leave as JSON lines on stdout. Points are counted over everything
that touches the disk (before, half-way through, after) and over the training steps.
"""

# ruff: noqa: T201  (answers leave on stdout)
from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path

import torch
from accelerate.state import AcceleratorState
from tiny_world import drop_rows, save_lm, tiny_config, tiny_dataset, tiny_lm

import calm_lm.files
from calm_lm.errors import CalmError
from calm_lm.training import metrics_log, run, tensor_files, trainer


class Points:
    """Counts points; at point `kill_at` the process ends itself as `kill -9` would."""

    def __init__(self, kill_at: int | None) -> None:
        self.kill_at, self.seen = kill_at, []

    def here(self, name: str) -> bool:
        """Whether this is the point; a caller that has something to half-do does it and then calls `die`."""
        self.seen.append(name)
        return len(self.seen) - 1 == self.kill_at

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, owner, attribute, name, half=None) -> None:
        real = getattr(owner, attribute)

        def patched(*args, **kwargs):
            if self.here(f"{name} before"):
                self.die()
            if half is not None and self.here(f"{name} inside"):
                half(real, *args, **kwargs)
                self.die()
            result = real(*args, **kwargs)
            if self.here(f"{name} after"):
                self.die()
            return result

        setattr(owner, attribute, patched)


def half_tensors(real, tensors, path, metadata=None) -> None:
    real(tensors, path, metadata=metadata)
    os.truncate(path, Path(path).stat().st_size // 2)


def half_bytes(real, part, data) -> None:
    real(part, data[: len(data) // 2])


def half_line(real, log, record) -> None:
    line = json.dumps(record).encode()
    os.write(log._file.fileno(), line[: len(line) // 2])


def half_removal(real, path, ignore_errors=False) -> None:
    for entry in sorted(Path(path).glob("*"))[:1]:
        entry.unlink()


def install(points: Points) -> None:
    points.wrap(os, "replace", "rename")
    points.wrap(os, "fsync", "fsync")
    points.wrap(tensor_files, "save_file", "tensors", half_tensors)
    points.wrap(calm_lm.files, "_store", "file", half_bytes)
    points.wrap(metrics_log.MetricsLog, "write", "line", half_line)
    points.wrap(shutil, "rmtree", "removal", half_removal)
    points.wrap(trainer.Trainer, "_step", "step")


def use_float64() -> None:
    """Everything that is trained in double precision, where sums in another order differ by 1e-16 and not by 1e-7."""
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    real = run.load_backbone

    def load(*args):
        pretrained = real(*args)
        pretrained.lm.model.double()
        return pretrained

    run.load_backbone = load


def interrupt_at(wanted: int) -> None:
    real = trainer.Trainer._step

    def interrupted(self, step):
        if step == wanted:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, step)

    trainer.Trainer._step = interrupted


def work(job: dict) -> dict:
    os.environ["CALM_CACHE"] = job["cache"]
    points = Points(job.get("kill"))
    install(points)
    if job.get("interrupt") is not None:
        interrupt_at(job["interrupt"])
    if job.get("float64"):
        use_float64()
    data = drop_rows(tiny_dataset()) if job.get("uneven") else tiny_dataset()
    answer = {"points": points.seen, "error": None, "ranks": 1}
    try:
        config = tiny_config(f"backbone.name={job['backbone']}", *job["overrides"])
        run.run_seeds(config, data, Path(job["folder"]), [0], resume=job["resume"])
    except CalmError as error:
        answer["error"] = error.code
    except KeyboardInterrupt as error:
        answer["error"] = f"interrupted: {error}"
    if torch.distributed.is_initialized():
        answer["ranks"] = torch.distributed.get_world_size()
        torch.distributed.destroy_process_group()
    return answer


def fork(job: dict, rank: int) -> int:
    child = os.fork()
    if child:
        return child
    code = 0
    try:
        if job["ranks"] > 1:  # what a launcher announces
            os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(job["ranks"])}
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(job["port"])}
        answer = work(job)
        if rank == 0:
            Path(job["answer"]).write_text(json.dumps(answer))
    except BaseException:
        traceback.print_exc()
        code = 1
    os._exit(code)


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:  # imports everything and starts every library once
        os.environ["CALM_CACHE"] = f"{folder}/cache"
        config = tiny_config(f"backbone.name={save_lm(Path(folder) / 'lm')}", "train.epochs=1")
        pretrained = run.Pretrained(tiny_lm(), None)
        run.fit_model(config, tiny_dataset(), pretrained, seed=0, folder=Path(folder) / "run")
        AcceleratorState._reset_state(True)
    print("ready", flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        statuses = [os.waitpid(child, 0)[1] for child in [fork(job, rank) for rank in range(job["ranks"])]]
        died = next((os.WTERMSIG(status) for status in statuses if os.WIFSIGNALED(status)), None)
        print(json.dumps({"signal": died, "code": None if died else max(map(os.WEXITSTATUS, statuses))}), flush=True)


if __name__ == "__main__":
    main()
