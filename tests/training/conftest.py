"""The tiny world as fixtures; `tiny_world.py` is loaded by path because child processes use it too."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.training.material import CachedViews
from calm_lm.training.metrics_log import WALL_CLOCK
from calm_lm.training.run import Pretrained

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tensors of a few hundred numbers: a second thread costs more than it brings."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def world() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tiny_world", HERE / "tiny_world.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    """An empty cache folder for every test of this room."""
    monkeypatch.setenv("CALM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def lm(world) -> HuggingFaceLM:
    return world.tiny_lm()


@pytest.fixture
def pretrained(lm) -> Pretrained:
    return Pretrained(lm, None)


@pytest.fixture
def views(lm, tmp_path) -> Callable[..., CachedViews]:
    """Cached views in a folder of this test; the same folder each time unless told otherwise."""

    def make(*, layer: int = 3, max_length: int = 128, of: HuggingFaceLM | None = None) -> CachedViews:
        return CachedViews(of or lm, None, layer, max_length, tmp_path / "states")

    return make


@pytest.fixture
def saved_lm(world, tmp_path) -> str:
    return str(world.save_lm(tmp_path / "backbone"))


class Workshop:
    """Runs training in forks of one warmed-up process (`run_child.py`)."""

    def __init__(self, folder: Path, backbone: Path) -> None:
        self.folder, self.backbone, self.count = folder, backbone, 0
        threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        command = [sys.executable, str(HERE / "run_child.py")]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | threads
        )
        assert self.process.stdout.readline() == "ready\n"

    def run(self, name: str, **job: Any) -> dict[str, Any]:
        """Train into `folder/name`; keys: overrides, resume, ranks, kill, interrupt, cache, float64, uneven."""
        self.count += 1
        answer = self.folder / f"answer-{self.count}.json"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        whole = {
            "folder": str(self.folder / name), "cache": str(self.folder / "cache"), "backbone": str(self.backbone),
            "overrides": [], "resume": False, "answer": str(answer), "ranks": 1, "port": port,
        } | job  # fmt: skip
        self.process.stdin.write(json.dumps(whole) + "\n")
        self.process.stdin.flush()
        ended = json.loads(self.process.stdout.readline())
        assert ended["code"] in (None, 0), "the child failed, its traceback is on stderr"
        return ended | (json.loads(answer.read_text()) if answer.exists() else {})

    def result(self, name: str) -> tuple[bytes, list[dict[str, Any]]]:
        """Weights, and the metrics log without the clock."""
        seed = self.folder / name / "seed-0"
        lines = [json.loads(line) for line in (seed / "metrics.jsonl").read_text().splitlines()]
        for line in lines:
            line.pop(WALL_CLOCK, None)
        return (seed / "model" / "model.safetensors").read_bytes(), lines


@pytest.fixture(scope="session")
def workshop(world, tmp_path_factory) -> Iterator[Workshop]:
    folder = tmp_path_factory.mktemp("workshop")
    shop = Workshop(folder, world.save_lm(folder / "backbone"))
    yield shop
    shop.process.stdin.close()
    shop.process.wait(30)
