"""Adapters in PEFT's layout: merged whole, or refused; never a base model under an adapter's name."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from calm_lm.errors import CalmError
from calm_lm.lm.adapter import WEIGHTS, load_adapted
from calm_lm.lm.hf import HuggingFaceLM


@pytest.fixture
def adapter(saved, tmp_path, own_cache):
    """A folder with LoRA on the queries of a tiny Llama, and its base."""
    from peft import LoraConfig, get_peft_model

    base = saved("llama")
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        lm = HuggingFaceLM.load(str(base))
        adapted = get_peft_model(lm.model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
        adapted.peft_config["default"].base_model_name_or_path = str(base)
        adapted.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter", base


def test_an_adapter_changes_every_layer_it_names(adapter):
    folder, base = adapter
    merged = load_adapted(folder, local_files_only=True).model.state_dict()
    for name, before in HuggingFaceLM.load(str(base)).model.state_dict().items():
        assert torch.equal(before, merged[name]) == ("q_proj.weight" not in name), name


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.clear(),
        lambda tensors: tensors.pop(min(tensors)),
        lambda tensors: tensors.update({f"x.{name}": tensors.pop(name) for name in list(tensors)}),
        lambda tensors: tensors.update(
            {name.replace("layers.0", "layers.99"): tensors[name].clone() for name in list(tensors)}
        ),
    ],
    ids=["no tensor", "one missing", "all renamed", "layers beyond the base"],
)
def test_tensors_that_fit_no_layer_are_refused_rather_than_passed_over(adapter, change):
    folder, _ = adapter
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors or {"x": torch.ones(1)}, folder / WEIGHTS)
    with pytest.raises(CalmError) as error:
        load_adapted(folder, local_files_only=True)
    assert error.value.code == "L62"
    assert error.value.file == str(folder)
