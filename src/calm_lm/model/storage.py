"""Saving and loading a CALM model: `config.json`, `model.safetensors`, a model card, and no pickle anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError
from safetensors.torch import save
from torch import Tensor

from calm_lm.errors import CalmError, show
from calm_lm.files import disk_errors, read_json, sha256_bytes, sha256_file, write_bytes, write_json, write_text
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.lm.sentence import MeanPoolEncoder
from calm_lm.model.card import model_card
from calm_lm.model.config import BackboneConfig
from calm_lm.model.manifest import CalmManifest, Weights
from calm_lm.model.network import CalmNetwork
from calm_lm.model.tensors import AGAIN, Kind, read_kinds, read_tensors, refuse_other_kinds

if TYPE_CHECKING:
    from calm_lm.model.calm import CalmModel

LORA = "lora."
NETWORK = "network."
CONFIG_LIMIT = 16 << 20  # bytes


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

    Nothing is allocated before every tensor's name, type and shape agree with `config.json`.

    Raises:
        CalmError: F01, F02 for unreadable files, M10 no such model, M11, M18, M25 no valid `config.json`, M12
            tensors that are not those of `config.json`, M13 to M16, M19, M20, M26, M27 damaged, missing, extra,
            misshapen or senseless tensors, M17 other backbone weights, M21 to M23 another backbone's shape, L01 to
            L33 a backbone that cannot be had.
    """
    from calm_lm.model.calm import CalmModel

    folder = _folder(source, revision, local_files_only)
    manifest, digest = _read_manifest(folder)
    path = folder / "model.safetensors"
    with torch.device("meta"):
        network = CalmNetwork(manifest.model, manifest.sizes)
    kinds = read_kinds(path)
    refuse_other_kinds(path, kinds, network.state_dict(), NETWORK)
    _check_lora(path, kinds, manifest.backbone)
    _check_digest(path, digest)
    tensors = read_tensors(path)
    network.load_state_dict(_part(tensors, NETWORK), strict=True, assign=True)
    _check_spreads(path, network)
    lm, encoder = load_pretrained(manifest.backbone.model_copy(update=_moved(device, local_files_only)), notify)
    _same_weights(folder, manifest.backbone_weights, Weights.of(lm.identity))
    if manifest.sentence_weights and encoder:
        _same_weights(folder, manifest.sentence_weights, Weights.of(encoder.identity))
    if manifest.backbone.adapt_layers:
        attach_lora(lm, manifest.backbone, seed=0)
        refuse_other_kinds(path, kinds, lm.lora_state(), LORA)
        lm.load_lora_state(_part(tensors, LORA))
    network.to(lm.device).eval()
    return CalmModel(manifest, network, lm, encoder)


def load_pretrained(
    config: BackboneConfig, notify: Callable[[str], None] | None
) -> tuple[HuggingFaceLM, MeanPoolEncoder | None]:
    """The backbone and the sentence encoder that a `BackboneConfig` names."""
    lm = HuggingFaceLM.load(
        config.name,
        revision=config.revision,
        device=config.device,
        dtype=config.dtype,
        local_files_only=config.local_files_only,
        notify=notify,
    )
    if config.sentence is None:
        return lm, None
    encoder = MeanPoolEncoder.load(config.sentence, local_files_only=config.local_files_only, notify=notify)
    return lm, encoder


