"""Saving and loading a CALM model: `config.json`, `model.safetensors`, a model card, and no pickle anywhere."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from calm_lm.errors import CalmError
from calm_lm.files import read_json, sha256_bytes, sha256_file, write_bytes, write_json, write_text
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.lm.sentence import MeanPoolEncoder
from calm_lm.model.card import model_card
from calm_lm.model.manifest import CalmManifest, Weights
from calm_lm.model.network import CalmNetwork

if TYPE_CHECKING:
    from calm_lm.model.calm import CalmModel

LORA = "lora."
NETWORK = "network."


def model_tensors(model: CalmModel) -> dict[str, Tensor]:
    """Everything trained, by the name it has in `model.safetensors`."""
    tensors = {NETWORK + name: value for name, value in model.network.state_dict().items()}
    if model.manifest.backbone.adapt_layers:
        tensors |= {LORA + name: value for name, value in model.lm.lora_state().items()}
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def save_model(model: CalmModel, folder: Path) -> None:
    """Write tensors and card first and `config.json`, which names the tensors' sha256, last.

    Raises:
        CalmError: F01 when the disk is full or the folder may not be written.
    """
    data = save(model_tensors(model))
    write_bytes(folder / "model.safetensors", data)
    write_text(folder / "README.md", model_card(model.manifest))
    config = model.manifest.model_dump(mode="json") | {"weights_sha256": sha256_bytes(data)}
    write_json(folder / "config.json", config)


def load_model(
    source: str | Path,
    *,
    revision: str | None,
    local_files_only: bool,
    device: str | None,
    notify: Callable[[str], None] | None,
) -> CalmModel:
    """Rebuild a saved model, refusing whatever is not exactly what was saved.

    Raises:
        CalmError: M10 no such model, M11 a `config.json` that is none, M12 tensors that are not those of
            `config.json`, M13 to M16 damaged, missing, extra or misshapen tensors, M17 other backbone weights.
    """
    from calm_lm.model.calm import CalmModel

    folder = _folder(source, revision, local_files_only)
    manifest, digest = _read_manifest(folder)
    path = folder / "model.safetensors"
    if not path.is_file() or sha256_file(path) != digest:
        raise CalmError(
            "M12", "is not the file that config.json was saved with.", file=path, fix="copy or train the model again."
        )
    with torch.device("meta"):
        network = CalmNetwork(manifest.model, manifest.sizes)
    tensors = _read_tensors(path)
    own = {name.removeprefix(NETWORK): value for name, value in tensors.items() if name.startswith(NETWORK)}
    _check(path, own, network.state_dict())
    lora = {name.removeprefix(LORA): value for name, value in tensors.items() if name.startswith(LORA)}
    _refuse_extra(path, tensors, bool(manifest.backbone.adapt_layers))
    network.load_state_dict(own, strict=True, assign=True)
    lm, encoder = load_pretrained(manifest.backbone.model_copy(update=_moved(device, local_files_only)), notify)
    _same_weights(folder, manifest.backbone_weights, Weights.of(lm.identity))
    if manifest.sentence_weights and encoder:
        _same_weights(folder, manifest.sentence_weights, Weights.of(encoder.identity))
    if manifest.backbone.adapt_layers:
        attach_lora(lm, manifest.backbone, seed=0)
        lm.load_lora_state(lora)
    network.to(manifest.backbone.device if device is None else device).eval()
    return CalmModel(manifest, network, lm, encoder)


def load_pretrained(config: Any, notify: Callable[[str], None] | None) -> tuple[HuggingFaceLM, MeanPoolEncoder | None]:
    """The backbone and the sentence encoder that a `BackboneConfig` names."""
    lm = HuggingFaceLM.load(
        config.name,
        revision=config.revision,
        device=config.device,
        dtype=config.dtype,
        local_files_only=config.local_files_only,
        notify=notify,
    )
    encoder = None if config.sentence is None else MeanPoolEncoder.load(config.sentence)
    return lm, encoder


def attach_lora(lm: HuggingFaceLM, config: Any, *, seed: int) -> list[torch.nn.Parameter]:
    """Put LoRA on the adapted layers of a `BackboneConfig`; returns what is trained."""
    first, last = config.adapt_layers
    return lm.add_lora(
        range(first, last),
        r=config.lora_rank,
        alpha=config.lora_alpha,
        dropout=config.lora_dropout,
        targets=config.lora_targets,
        seed=seed,
    )


def push_model(model: CalmModel, name: str, *, private: bool, accept_licence: bool) -> str:
    """Upload a saved copy to the hub and return its address.

    Raises:
        CalmError: D8x from the licence gate, before anything is written or sent.
    """
    import tempfile

    from huggingface_hub import HfApi

    from calm_lm.data.licences import gate

    gate(model.manifest.provenance.licences, accept=accept_licence)
    api = HfApi()
    api.create_repo(name, private=private, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, Path(folder))
        return str(api.upload_folder(repo_id=name, folder_path=folder))


def _moved(device: str | None, local_files_only: bool) -> dict[str, Any]:
    moved: dict[str, Any] = {"local_files_only": local_files_only}
    return moved if device is None else moved | {"device": device}


def _folder(source: str | Path, revision: str | None, local_files_only: bool) -> Path:
    """A local folder, or the hub's copy of one (only the two files that are read, and the card)."""
    folder = Path(source)
    if folder.is_dir():
        return folder
    problem = "is no folder of a saved model"
    if not local_files_only and str(source).count("/") == 1 and not str(source).startswith((".", "/")):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError

        try:
            files = ["config.json", "model.safetensors", "README.md"]
            return Path(snapshot_download(str(source), revision=revision, allow_patterns=files))
        except (HfHubHTTPError, OSError, ValueError) as error:
            problem += f", and the hub did not give one ({type(error).__name__})"
    raise CalmError("M10", problem + ".", file=source, fix="name the folder that holds config.json.")


