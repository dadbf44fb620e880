"""Saving, loading, the card and the licence gate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from calm_lm.culture.blend import Blend
from calm_lm.errors import CalmError
from calm_lm.model.calm import CalmModel
from calm_lm.model.card import CARE, model_card
from calm_lm.model.manifest import CalmManifest

TEXTS = ["Guests take off their shoes.", "A waiter in Singapore expects no tip.", "Yes"]
READERS = [Blend.of("SG"), Blend.parse("SG=0.3,US=0.7"), None]


def load(folder) -> CalmModel:
    return CalmModel.from_pretrained(folder, local_files_only=True)


@pytest.mark.parametrize(
    "how",
    [{}, {"evidence": True}, {"evidence": True, "adapt_layers": (1, 3)}, {"adapt_layers": (1, 3)},
     {"readers": (), "contrast": None}, {"cultures": ("JP", "SG"), "contrast": "about"},
     {"fusion": False, "n_dimensions": 1, "reflection": False}],
)  # fmt: skip
def test_a_saved_model_predicts_bit_for_bit_the_same(calm, tmp_path, how, norms):
    model = calm(**how)
    readers = READERS if model.manifest.readers else [None] * 3
    evidence = norms if how.get("evidence") else None
    model.norms = evidence
    before = model.predict(TEXTS, readers)
    model.save_pretrained(tmp_path / "m")
    again = load(tmp_path / "m")
    again.norms = evidence
    assert again.predict(TEXTS, readers) == before
    assert again.manifest == model.manifest
    for name, value in model.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], value)
    again.save_pretrained(tmp_path / "n")
    for name in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / "m" / name).read_bytes() == (tmp_path / "n" / name).read_bytes()
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_lora_deltas_travel_and_the_backbone_does_not(calm, tmp_path):
    model = calm(adapt_layers=(1, 3))
    model.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        names = set(file.keys())
    lora = {name for name in names if name.startswith("lora.")}
    assert len(lora) == 2 * 4 * 2  # layers, projections, A and B
    assert names - lora == {f"network.{name}" for name in model.network.state_dict()}
    loaded = load(tmp_path)
    for name, value in model.lm.lora_state().items():
        assert torch.equal(loaded.lm.lora_state()[name], value)


def test_a_loaded_model_does_not_lean_on_its_file(calm, tmp_path):
    calm().save_pretrained(tmp_path)
    model = load(tmp_path)
    before = model.predict(TEXTS, READERS)
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.write(b"\0" * 4096)
        file.truncate(4096)
    assert model.predict(TEXTS, READERS) == before


def test_a_loaded_model_can_be_trained_on(calm, tmp_path):
    calm().save_pretrained(tmp_path)
    model = load(tmp_path)
    assert not model.network.training
    assert all(parameter.requires_grad for parameter in model.network.parameters())
    assert not any(parameter.requires_grad for parameter in model.lm.model.parameters())


def test_other_backbone_weights_are_refused(calm, tmp_path):
    from safetensors.torch import load_file, save_file

    calm().save_pretrained(tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    source = tmp_path / "other"
    source.mkdir()
    for path in Path(config["backbone"]["name"]).iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    tensors = load_file(source / "model.safetensors")
    tensors["model.norm.weight"] = tensors["model.norm.weight"] + 1e-3
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})
    config["backbone"]["name"] = str(source)
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    with pytest.raises(CalmError, match=r"M17.*fingerprint"):
        load(tmp_path / "m")


@pytest.mark.parametrize("name", ["no/such-model", "", "no/such/model", "/no/such", "a" * 5000, "bad\0name", "./x"])
def test_what_is_no_model_is_said_to_be_none(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CalmError, match=r"M10|M25|F01") as error:
        load(name)
    assert str(error.value).isprintable()


# -- card and licences -----------------------------------------------------------------------------


def test_the_card_carries_care_licences_and_no_claim_of_affiliation(calm, tmp_path):
    model = calm(licences=("CC-BY-NC-4.0", "MIT"), adapt_layers=(1, 3))
    model.save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert card == model_card(model.manifest)
    for words in (
        CARE, "not a nation's view", "ethnicity", "independent and unofficial", "Not affiliated", "CC-BY-NC-4.0, MIT",
        "CC-BY-NC-4.0: no commercial use", "LoRA on layers 2 to 3", "AU, GB, SG, US", r"nobody \| nowhere",
        model.manifest.backbone_weights.fingerprint[:16], "No abstention threshold",
    ):  # fmt: skip
        assert words in card, words
    assert "undeclared: no known permission" in model_card(calm(licences=()).manifest)


def test_the_cards_front_matter_is_yaml_whatever_the_backbone_is_called(calm):
    import yaml

    manifest = calm().manifest
    odd = manifest.backbone_weights.model_copy(update={"name": "a: \"b'\n---\n{"})
    card = model_card(manifest.model_copy(update={"backbone_weights": odd}))
    assert yaml.safe_load(card.split("---\n")[1])["base_model"] == odd.name


@pytest.mark.parametrize("licences", [("CC-BY-NC-4.0",), ("MIT", "undeclared"), (), ("CC-BY-ND-4.0",)])
def test_pushing_is_refused_before_anything_is_written_or_sent(calm, monkeypatch, licences):
    import huggingface_hub

    def touched(*args, **kwargs):
        raise AssertionError("the hub was touched")

    monkeypatch.setattr(huggingface_hub, "HfApi", touched)
    monkeypatch.setattr("calm_lm.model.storage.save_model", touched)
    with pytest.raises(CalmError, match="D80"):
        calm(licences=licences).push_to_hub("me/model")


@pytest.mark.parametrize("name", ["no/such/name", "me/model"])
def test_a_hub_that_refuses_is_one_clear_error(calm, monkeypatch, name):
    """The real client: it refuses the first name itself, and finds nobody at the address for the second."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: huggingface_hub.hf_api.HfApi(endpoint="http://127.0.0.1:9"))
    with pytest.raises(CalmError, match="M29") as refused:
        calm(licences=("MIT",)).push_to_hub(name)
    assert "hf auth login" in str(refused.value)


def test_pushing_sends_the_saved_folder(calm, monkeypatch):
    import huggingface_hub

    sent = []

    class Api:
        def create_repo(self, name, *, private, exist_ok):
            sent.append((name, private, exist_ok))

        def upload_folder(self, *, repo_id, folder_path):
            sent.append((repo_id, sorted(p.name for p in Path(folder_path).iterdir())))
            return "https://hub/me/model"

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    assert calm(licences=("CC-BY-NC-4.0",)).push_to_hub("me/model", accept_licence=True) == "https://hub/me/model"
    assert sent == [("me/model", True, True), ("me/model", ["README.md", "config.json", "model.safetensors"])]


@pytest.mark.parametrize(
    "change",
    [{"labels": ("a", "b")}, {"labels": ("a", "a", "b")}, {"labels": ("a", "b", "\x1b[2J")}, {"positive": 3},
     {"readers": ("AU", "GB", "SG", "")}, {"cultures": ("SG",)}],
)  # fmt: skip
def test_a_manifest_that_contradicts_itself_is_none(calm, change):
    facts = calm().manifest.model_dump()
    with pytest.raises(ValueError, match="must"):
        CalmManifest.model_validate(facts | change)
