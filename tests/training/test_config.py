from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.training.config import RunConfig, TrainConfig
from calm_lm.training.presets import PRESETS, build_config, read_recipe, recipe_names


def test_the_paper_preset_holds_the_published_numbers():
    """Section 'what is published' of the method's reference."""
    paper = build_config({"preset": "paper"})
    model, train = paper.model, paper.train
    assert (model.mlp_hidden, model.dropout, model.n_clusters, model.cluster_hidden) == (512, 0.1, 5, 256)
    assert (model.gumbel_start, model.gumbel_end, model.alignment_heads, model.contrast_temperature) == (
        1,
        0.2,
        8,
        0.07,
    )
    assert (model.n_experts, model.top_k, model.expert_layers, model.expert_ff, model.width) == (4, 2, 2, 2048, 512)
    assert (train.learning_rate, train.weight_decay, train.warmup, train.batch_rows) == (3e-5, 0.01, 0.1, 64)
    assert paper.backbone.name == "Qwen/Qwen3-32B"


def test_preset_then_recipe_then_overrides():
    recipe = {"preset": "small", "train": {"epochs": 2.0, "batch_rows": 10}, "readers": False}
    config = build_config(recipe, ["train.epochs=7", "model.width=32", "backbone.lora_targets=[q_proj]"])
    assert (config.train.epochs, config.train.batch_rows, config.readers) == (7.0, 10, False)
    assert config.model.width == 32
    assert config.train.learning_rate == PRESETS["small"]["train"]["learning_rate"]
    assert config.backbone.lora_targets == ("q_proj",)
    assert build_config({}).preset == "small"
    assert build_config(recipe, ["preset=paper"]).model.width == 512
    assert recipe["train"] == {"epochs": 2.0, "batch_rows": 10}


def test_presets_are_not_changed_by_building():
    build_config({"model": {"width": 128}}, ["train.epochs=1"])
    assert build_config({}).model.width == PRESETS["small"]["model"]["width"] == 64


@pytest.mark.parametrize(
    ("recipe", "overrides", "code", "named"),
    [
        ({"preset": "huge"}, [], "T23", "'huge'"),
        ({"preset": None}, [], "T23", "None"),
        ({}, ["train.epochs"], "T24", "'train.epochs'"),
        ({}, ["=3"], "T24", "'=3'"),
        ({}, ["train.epoch=3"], "T25", "'train.epoch'"),
        ({}, ["train.weights.taste=3"], "T25", "Known fields: task, contrast"),
        ({"modle": {}}, [], "T25", "Known fields: preset"),
        ({1: 2}, [], "T25", "'1'"),
        ({"train": 3}, [], "T25", "'train'"),
        ({}, ["train.batch_rows=1"], "T25", "'train.batch_rows', value '1'"),
        ({}, ["train.learning_rate=-1"], "T25", "'train.learning_rate'"),
        ({}, ["train.warmup=1.5"], "T25", "less than or equal to 1"),
        ({}, ["train.epochs=.nan"], "T25", "'train.epochs'"),
        ({}, ["train.epochs=.inf"], "T25", "'train.epochs'"),
        ({}, ["train.target=votes"], "T25", "'shares' or 'labels'"),
        ({}, ["model.width=65"], "T25", "multiple of alignment_heads"),
        ({}, ["model.top_k=9"], "T25", "top_k"),
        ({}, ["model.reflection=false"], "T25", "train.weights.reflect must be 0"),
        ({}, ["backbone.adapt_layers=[3,2]"], "T25", "first < last"),
        ({}, ["train.epochs=[1"], "T26", "'train.epochs'"),
        ({}, ["train.epochs=2001-13-45"], "T26", "'2001-13-45'"),
        ({}, ["train.epochs=" + "[" * 1500], "T26", "..."),
        ({}, ["train=3", "train.epochs=2"], "T27", "'train.epochs'"),
    ],
)
def test_what_cannot_be_built_is_named(recipe, overrides, code, named):
    with pytest.raises(CalmError) as caught:
        build_config(recipe, overrides)
    assert caught.value.code == code
    assert named in str(caught.value)


def test_every_shipped_recipe_builds():
    names = recipe_names()
    assert {"crehate", "emgsd", "blend", "demo"} <= set(names)
    for name in names:
        recipe = read_recipe(name)
        assert recipe.pop("data") == name
        assert isinstance(build_config(recipe), RunConfig)


def test_a_recipe_of_ones_own(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text("train: {epochs: 3}\n")
    assert build_config(read_recipe(str(path))).train.epochs == 3
    path.write_text("")
    assert read_recipe(str(path)) == {}


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("a: [1\nb: 2\n", "T21", "row 2"),
        ("a: \x00", "T21", "not readable YAML"),
        ("a: !!python/object/apply:os.system [ls]", "T21", "row 1"),
        ("a: 2001-13-45", "T21", "not readable"),
        ("[" * 1500, "T21", "not readable"),
        ("- 1\n- 2\n", "T22", "holds no settings"),
        ("just words", "T22", "holds no settings"),
    ],
)
def test_a_recipe_that_is_none(tmp_path, text, code, named):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(CalmError) as caught:
        read_recipe(str(path))
    assert (caught.value.code, caught.value.file) == (code, str(path))
    assert named in str(caught.value)


def built_or_refused(*args):
    """The configuration and no code, or no configuration and the code of its error."""
    try:
        return build_config(*args), None
    except CalmError as error:
        return None, error.code


@pytest.mark.parametrize("name", ["nothing", "missing.yaml", "../crehate", "crehate.yaml", "", "own.csv"])
def test_a_name_that_is_no_recipe(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CalmError, match=r"\[T20\].*crehate"):
        read_recipe(name)


@given(st.dictionaries(st.text(max_size=8), st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2), max_leaves=4,
)), st.lists(st.text(max_size=15), max_size=2))  # fmt: skip
def test_any_recipe_and_override_ends_in_a_config_or_one_error(recipe, overrides):
    built, code = built_or_refused(recipe, overrides)
    assert isinstance(built, RunConfig) or code.startswith("T2")


@given(st.sampled_from(sorted(TrainConfig.model_fields)), st.floats() | st.integers() | st.text(max_size=5))
def test_any_value_of_a_training_field_is_taken_or_refused(field, value):
    built, code = built_or_refused({"train": {field: value}})
    if built is None:
        assert code == "T25"
    else:
        kept = getattr(built.train, field)
        assert not isinstance(kept, float) or math.isfinite(kept)


def test_the_file_of_a_recipe_is_named_in_its_errors():
    with pytest.raises(CalmError) as caught:
        build_config({"nope": 1}, file=str(Path("own.yaml")))
    assert caught.value.file == "own.yaml"
