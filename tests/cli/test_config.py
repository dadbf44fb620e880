from __future__ import annotations

import json

import pytest
import yaml
from typer.testing import CliRunner, Result

from calm_lm.cli.config import app, list_settings, resolve
from calm_lm.errors import CalmError
from calm_lm.training.presets import build_config, recipe_names


def call(*words: str) -> Result:
    result = CliRunner().invoke(app, ["show", *words], env={"COLUMNS": "200"})
    if isinstance(result.exception, CalmError):
        raise result.exception
    return result


def settings(name: str, *overrides: str) -> dict[str, tuple[str, str]]:
    """Value and origin by dotted name."""
    config, _ = resolve(name, list(overrides))
    return {f"{each.group}.{each.name}": (each.value, each.origin) for each in list_settings(config)}


def test_the_paper_is_shown_as_the_paper():
    shown = settings("paper")
    assert shown["model.n_clusters"] == ("5", "paper")
    assert shown["train.learning_rate"] == ("3e-05", "paper")
    assert shown["train.weights.decouple"] == ("0.05", "ours")
    assert shown["model.reflection"] == ("true", "third party")
    assert not [name for name, (_, origin) in shown.items() if "set here" in origin]


def test_another_preset_says_what_the_paper_has():
    assert settings("small")["model.expert_ff"] == ("128", "ours; paper 2048")
    assert settings("small")["model.n_experts"] == ("4", "paper")


def test_a_change_is_told_apart_from_the_preset():
    shown = settings("small", "train.epochs=3", "model.n_experts=2", "model.width=64")
    assert shown["train.epochs"] == ("3.0", "set here")
    assert shown["model.n_experts"] == ("2", "set here; paper 4")
    assert "set here" not in shown["model.width"][1]  # the preset's own value
    assert settings("small", "model.expert_ff=2048")["model.expert_ff"] == ("2048", "set here")


def test_every_field_of_the_configuration_is_shown_once_with_its_description():
    config, _ = resolve("paper", [])

    def leaves(value: dict, path: tuple[str, ...] = ()) -> list[str]:
        return [
            leaf
            for name, inner in value.items()
            for leaf in (leaves(inner, (*path, name)) if isinstance(inner, dict) else [".".join((*path, name))])
        ]

    names = [f"{each.group}.{each.name}".removeprefix("run.") for each in list_settings(config)]
    assert sorted(names) == sorted(leaves(config.model_dump()))
    assert [each.name for each in list_settings(config) if not each.description] == []


@pytest.mark.parametrize("name", ["paper", "small", *recipe_names()])
def test_the_table_holds_every_value(name):
    text = call(name).stdout
    for each in list_settings(resolve(name, [])[0]):
        assert each.name in text
        assert each.value.split()[0] in text


@pytest.mark.parametrize("words", [("paper",), ("small", "train.epochs=3"), ("crehate", "model.width=32"), ()])
def test_the_yaml_read_back_is_the_same_configuration(words, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(call(*words, "--yaml").stdout)
    name, overrides = (words[0], list(words[1:])) if words else ("small", [])
    assert resolve(str(path), []) == resolve(name, overrides)


def test_a_recipe_keeps_its_data_in_the_yaml():
    assert yaml.safe_load(call("crehate", "--yaml").stdout)["data"] == "crehate"
    assert "data" not in yaml.safe_load(call("paper", "--yaml").stdout)


def test_changes_alone_start_from_the_small_preset():
    shown = yaml.safe_load(call("train.epochs=7", "--yaml").stdout)
    assert shown == json.loads(build_config({"preset": "small"}, ["train.epochs=7"]).model_dump_json())


def test_a_file_with_an_equals_sign_in_its_name_is_a_file(tmp_path):
    path = tmp_path / "rate=1.yaml"
    path.write_text("train: {epochs: 2}\n")
    assert yaml.safe_load(call(str(path), "--yaml").stdout)["train"]["epochs"] == 2


@pytest.mark.parametrize(
    ("words", "code"), [(("nope",), "T20"), (("paper", "nope"), "T24"), (("paper", "model.nope=1"), "T25")]
)
def test_a_mistake_is_named(words, code):
    with pytest.raises(CalmError) as error:
        call(*words)
    assert error.value.code == code


def test_brackets_in_a_value_are_no_markup():
    assert "[bold]x" in call("small", "backbone.name='[bold]x'").stdout
