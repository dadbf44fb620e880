"""A pretrained model with an adapter in PEFT's layout merged into its weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from calm_lm.errors import CalmError
from calm_lm.files import read_json, sha256_bytes, sha256_file
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.lm.quiet import quiet_libraries

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"  # the pickled adapter_model.bin of old versions is never read


def load_adapted(
    folder: Path, *, device: str = "cpu", dtype: str = "float32", local_files_only: bool = False
) -> HuggingFaceLM:
    """The base model that an adapter names, with the adapter merged.

    Args:
        folder: of `adapter_config.json` and `adapter_model.safetensors`; the base may be `embedded`.
        device: as torch names it.
        dtype: number type of the merged weights.
        local_files_only: never ask the hub.

    Raises:
        CalmError: L61 for a folder that is no adapter, L63 for one without a base, L62 for weights that do not fit it;
            what loading raises.
    """
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise CalmError(
                "L61", f"is no adapter: it has no {name}.", file=folder,
                fix="give a folder in PEFT's layout, saved as safetensors.",
            )  # fmt: skip
    config = read_json(folder / CONFIG)
    base = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if not isinstance(base, str) or not base:
        raise CalmError(
            "L63", "names no base model.", file=folder / CONFIG, field="base_model_name_or_path", value=base,
            fix="write the base model's name, or embedded.",
        )  # fmt: skip
    lm = HuggingFaceLM.load(base, device=device, dtype=dtype, local_files_only=local_files_only)
    from peft import PeftModel, get_peft_model_state_dict

    try:
        with quiet_libraries():
            adapted = PeftModel.from_pretrained(lm.model, str(folder), is_trainable=False)
            _check_names(folder / WEIGHTS, get_peft_model_state_dict(adapted, save_embedding_layers=False))
            merged = adapted.merge_and_unload()
    except Exception as error:  # files may be damaged in any way; the cause is named and kept
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise CalmError(
            "L62", f"the adapter does not fit its base ({lines[0][:200]}).", file=folder,
            fix="name the base it was trained on, or restore its files.",
        ) from error  # fmt: skip
    parts = (lm.identity.fingerprint, sha256_file(folder / WEIGHTS), sha256_file(folder / CONFIG))
    identity = replace(
        lm.identity, name=f"{lm.identity.name}+{folder.name}", fingerprint=sha256_bytes(" ".join(parts).encode())
    )
    return HuggingFaceLM(merged, lm.tokenizer, identity)


def _check_names(path: Path, expected: Iterable[str]) -> None:
    """PEFT passes over tensors that fit no layer, and would leave the base as it is under the adapter's name.

    Raises:
        ValueError: for the first tensor that a layer lacks, or that belongs to no layer.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        found = set(file.keys())
    lacking = sorted(set(expected) - found)
    left = sorted(name for name in found - set(expected) if ".lora_" in name)
    if lacking or left:
        raise ValueError(f"it lacks {lacking[0]}" if lacking else f"the base has no layer for {left[0]}")
