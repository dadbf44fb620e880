"""From a model's name to the folder of its files, and to the identity of what lies in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from calm_lm.errors import CalmError
from calm_lm.files import read_json, sha256_bytes
from calm_lm.lm.cache import recorded_sha256
from calm_lm.lm.embedded import EMBEDDED, MANIFEST, Notify
from calm_lm.lm.protocol import ModelIdentity
from calm_lm.lm.quiet import quiet_libraries

WANTED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "README.md"]
UNWANTED = ["onnx/*", "openvino/*", "original/*", "*/*.safetensors"]
UNDECLARED = "undeclared"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model's files on this machine, under the name the user gave."""

    path: Path
    name: str
    revision: str | None


def find_model(name: str, *, revision: str | None, local_files_only: bool, notify: Notify) -> ModelFolder:
    """The folder of a local path, or of a hub name, downloaded if need be (safetensors only, never pickles).

    Raises:
        CalmError: L03 for a path that is not a folder, L04 when the hub cannot give the model.
    """
    path, is_folder, is_path = _look_up(name)
    if is_folder:
        return ModelFolder(path, name, None)
    if is_path:
        raise CalmError("L03", "there is no such model folder.", file=name, fix="give a folder, or a name on the hub.")
    from huggingface_hub import snapshot_download

    try:
        with quiet_libraries():
            if not local_files_only:
                notify(f"Fetching {name} from the hub, unless it is cached ...")
            found = snapshot_download(
                name,
                revision=revision,
                allow_patterns=WANTED,
                ignore_patterns=UNWANTED,
                local_files_only=local_files_only,
            )
    except (OSError, ValueError) as error:  # the hub's own errors are all one of the two
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[0].encode("unicode_escape").decode("ascii")
        raise CalmError(
            "L04",
            f"the model is neither a folder, nor in the local cache, nor to be had from the hub ({reason}).",
            value=name,
            fix="check the name and revision, connect and log in (`hf auth login`) if it is gated, or give a folder.",
        ) from error
    return ModelFolder(Path(found), name, Path(found).name)


def find_and_identify(
    name: str, *, embedded: Callable[[], Path], revision: str | None, local_files_only: bool, notify: Notify
) -> tuple[ModelFolder, ModelIdentity]:
    """The folder of a local path, of a hub name or of what `embedded` makes, and who the model is.

    Raises:
        CalmError: as `find_model` and `identify_folder`, and what `embedded` raises.
    """
    if name == EMBEDDED:
        folder = ModelFolder(embedded(), EMBEDDED, None)
        return folder, replace(identify_folder(folder), languages=("en",), licence="Apache-2.0")
    folder = find_model(name, revision=revision, local_files_only=local_files_only, notify=notify)
    return folder, identify_folder(folder)


def _look_up(name: str) -> tuple[Path, bool, bool]:
    """The path a name may be, whether a folder is there, and whether it can be nothing but a path."""
    try:
        path = Path(name).expanduser()
        return path, path.is_dir(), path.is_absolute() or name.startswith(".") or name.count("/") > 1 or path.exists()
    except (OSError, RuntimeError):  # too long, not to be entered, or the home of nobody
        return Path(name), False, True


def identify_folder(folder: ModelFolder) -> ModelIdentity:
    """Name, fingerprint, languages and licence of a model folder.

    The fingerprint is the SHA-256 over the lines `file name, SHA-256` of every safetensors file and of
    `tokenizer.json`, sorted by name. Checksums come from the manifest of a converted model, else from the
    files, remembered between runs.

    Raises:
        CalmError: L05 where the folder has no safetensors weights.
    """
    names = sorted(path.name for path in folder.path.glob("*.safetensors"))
    if not names:
        raise CalmError(
            "L05",
            "there are no safetensors weights (pickled weights are never read).",
            file=folder.path,
            fix="give a folder that holds config.json, tokenizer.json and *.safetensors.",
        )
    if (folder.path / "tokenizer.json").is_file():
        names.append("tokenizer.json")
    if (folder.path / MANIFEST).is_file():
        files = read_json(folder.path / MANIFEST)["files"]
        checksums = {name: str(files[name]["sha256"]) for name in names}
    else:
        checksums = {name: recorded_sha256(folder.path / name) for name in names}
    lines = "".join(f"{name} {checksums[name]}\n" for name in names)
    card = _read_card(folder.path)
    return ModelIdentity(
        name=folder.name,
        revision=folder.revision,
        fingerprint=sha256_bytes(lines.encode()),
        languages=_as_texts(card.get("language")),
        licence=next(iter(_as_texts(card.get("license"))), UNDECLARED),
    )


def identify_tensors(name: str, tensors: Mapping[str, Tensor], tokenizer_json: str) -> ModelIdentity:
    """The identity of a model that was never a file: the fingerprint is over its tensors, in order of name."""
    parts = [tokenizer_json.encode()]
    for key in sorted(tensors):
        tensor = tensors[key].detach().cpu().contiguous()
        parts.append(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        parts.append(tensor.flatten().view(torch.uint8).numpy().tobytes())
    lines = "\n".join(sha256_bytes(part) for part in parts)
    return ModelIdentity(name, None, sha256_bytes(lines.encode()), (), UNDECLARED)


def _read_card(folder: Path) -> dict[str, Any]:
    """The front matter of a model card; nothing where there is none or it is not readable as YAML."""
    import yaml
    from huggingface_hub import metadata_load

    if not (folder / "README.md").is_file():
        return {}
    try:
        return metadata_load(folder / "README.md") or {}
    except (OSError, ValueError, yaml.YAMLError):
        return {}


def _as_texts(value: object) -> tuple[str, ...]:
    """A field of a model card, which may be one text or a list of them."""
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, Sequence) else ()
