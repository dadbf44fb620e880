"""Published values of the preset `paper`, and bounds that keep a configuration sane."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from calm_lm.model.config import BackboneConfig, ModelConfig, Sizes
from calm_lm.training.config import LossWeights, TrainConfig
from calm_lm.training.presets import build_config

# Section 2 of the method's reference: what the paper states, with the reference's tag of the evidence.
PUBLISHED = {
    "backbone.name": ("Qwen/Qwen3-32B", "PF-b"),
    "model.mlp_hidden": (512, "PF-b"),
    "model.dropout": (0.1, "PF-b"),
    "train.batch_rows": (64, "PF-b"),
    "model.contrast_temperature": (0.07, "PF-b"),
    "model.n_clusters": (5, "PF-b"),
    "model.gumbel_start": (1.0, "PF-b"),
    "model.gumbel_end": (0.2, "PF-b"),
    "model.cluster_hidden": (256, "PF-b"),
    "model.alignment_heads": (8, "PF-b"),
    "model.n_experts": (4, "PF-b"),
    "model.expert_layers": (2, "PF-b"),
    "model.width": (512, "PF-b"),
    "model.expert_ff": (2048, "PF-b"),
    "model.top_k": (2, "PF-b"),
    "train.learning_rate": (3e-5, "PF-b"),
    "train.weight_decay": (0.01, "PF-b"),
    "train.warmup": (0.1, "PF-b"),
    "model.channels": ("both", "PF-a"),
    "model.cross_attention": (True, "PF-b"),
    "model.fusion": (True, "PF-a"),
    "model.noise": (True, "PF-b"),
    "model.reflection": (True, "PF-c"),
}
ORIGIN = {"PF-a": "paper", "PF-b": "paper", "PF-c": "third party"}


def origin_of(part: type[BaseModel], field: str) -> object:
    extra = part.model_fields[field].json_schema_extra
    return extra["origin"] if isinstance(extra, dict) else None


@pytest.mark.parametrize(("field", "value", "tag"), [(name, *facts) for name, facts in PUBLISHED.items()])
def test_the_preset_paper_holds_what_was_published(field, value, tag):
    config = build_config({"preset": "paper"})
    part, name = field.split(".")
    assert getattr(getattr(config, part), name) == value
    if field != "backbone.name":  # whose default is ours
        assert origin_of(type(getattr(config, part)), name) == ORIGIN[tag]


def test_nothing_else_claims_to_be_published():
    for part, place in ((ModelConfig, "model"), (TrainConfig, "train"), (BackboneConfig, "backbone")):
        for name in part.model_fields:
            if origin_of(part, name) in ("paper", "third party"):
                assert f"{place}.{name}" in PUBLISHED


@pytest.mark.parametrize("part", [ModelConfig, TrainConfig, LossWeights, BackboneConfig])
def test_every_field_says_what_it_is_and_where_it_comes_from(part):
    for name, field in part.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            continue  # a group of fields
        assert field.description, name
        assert origin_of(part, name) in ("paper", "third party", "ours"), name
    assert all(field.description for field in Sizes.model_fields.values())


def test_small_keeps_the_structure():
    small, paper = (build_config({"preset": name}) for name in ("small", "paper"))
    structure = ("n_clusters", "n_dimensions", "n_experts", "top_k", "expert_layers", "channels", "cross_attention",
                 "fusion", "reflection", "contrast_temperature", "gumbel_start", "gumbel_end")  # fmt: skip
    assert all(getattr(small.model, name) == getattr(paper.model, name) for name in structure)
    assert small.model.width < paper.model.width
    assert small.backbone.name == "embedded"


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 20}, {"expert_heads": 3}, {"top_k": 5}, {"gumbel_end": 1.5}, {"dropout": 1.0}, {"widht": 64},
        {"dropout": float("nan")}, {"gumbel_start": float("inf")}, {"expert_layers": 10**9}, {"n_dimensions": 5},
        {"channels": "none"}, {"reflection_rounds": 10**12}, {"width": 2**62}, {"gumbel_end": 1e-30},
    ],
)  # fmt: skip
def test_senseless_shapes_are_refused(changes):
    with pytest.raises(ValidationError):
        ModelConfig(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"adapt_layers": (3, 3)}, {"adapt_layers": (4, 2)}, {"adapt_layers": (-1, 2)}, {"adapt_layers": (0, 10**12)},
     {"adapt_layers": (0, 5), "read_layer": 4}, {"lora_rank": 10**9}, {"dtype": "int8"}, {"max_length": 2}],
)  # fmt: skip
def test_senseless_backbones_are_refused(changes):
    with pytest.raises(ValidationError):
        BackboneConfig(**changes)


def test_the_layer_to_read_is_in_proportion_where_none_is_named():
    backbone = BackboneConfig()
    assert [backbone.layer_to_read(n) for n in (30, 64, 4, 1)] == [16, 34, 2, 1]
    assert BackboneConfig(read_layer=7).layer_to_read(30) == 7
