"""Two processes that share a run follow one process; only the main one writes."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
import torch
from safetensors.torch import load

from calm_lm.training.processes import Processes

COMPARED = (
    "loss",
    "valid",
    "task",
    "reflect",
    "contrast_explicit",
    "contrast_latent",
    "decouple",
    "balance",
    "dispatch",
)


def same_course(workshop: Any, one: str, two: str, steps: int) -> None:
    """Losses and weights agree at relative 1e-5.

    In double precision: in single precision AdamW divides the rounding errors of nearly zero gradients by their own
    size, and two orders of summation part after a few steps although both are right.
    """
    (weights, log), (shared_weights, shared_log) = workshop.result(one), workshop.result(two)
    assert len([line for line in log if "loss" in line]) == steps
    assert [line.keys() for line in log] == [line.keys() for line in shared_log]
    for a, b in zip(log, shared_log, strict=True):
        for name in a.keys() & set(COMPARED):
            assert b[name] == pytest.approx(a[name], rel=1e-5), (a["step"], name)
    tensors, shared = load(weights), load(shared_weights)
    assert tensors.keys() == shared.keys()
    for name, value in tensors.items():
        assert value.dtype == torch.float64
        torch.testing.assert_close(shared[name], value, rtol=1e-5, atol=1e-9, msg=lambda m, name=name: f"{name}: {m}")


def written(workshop: Any, name: str) -> set[str]:
    return {path.name for path in (workshop.folder / name / "seed-0").iterdir()}


def test_two_processes_share_a_run_and_write_it_once(world, workshop):
    job = {"overrides": ["train.epochs=1", "train.checkpoint_every=1", *world.QUIET], "float64": True}
    assert workshop.run("one", **job)["ranks"] == 1
    assert workshop.run("two", ranks=2, **job)["ranks"] == 2
    same_course(workshop, "one", "two", 4)
    assert written(workshop, "two") == {"model", "metrics.jsonl"}
    assert json.loads((workshop.folder / "two" / "manifest.json").read_text())["seeds"] == [0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["frozen", "lora", "uneven"])
def test_two_processes_follow_one_over_fifty_steps(world, workshop, kind):
    steps = {"frozen": 52, "lora": 52, "uneven": 52}[kind]
    overrides = ["train.epochs=13", "train.checkpoint_every=10", "train.learning_rate=0.001", *world.QUIET]
    if kind == "lora":
        overrides += [*world.LORA[:2], "backbone.lora_dropout=0", "train.lora_learning_rate=0.001"]
    if kind == "uneven":
        overrides += ["train.batch_rows=16"]
    job = {"overrides": overrides, "float64": True, "uneven": kind == "uneven"}
    assert workshop.run(f"one-{kind}", **job)["error"] is None
    assert workshop.run(f"two-{kind}", ranks=2, **job)["ranks"] == 2
    same_course(workshop, f"one-{kind}", f"two-{kind}", steps)


def test_a_shared_run_with_noise_resumes_to_the_same_bytes(workshop):
    """Each process has random numbers of its own, and they go on where they were."""
    job = {"overrides": ["train.epochs=2", "train.checkpoint_every=2"], "ranks": 2}
    workshop.run("whole", **job)
    stopped = workshop.run("stopped", **job, interrupt=4)
    assert stopped["error"].startswith("interrupted: stopped after step 5")
    assert workshop.run("stopped", **(job | {"ranks": 1}), resume=True)["error"] == "T07"
    assert workshop.run("stopped", **job, resume=True)["error"] is None
    assert workshop.result("stopped") == workshop.result("whole")
    workshop.run("alone", **(job | {"ranks": 1}))
    assert workshop.result("alone") != workshop.result("whole")


def test_too_few_texts_to_share_are_an_error(workshop):
    ended = workshop.run("few", overrides=["train.batch_rows=4", "train.weights.contrast=0"], ranks=2)
    assert ended["error"] == "T06"


def test_one_process_alone():
    alone = Processes(cpu=True)
    rows = torch.randn(3, 2, requires_grad=True)
    assert (alone.main, alone.count) == (True, 1)
    assert alone.join(rows, [3]) is rows
    assert alone.agree(0.1) == 0.1
    assert alone.anywhere(True)
    assert not alone.anywhere(False)
    before = torch.get_rng_state()
    alone.part_ways(3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["ddp", "fsdp2", "deepspeed"])
def test_accelerate_reads_the_launch_files(name):
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    path = resources.files("calm_lm.training") / "launch" / f"{name}.yaml"
    config = load_config_from_file(str(path))
    assert config.distributed_type.value == {"ddp": "MULTI_GPU", "fsdp2": "FSDP", "deepspeed": "DEEPSPEED"}[name]
    arguments = launch_command_parser().parse_args(["--config_file", str(path), "-m", "calm_lm.cli.main", "train"])
    arguments, _, _ = _validate_launch_command(arguments)
    assert arguments.num_processes == 2
    assert arguments.multi_gpu == (name == "ddp")
    assert arguments.use_deepspeed == (name == "deepspeed")
    if name == "fsdp2":
        assert str(arguments.fsdp_version) == "2"
