"""A tokenizer and a pretrained model from a folder: whole, frozen, and without running foreign code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from calm_lm.errors import CalmError
from calm_lm.lm.quiet import quiet_libraries

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}
UNUSED = ("pooler.",)  # heads that hidden states never pass through and that checkpoints often lack


def load_tokenizer(folder: Path) -> Any:
    """The fast tokenizer of a model folder.

    Raises:
        CalmError: L06 when it cannot be read, L07 when it is not a fast one (spans need its offsets).
    """
    from transformers import AutoTokenizer

    try:
        with quiet_libraries():
            tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises bare Exception; the cause is kept
        raise CalmError(
            "L06", f"the tokenizer cannot be read ({_first_line(error)}).", file=folder, fix="restore its files."
        ) from error
    if not tokenizer.is_fast:
        raise CalmError(
            "L07", "the model has no fast tokenizer (tokenizer.json).", file=folder, fix="convert its tokenizer first."
        )
    return tokenizer


def load_weights(folder: Path, *, device: str, dtype: str) -> Any:
    """The pretrained model of a folder, frozen, in evaluation mode; a causal model comes with its head.

    Raises:
        CalmError: L08 unknown dtype, L09 unknown or absent device, L10 an adapter instead of a model,
            L11 unreadable files, L12 an encoder-decoder, L13 weights that the files lack.
    """
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    if dtype not in DTYPES:
        raise CalmError(
            "L08", "unknown number type.", field="dtype", value=dtype, fix=f"use one of {', '.join(DTYPES)}."
        )
    place = check_device(device)
    if (folder / "adapter_config.json").is_file():  # transformers would load the base model that it names instead
        raise CalmError("L10", "is an adapter, not a model.", file=folder, fix="name its base model.")
    try:
        with quiet_libraries():
            config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
            causal = any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in config.architectures or ())
            kind: Any = AutoModelForCausalLM if causal else AutoModel
            model, report = kind.from_pretrained(
                str(folder),
                config=config,
                dtype=DTYPES[dtype],
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
    except Exception as error:  # files may be damaged in any way; the cause is named and kept
        raise CalmError(
            "L11", f"the model cannot be read ({_first_line(error)}).", file=folder, fix="restore the folder's files."
        ) from error
    if config.is_encoder_decoder:
        raise CalmError(
            "L12", "encoder-decoder models are not supported.", file=folder, fix="give a causal model or an encoder."
        )
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(UNUSED))
    if missing:  # transformers would go on with random numbers in their place
        raise CalmError(
            "L13",
            f"{len(missing)} tensors of the model are not in its files.",
            file=folder,
            field=missing[0],
            fix="restore the folder's files.",
        )
    module: nn.Module = model
    return module.to(place)


def check_device(device: str) -> torch.device:
    """`device` as torch knows it.

    Raises:
        CalmError: L09 where it is unknown or not on this machine.
    """
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
        if place.type == "meta":
            raise RuntimeError("it holds no numbers")
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        raise CalmError(
            "L09",
            f"the device is not usable here ({_first_line(error)}).",
            field="device",
            value=device,
            fix="use cpu, or see `calm env` for the devices of this machine.",
        ) from error
    return place


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return f"{name}: {lines[0][:200].encode('unicode_escape').decode('ascii')}" if lines else name
