"""Loading by path and by name: identity, and one clear error for everything that can be wrong with a folder."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from calm_lm.errors import CalmError
from calm_lm.lm.cache import recorded_sha256
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.lm.quiet import quiet_libraries

pytestmark = pytest.mark.usefixtures("own_cache")


def code_of(name: object, **options: object) -> str:
    with pytest.raises(CalmError) as caught:
        HuggingFaceLM.load(str(name), **options)
    return caught.value.code


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_a_saved_model_loads_as_it_was(tiny, saved, texts, kind):
    folder, lm = saved(kind), tiny(kind)
    loaded = HuggingFaceLM.load(str(folder))
    layers = range(lm.n_layers + 1)
    assert torch.equal(loaded.hidden_states(texts, layers).states, lm.hidden_states(texts, layers).states)
    assert (loaded.d_model, loaded.n_layers, loaded.dtype) == (32, lm.n_layers, torch.float32)
    assert loaded.identity.name == loaded.title == str(folder)
    assert loaded.identity.licence == "undeclared"
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())


def test_number_types(saved):
    folder = saved("llama")
    for dtype in ("float64", "bfloat16"):
        lm = HuggingFaceLM.load(str(folder), dtype=dtype)
        assert lm.hidden_states(["Tea"], [2]).states.dtype == lm.dtype == getattr(torch, dtype)


def test_the_card_gives_languages_and_licence(saved):
    folder = saved("llama")
    (folder / "README.md").write_text("---\nlanguage:\n- en\n- de\nlicense: apache-2.0\n---\nA model.\n")
    identity = HuggingFaceLM.load(str(folder)).identity
    assert (identity.languages, identity.licence) == (("en", "de"), "apache-2.0")
    (folder / "README.md").write_text("---\nlanguage: [en\n---\n")
    assert HuggingFaceLM.load(str(folder)).identity.languages == ()


def test_fingerprint_follows_the_files(saved):
    folder = saved("llama")
    first = HuggingFaceLM.load(str(folder)).identity.fingerprint
    assert HuggingFaceLM.load(str(folder)).identity.fingerprint == first
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][0] += 1e-3
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert HuggingFaceLM.load(str(folder)).identity.fingerprint != first


def test_checksums_are_remembered_until_the_file_changes(tmp_path, own_cache, monkeypatch):
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    first = recorded_sha256(path)
    with monkeypatch.context() as patch:
        patch.setattr("calm_lm.lm.cache.sha256_file", lambda _: pytest.fail("read again"))
        assert recorded_sha256(path) == first
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    second = recorded_sha256(path)
    assert second != first
    for record in (own_cache / "checksums").iterdir():
        record.write_text("{")
    assert recorded_sha256(path) == second


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "~/nothing-here", "a/b/c"])
def test_a_path_that_is_not_there(name):
    assert code_of(name) == "L03"


@pytest.mark.parametrize("name", ["no-such-owner/no-such-model", "a b", "x" * 200])
def test_a_hub_name_that_is_not_cached(name):
    assert code_of(name, local_files_only=True) == "L04"


def test_a_hub_name_without_network(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert code_of("no-such-owner/no-such-model") == "L04"


def test_unknown_dtype_and_device(saved):
    folder = saved("llama")
    assert code_of(folder, dtype="int3") == "L08"
    assert code_of(folder, device="tpu9") == "L09"
    assert code_of(folder, device="cuda:99") == "L09"


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def drop_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.2.self_attn.q_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def misshape_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] = torch.zeros(7)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def pickle_as_safetensors(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps({"w": [1, 2]}))


def only_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (only_pickle, "L05"),
        (lambda f: truncate(f / "tokenizer.json"), "L06"),
        (lambda f: (f / "adapter_config.json").write_text('{"base_model_name_or_path": "elsewhere"}'), "L10"),
        (lambda f: (f / "config.json").unlink(), "L11"),
        (lambda f: truncate(f / "config.json"), "L11"),
        (lambda f: rewrite(f / "config.json", model_type="unheard-of"), "L11"),
        (lambda f: rewrite(f / "config.json", model_type="x", auto_map={"AutoConfig": "evil.Config"}), "L11"),
        (lambda f: rewrite(f / "config.json", hidden_size="wide"), "L11"),
        (lambda f: rewrite(f / "config.json", num_attention_heads=0), "L11"),
        (lambda f: truncate(f / "model.safetensors"), "L11"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "L11"),
        (pickle_as_safetensors, "L11"),
        (misshape_tensor, "L11"),
        (drop_tensor, "L13"),
        (lambda f: rewrite(f / "config.json", num_hidden_layers=5, layer_types=None), "L13"),
    ],
)
def test_a_damaged_folder_is_one_error_that_names_it(saved, damage, code):
    folder = saved("llama")
    damage(folder)
    with pytest.raises(CalmError) as caught:
        HuggingFaceLM.load(str(folder))
    assert caught.value.code == code
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_loading_is_silent_and_restores_the_libraries(saved, capfd):
    from transformers.utils import logging

    folder = saved("llama")
    capfd.readouterr()
    logging.set_verbosity_info()
    logging.enable_progress_bar()
    try:
        HuggingFaceLM.load(str(folder))
        captured = capfd.readouterr()
        assert logging.get_verbosity() == logging.INFO
        assert logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        with quiet_libraries():
            pass
        assert not logging.is_progress_bar_enabled()
    finally:
        logging.set_verbosity_warning()
        logging.enable_progress_bar()
    assert (captured.out, captured.err) == ("", "")
