"""The experiments on a tiny language model and invented texts: tables come out, finished runs are not repeated."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml

from calm_lm.data.registry import load
from calm_lm.errors import CalmError
from calm_lm.training.config import RunConfig
from calm_lm.training.presets import read_recipe
from calm_lm.training.run import Pretrained

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def world() -> ModuleType:
    place = ROOT / "tests" / "training" / "tiny_world.py"
    spec = importlib.util.spec_from_file_location("tiny_world", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def scripts():
    """The experiments' modules by name."""
    names = ("common", "run_ablations", "cross_validation", "run_read_layer")
    sys.path.insert(0, str(ROOT / "experiments"))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(ROOT / "experiments"))
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setenv("CALM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def dataset(world):
    return world.tiny_dataset(n_train=30, n_valid=10)


@pytest.fixture
def config(world, tmp_path) -> RunConfig:
    folder = world.save_lm(tmp_path / "lm")
    return world.tiny_config("train.epochs=1", "train.evaluations=1", f"backbone.name={folder}")


def cells(lines: list[str]) -> list[list[str]]:
    """Cells of the table in `lines`."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]


# -- folds, kept runs, tables ------------------------------------------------------------------------


def test_folds_hold_out_whole_groups_once_and_never_show_the_test_split(scripts, world):
    whole = world.tiny_dataset()
    secret = world.example(40, "AU")
    whole.splits["test"] = (secret,)
    folds = scripts["common"].make_folds(whole)
    rows = scripts["common"].pooled(whole)
    assert sorted(row for fold in folds for row in fold.held) == list(range(len(rows)))
    for fold in folds:
        groups = {name: {row.group for row in part} for name, part in fold.dataset.splits.items()}
        assert not groups["train"] & groups["test"]
        assert not groups["valid"] & groups["test"]
        assert not groups["train"] & groups["valid"]
        assert secret not in [row for part in fold.dataset.splits.values() for row in part]
        assert fold.dataset.splits["test"] == tuple(rows[i] for i in fold.held)
    assert folds[0].dataset.splits["valid"] == folds[1].dataset.splits["test"]


def test_a_kept_run_is_taken_only_with_the_same_facts(scripts, tmp_path):
    keep, outcome = scripts["common"].keep, scripts["common"].Outcome
    shares = np.array([[0.25, 0.75], [0.5, 0.5]])
    first = keep(tmp_path / "a", {"seed": 0}, lambda: outcome(shares, 7, 2))
    again = keep(tmp_path / "a", {"seed": 0}, lambda: pytest.fail("it was finished"))
    np.testing.assert_array_equal(first.shares, again.shares)
    assert (again.parameters, again.variants) == (7, 2)
    with pytest.raises(CalmError) as told:
        keep(tmp_path / "a", {"seed": 1}, lambda: pytest.fail("it must not be made"))
    assert told.value.code == "X01"
    (tmp_path / "a.json").unlink()  # killed between the two writes
    assert keep(tmp_path / "a", {"seed": 1}, lambda: outcome(shares, 8, 1)).parameters == 8


def test_the_table_has_differences_with_the_right_sign_and_corrected_p(scripts, dataset):
    common = scripts["common"]
    rows = common.pooled(dataset)
    votes = np.array([row.votes for row in rows], dtype=float)
    right = votes / votes.sum(1, keepdims=True) * 0.98 + 0.01
    systems = {"full": [right], "worse": [np.full_like(right, 0.5)], "same": [right]}
    judge = common.judge_of(dataset, range(len(rows)), "shares")
    head, _, full, worse, same = cells(common.comparison(judge, systems, "full", {"worse": "3"}))
    assert "cross-entropy: it − full [95 %], p" in head
    assert full[0] == "full"
    assert worse[0] == "worse (3)"
    entropy = float(np.mean([-(r * np.log(r)).sum() for r in np.full((1, 2), 0.5)]))
    assert worse[2].startswith(f"{entropy:.3f}")
    assert worse[4].startswith("+")
    assert float(worse[4].split()[-1]) == pytest.approx(2 * 2 / 2001, abs=1e-3)  # two tests: doubled
    assert same[4].startswith("+0.0000")
    assert float(same[4].split()[-1]) == 1.0
    turned = cells(common.comparison(judge, systems, "full", {}, turned=True))
    assert turned[3][4].startswith("-")


# -- ablations ---------------------------------------------------------------------------------------


def test_every_ablation_changes_what_it_says(scripts):
    module = scripts["run_ablations"]
    names = module.variant_names()
    assert names[0] == "full"
    assert len(names) == 19
    for data in module.DATA:
        recipe = {key: value for key, value in read_recipe(data).items() if key != "data"}
        full = module.variant_config("full", recipe)
        configs = {name: module.variant_config(name, recipe) for name in names}
        assert configs["full"] == full
        left_out = module.idle(configs)
        assert left_out == (["no_norms"] if data == "crehate" else [])  # norms come with the demo's recipe alone
        assert len({str(config.model_dump()) for config in configs.values()}) == len(names) - len(left_out)
    blind = module.variant_config("no_reader", {}, ["train.epochs=2"])
    assert not blind.readers
    assert blind.train.epochs == 2
    for name in names:
        text = (ROOT / "experiments" / "ablations" / f"{name}.yaml").read_text("utf-8")
        assert text.startswith("# ")
        assert isinstance(yaml.safe_load(text), dict)


def test_an_unknown_ablation_and_uneven_seeds_are_named(scripts):
    module = scripts["run_ablations"]
    with pytest.raises(CalmError) as told:
        module.variant_names("no_contrast,no_contarst")
    assert told.value.code == "X02"
    assert "no_contarst" in str(told.value)
    assert module.folds_of_seeds([0, 1]) == [[0, 1]]
    assert module.folds_of_seeds(list(range(10))) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    for seeds in ([0, 5], [0, 1, 2, 3, 4, 5]):
        with pytest.raises(CalmError) as told:
            module.folds_of_seeds(seeds)
        assert told.value.code == "X03"


def test_ablations_build_a_table_and_resume(scripts, dataset, config, tmp_path, monkeypatch):
    module = scripts["run_ablations"]
    base = config.model_dump()
    blind = RunConfig.model_validate(base | {"readers": False})
    out = tmp_path / "out"
    lines = module.ablate(dataset, {"full": config, "no_reader": blind}, [0, 1], out)
    assert "2 variants tried" in lines[0]
    table = cells(lines)
    assert [row[0].split()[0] for row in table[2:]] == ["full", "no_reader"]
    assert all("nan" not in cell for row in table for cell in row)
    files = {path.name for path in out.iterdir()}
    assert files == {
        f"{v}-seed-{s}.{e}" for v in ("full", "no_reader") for s in (0, 1) for e in ("json", "safetensors")
    }
    monkeypatch.setattr(module, "run_calm", lambda *_: pytest.fail("all runs are finished"))
    assert module.ablate(dataset, {"full": config, "no_reader": blind}, [0, 1], out) == lines
    with pytest.raises(CalmError) as told:  # the same folder, other settings
        module.ablate(dataset, {"full": blind}, [0], out)
    assert told.value.code == "X01"


def test_the_ablations_of_another_data_set_are_refused(scripts, tmp_path, monkeypatch):
    module = scripts["run_ablations"]
    monkeypatch.setattr(sys, "argv", ["run_ablations.py", "--data", "emgsd", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        scripts["common"].told(module.main)
    assert stop.value.code == 2


# -- cross-validation --------------------------------------------------------------------------------


def test_cross_validation_compares_baselines_and_resumes(
    scripts, dataset, config, world, tmp_path, monkeypatch, capsys
):
    module = scripts["cross_validation"]
    lora = config.model_copy(
        update={"backbone": config.backbone.model_copy(update={"adapt_layers": (1, 3), "lora_rank": 2})}
    )
    pretrained = Pretrained(world.tiny_lm(), None)
    before = {name: value.clone() for name, value in pretrained.lm.model.state_dict().items()}
    names = ["majority-reader", "sentence", "lora-tag"]
    out = tmp_path / "out"
    lines = module.cross_validate(dataset, lora, pretrained, names, [0], out)
    assert "left out: sentence" in capsys.readouterr().out
    assert [row[0].split()[0] for row in cells(lines)[2:]] == ["calm", "majority-reader", "lora-tag"]
    after = pretrained.lm.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert len(list(out.glob("*.safetensors"))) == 3 * 5
    monkeypatch.setattr(module, "run_calm", lambda *_: pytest.fail("finished"))
    monkeypatch.setattr(module, "run_baseline", lambda *_: pytest.fail("finished"))
    assert module.cross_validate(dataset, lora, pretrained, names, [0], out) == lines


# -- the read layer ----------------------------------------------------------------------------------


def test_the_read_layer_experiment_judges_every_layer_and_chooses(
    scripts, dataset, config, world, tmp_path, monkeypatch
):
    module = scripts["run_read_layer"]
    views = [module.View(1, False), module.View(3, False)]
    pretrained = Pretrained(world.tiny_lm(), None)
    lines, surprise = module.judge_views(dataset, views, config, pretrained, [0.1, 0.01], tmp_path / "out")
    assert [row[0] for row in cells(lines)[2:]] == ["layer 1", "layer 3"]
    assert len(surprise) == 2
    assert all(0 < value < 1 for value in surprise)
    monkeypatch.setattr(module, "regress", lambda *_: pytest.fail("finished"))
    again, _ = module.judge_views(dataset, views, config, pretrained, [0.1, 0.01], tmp_path / "out")
    assert again == lines


def test_mean_states_of_all_layers_equal_those_of_single_texts(scripts, config, world, tmp_path):
    lm = world.tiny_lm()
    texts = list(world.TEXTS[:9])
    found = scripts["run_read_layer"].read_texts(texts, [1, 4], Pretrained(lm, None), config, tmp_path)
    assert found.keys() == {"layer-1", "layer-4"}
    for number, text in enumerate(texts):
        states = lm.hidden_states([text], [1, 4]).states
        for place, layer in enumerate((1, 4)):
            torch.testing.assert_close(found[f"layer-{layer}"][number], states[place, 0].mean(0), rtol=1e-4, atol=1e-5)


def test_the_choice_is_the_best_mean_rank_and_of_equal_ones_the_cheapest(scripts):
    module = scripts["run_read_layer"]
    views = [module.View(8, False), module.View(16, False), module.View(16, True)]
    best, ranks = module.choose(views, {"a": [0.6, 0.5, 0.4], "b": [0.6, 0.4, 0.5]})
    assert best == module.View(16, False)
    assert ranks == {views[0]: 3.0, views[1]: 1.5, views[2]: 1.5}


def test_the_settings_name_data_sets_that_exist(scripts):
    settings = yaml.safe_load(scripts["run_read_layer"].SETTINGS.read_text("utf-8"))
    assert settings["layers"] == sorted(settings["layers"])
    assert settings["penalties"] == sorted(settings["penalties"], reverse=True)
    assert set(settings["rows"]) <= set(settings["data"])
    for name in settings["data"]:
        assert read_recipe(name)["data"] == name
    assert load("demo").splits["train"]