def attach_lora(lm: HuggingFaceLM, config: BackboneConfig, *, seed: int) -> list[torch.nn.Parameter]:
    """Put LoRA on the adapted layers of a `BackboneConfig`; returns what is trained."""
    assert config.adapt_layers is not None
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
        CalmError: D8x from the licence gate, before anything is written or sent; M29 when the hub refuses.
    """
    import tempfile

    from huggingface_hub import HfApi

    from calm_lm.data.licences import gate

    gate(model.manifest.provenance.licences, accept=accept_licence)
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, Path(folder))
        try:
            api = HfApi()
            api.create_repo(name, private=private, exist_ok=True)
            return str(api.upload_folder(repo_id=name, folder_path=folder))
        # All that happens here happens at the hub, and the client raises its transport's own errors, whose class
        # changes with its version; the model was saved before, so that no mistake of ours is taken for the hub's.
        except Exception as error:
            raise CalmError(
                "M29", f"the hub did not take the model ({show(str(error).splitlines()[0] if str(error) else '')}).",
                value=name, fix="log in with `hf auth login`, write the name as OWNER/MODEL, and try again.",
            ) from error  # fmt: skip


def _moved(device: str | None, local_files_only: bool) -> dict[str, Any]:
    moved: dict[str, Any] = {"local_files_only": local_files_only}
    return moved if device is None else moved | {"device": device}


def _folder(source: str | Path, revision: str | None, local_files_only: bool) -> Path:
    """A local folder, or the hub's copy of one (only the two files that are read, and the card)."""
    folder = Path(source)
    with disk_errors(folder):
        if folder.is_dir():
            return folder
    problem = "is no folder of a saved model"
    if str(source).count("/") == 1 and not str(source).startswith((".", "/")):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError

        files = ["config.json", "model.safetensors", "README.md"]
        try:
            found = snapshot_download(
                str(source), revision=revision, allow_patterns=files, local_files_only=local_files_only
            )
            return Path(found)
        except (HfHubHTTPError, OSError, ValueError) as error:
            problem += f", and the hub{' cache' if local_files_only else ''} did not give one ({type(error).__name__})"
    raise CalmError("M10", problem + ".", file=source, fix="name the folder that holds config.json.")


def _read_manifest(folder: Path) -> tuple[CalmManifest, str]:
    path = folder / "config.json"
    with disk_errors(path):
        is_file = path.is_file()
        if not is_file or path.stat().st_size > CONFIG_LIMIT:
            problem = "is too large for a model's config." if is_file else "is missing, or no file."
            raise CalmError("M25", problem, file=path, fix="name the folder of a saved model.")
    config = read_json(path)
    digest = config.pop("weights_sha256", None) if isinstance(config, dict) else None
    try:
        if not isinstance(digest, str):
            raise ValueError("weights_sha256 is missing")
        return CalmManifest.model_validate_json(json.dumps(config), strict=True), digest
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or None
        problem = f"is no CALM model's config ({first['msg']})."
        raise CalmError("M11", problem, file=path, field=field, fix=AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise CalmError("M18", f"is no CALM model's config ({error}).", file=path, fix=AGAIN) from error


def _check_digest(path: Path, digest: str) -> None:
    with disk_errors(path):
        if sha256_file(path) != digest:
            raise CalmError("M12", "is not the file that config.json was saved with.", file=path, fix=AGAIN)


def _check_lora(path: Path, kinds: dict[str, Kind], config: BackboneConfig) -> None:
    """LoRA tensors only where layers adapt, and of the rank that will be allocated; names are judged later."""
    has_lora = False
    for name, kind in kinds.items():
        if name.startswith(NETWORK):
            continue
        if not config.adapt_layers or not name.startswith(LORA):
            raise CalmError("M20", "a tensor belongs to no part.", file=path, field=name, fix=AGAIN)
        if config.lora_rank not in kind.shape:
            raise CalmError("M26", f"LoRA's rank is not {config.lora_rank}.", file=path, field=name, fix=AGAIN)
        has_lora = True
    if config.adapt_layers and not has_lora:
        raise CalmError("M28", "LoRA's tensors are missing.", file=path, fix=AGAIN)


def _check_spreads(path: Path, network: CalmNetwork) -> None:
    """States are divided by these."""
    for name in ("scale", "pooled_scale", "sentence_scale"):
        if not bool((getattr(network, name).std > 0).all()):
            raise CalmError("M27", "a spread is not above zero.", file=path, field=f"{NETWORK}{name}.std", fix=AGAIN)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _same_weights(folder: Path, saved: Weights, here: Weights) -> None:
    if saved.fingerprint != here.fingerprint:
        raise CalmError(
            "M17",
            f"was trained on other weights of {show(saved.name)} (fingerprint {saved.fingerprint[:12]}, here "
            f"{here.fingerprint[:12]}).",
            file=folder,
            fix="use the same revision of the pretrained model, or train again on this one.",
        )
