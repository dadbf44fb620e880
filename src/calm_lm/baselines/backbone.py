"""The backbone without LoRA layers, or with those of one baseline, and afterwards as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.model.config import BackboneConfig
from calm_lm.model.storage import attach_lora


@contextmanager
def untouched(lm: HuggingFaceLM, config: BackboneConfig) -> Iterator[None]:
    """The pretrained weights alone; LoRA layers that `config` describes and that were on it are put back after.

    They come back as new parameters of the same values, so never in the middle of a training that holds the old ones.
    """
    held = lm.lora_state()
    lm.remove_lora()
    try:
        yield
    finally:
        lm.remove_lora()
        if held:
            attach_lora(lm, config, seed=0)
            lm.load_lora_state(held)


@contextmanager
def adapted(lm: HuggingFaceLM, config: BackboneConfig, state: Mapping[str, Tensor]) -> Iterator[None]:
    """The backbone with the given LoRA deltas (without LoRA for none)."""
    with untouched(lm, config):
        if state:
            attach_lora(lm, config, seed=0)
            lm.load_lora_state(state)
        yield