def _read_manifest(folder: Path) -> tuple[CalmManifest, str]:
    path = folder / "config.json"
    config = read_json(path)
    digest = config.pop("weights_sha256", None) if isinstance(config, dict) else None
    try:
        if not isinstance(digest, str):
            raise ValueError("weights_sha256 is missing")
        return CalmManifest.model_validate_json(json.dumps(config)), digest
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or None
        problem = f"is no CALM model's config ({first['msg']})."
        raise CalmError("M11", problem, file=path, field=field, fix="copy or train the model again.") from error
    except (ValueError, RecursionError) as error:
        raise CalmError(
            "M18", f"is no CALM model's config ({error}).", file=path, fix="copy or train the model again."
        ) from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as tensors:
            return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError) as error:
        problem = f"is not a safetensors file ({str(error)[:80]})."
        raise CalmError("M13", problem, file=path, fix="copy or train the model again.") from error


def _check(path: Path, found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Every expected tensor with its shape, dtype and finite numbers, and no other."""
    for name, shape in expected.items():
        value = found.get(name)
        if value is None:
            raise CalmError("M14", "a tensor is missing.", file=path, field=name, fix="copy or train it again.")
        if value.shape != shape.shape or value.dtype != shape.dtype:
            kind = f"{value.dtype} {tuple(value.shape)}, expected {shape.dtype} {tuple(shape.shape)}"
            raise CalmError("M15", f"a tensor is {kind}.", file=path, field=name, fix="copy or train it again.")
        if value.is_floating_point() and not math.isfinite(float(value.double().abs().sum())):
            raise CalmError("M19", "a tensor holds NaN or infinity.", file=path, field=name, fix="train it again.")
    for name in found:
        if name not in expected:
            raise CalmError("M16", "a tensor does not belong.", file=path, field=name, fix="copy or train it again.")


def _refuse_extra(path: Path, tensors: dict[str, Tensor], has_lora: bool) -> None:
    for name in tensors:
        if not name.startswith(NETWORK) and not (has_lora and name.startswith(LORA)):
            raise CalmError("M20", "a tensor belongs to no part.", file=path, field=name, fix="copy or train it again.")


def _same_weights(folder: Path, saved: Weights, here: Weights) -> None:
    if saved.fingerprint != here.fingerprint:
        raise CalmError(
            "M17",
            f"was trained on other weights of {saved.name} (fingerprint {saved.fingerprint[:12]}, here "
            f"{here.fingerprint[:12]}).",
            file=folder,
            fix="use the same revision of the pretrained model, or train again on this one.",
        )
