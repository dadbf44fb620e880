"""A full disk and a folder that may not be written: one clear error, and what was there before still stands."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from calm_lm.errors import CalmError
from calm_lm.training.checkpoint import (
    Progress,
    Snapshot,
    complete_checkpoints,
    load_checkpoint,
    remove_checkpoints,
    save_checkpoint,
)
from calm_lm.training.run import fit_model, open_run, run_seeds, save_seed


def snapshot(step: int, size: int = 100) -> Snapshot:
    return Snapshot({"weights.w": torch.arange(size) * 1.0}, Progress(step=step, best=0.5, best_step=step - 1))


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    tensors = {
        "weights.a": torch.randn(3, 2), "adamw.0.step": torch.tensor(7.0), "best.b": torch.randn(2, 2).bfloat16(),
        "random.cpu": torch.get_rng_state().view(1, -1), "weights.count": torch.tensor([2**40]),
    }  # fmt: skip
    progress = Progress(step=12, best=0.25, best_step=8, waited=1, metrics_bytes=99, stopped=True)
    path = save_checkpoint(tmp_path, Snapshot(tensors, progress))
    back = load_checkpoint(path)
    assert back.progress == progress
    assert back.tensors.keys() == tensors.keys()
    assert all(torch.equal(back.tensors[name], value) for name, value in tensors.items())
    fresh = save_checkpoint(tmp_path, Snapshot({}, Progress(step=13)))
    assert load_checkpoint(fresh).progress.best == float("inf")


def test_only_the_newest_is_kept_and_only_whole_ones_count(tmp_path):
    for step in (3, 6, 9):
        save_checkpoint(tmp_path, snapshot(step))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000009"]
    newest = tmp_path / "checkpoint-00000009"
    for step, harm in ((10, "manifest"), (11, "tensors"), (12, "progress"), (13, "hash")):
        copy = tmp_path / f"checkpoint-{step:08d}"
        shutil.copytree(newest, copy)
        if harm == "manifest":
            (copy / "manifest.json").write_text("{")
        elif harm == "hash":
            (copy / "manifest.json").write_text('{"sha256": ["tensors.safetensors"]}')
        else:
            next(copy.glob(f"{harm}*")).unlink()
    (tmp_path / "checkpoint-00000014").write_text("a file")
    assert complete_checkpoints(tmp_path) == [newest]
    remove_checkpoints(tmp_path)
    assert complete_checkpoints(tmp_path) == []


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    path = save_checkpoint(tmp_path, snapshot(3))
    (path / "progress.json").write_text('{"step": 3, "best": null, "moon": 1}')
    with pytest.raises(CalmError, match=r"\[T10\]"):
        load_checkpoint(path)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 2 MiB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True)
    if not made or made.returncode:
        pytest.skip("needs to mount a small file system (root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("free", [0, 300, 40_000, 130_000])
def test_a_disk_that_fills_up_during_a_checkpoint(small_disk, free):
    """The disk has room for the tensors' start only, or for everything but the last small files."""
    before = save_checkpoint(small_disk, snapshot(3, 10_000))
    room = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"x" * (room.f_bavail * room.f_frsize - free // 4096 * 4096))
    with pytest.raises(CalmError) as caught:
        save_checkpoint(small_disk, snapshot(6, 100_000))
    assert caught.value.code == "F01"
    assert "No space left" in str(caught.value)
    assert sorted(path.name for path in small_disk.iterdir()) == [before.name, "filler"]
    assert load_checkpoint(complete_checkpoints(small_disk)[-1]).progress.step == 3
    (small_disk / "filler").unlink()
    save_checkpoint(small_disk, snapshot(6, 100_000))


class Full:
    """From call `first` on, every write to the disk fails."""

    def __init__(self, monkeypatch, first: int, error: int) -> None:
        self.calls, self.first, self.error = 0, first, error
        for owner, name in ((os, "fsync"), (os, "replace"), (os, "open"), (os, "mkdir")):
            monkeypatch.setattr(owner, name, self.wrap(getattr(owner, name)))

    def wrap(self, real):
        def call(*args, **kwargs):
            self.calls += 1
            if self.calls > self.first:
                raise OSError(self.error, os.strerror(self.error))
            return real(*args, **kwargs)

        return call


def why_not(taken: Snapshot, folder: Path) -> CalmError | None:
    try:
        save_checkpoint(folder, taken)
    except CalmError as error:
        return error
    return None


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_whatever_write_fails_the_checkpoint_before_it_stands(tmp_path, monkeypatch, error):
    save_checkpoint(tmp_path, snapshot(3))
    failed, first, refused = 0, 0, True
    while refused:
        with monkeypatch.context() as patch:
            Full(patch, first, error)
            refused = why_not(snapshot(6), tmp_path)
        if refused:
            assert refused.code == "F01"
            assert os.strerror(error) in str(refused)
            assert load_checkpoint(complete_checkpoints(tmp_path)[-1]).progress.step in (3, 6)
        failed, first = failed + bool(refused), first + 1
    assert failed >= 10
    save_checkpoint(tmp_path, snapshot(6))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000006"]


@pytest.mark.parametrize("first", [0, 12, 60])
def test_a_run_on_a_full_disk_ends_in_one_error_and_can_be_resumed(world, pretrained, tmp_path, monkeypatch, first):
    config, data, folder = (
        world.tiny_config("train.epochs=1", "train.checkpoint_every=1"),
        world.tiny_dataset(),
        tmp_path,
    )
    fit_model(config, data, pretrained, seed=0, folder=folder / "warm")  # states are on the disk
    with monkeypatch.context() as patch:
        Full(patch, first, errno.ENOSPC)
        with pytest.raises(CalmError) as caught:
            save_seed(fit_model(config, data, pretrained, seed=0, folder=folder / "run"), folder / "run")
    assert caught.value.code == "F01"
    save_seed(fit_model(config, data, pretrained, seed=0, folder=folder / "run", resume=True), folder / "run")
    save_seed(fit_model(config, data, pretrained, seed=0, folder=folder / "whole"), folder / "whole")
    resumed, whole = ((folder / name / "model" / "model.safetensors").read_bytes() for name in ("run", "whole"))
    assert resumed == whole


def test_a_cache_that_cannot_be_written_is_one_error(world, pretrained, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(CalmError, match=r"\[F01\].*cache"):
        fit_model(world.tiny_config(), world.tiny_dataset(), pretrained, seed=0, folder=tmp_path / "run")


def test_a_run_folder_on_a_read_only_disk(world, small_disk, saved_lm):
    config = world.tiny_config(f"backbone.name={saved_lm}")
    open_run(small_disk / "run", config, world.tiny_dataset(), resume=False)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for run, resume in (("run", True), ("new", False)):
        with pytest.raises(CalmError, match=r"\[F01\].*Read-only"):
            run_seeds(config, world.tiny_dataset(), small_disk / run, [0], resume=resume)
