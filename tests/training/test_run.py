from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset, Example
from calm_lm.errors import CalmError
from calm_lm.model.calm import CalmModel
from calm_lm.training import trainer as trainer_module
from calm_lm.training.checkpoint import complete_checkpoints, load_checkpoint
from calm_lm.training.run import Pretrained, data_hash, fit_model, open_run, run_seeds, save_seed


def log_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def readings(model: CalmModel, world) -> list[tuple]:
    texts, readers = list(world.TEXTS[:6]), [Blend.of("SG"), Blend.parse("AU=0.3,GB=0.7"), None] * 2
    return [(p.label, p.probabilities, p.vote_shares, p.abstain) for p in model.predict(texts, readers)]


# -- the folder of a run ----------------------------------------------------------------------------------


def test_a_run_of_two_seeds_and_its_folder(world, saved_lm, tmp_path):
    config, data = world.tiny_config(f"backbone.name={saved_lm}", "train.epochs=1"), world.tiny_dataset()
    told = []
    models = run_seeds(
        config,
        data,
        tmp_path / "run",
        [0, 3],
        report=lambda seed: lambda step, total, losses: told.append((seed, step, total)),
    )
    assert told == [(seed, step, 4) for seed in (0, 3) for step in (1, 2, 3, 4)]
    run = tmp_path / "run"
    assert sorted(path.name for path in run.iterdir()) == ["config.yaml", "manifest.json", "seed-0", "seed-3"]
    facts = yaml.safe_load((run / "config.yaml").read_text())
    assert facts["config"] == config.model_dump(mode="json")
    declared = {"licences": ["CC0-1.0"], "offensive": False}
    assert facts["data"] == {"name": "tiny", "sha256": data_hash(data)} | declared
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["seeds"] == [0, 3]
    assert manifest["dataset"]["rows"] == {"train": 96, "valid": 32}
    assert manifest["dataset"]["licences"] == ["CC0-1.0"]
    assert manifest["seconds"].keys() == {"seed-0", "seed-3"}
    weights = [(run / f"seed-{seed}" / "model" / "model.safetensors").read_bytes() for seed in (0, 3)]
    assert weights[0] != weights[1]
    again = run_seeds(config, data, run, [0, 3], resume=True)
    assert [readings(m, world) for m in again] == [readings(m, world) for m in models]
    assert json.loads((run / "manifest.json").read_text())["seconds"] == manifest["seconds"]


def test_a_folder_that_holds_a_run_is_not_taken(world, tmp_path):
    config, data = world.tiny_config(), world.tiny_dataset()
    open_run(tmp_path, config, data, resume=False)
    before = (tmp_path / "config.yaml").read_bytes()
    with pytest.raises(CalmError, match=r"\[T30\].*--resume"):
        open_run(tmp_path, config, data, resume=False)
    open_run(tmp_path, config, data, resume=True)
    others = [
        (world.tiny_config("train.epochs=4"), data),
        (config, replace(data, name="other")),
        (config, world.tiny_dataset(n_train=23)),
    ]
    for other_config, other_data in others:
        with pytest.raises(CalmError, match=r"\[T31\]"):
            open_run(tmp_path, other_config, other_data, resume=True)
    assert (tmp_path / "config.yaml").read_bytes() == before


@pytest.mark.parametrize("damage", [b"a: [", b"\xff\xfe", b"a: 2001-13-45"])
def test_a_damaged_configuration_is_named(world, tmp_path, damage):
    (tmp_path / "config.yaml").write_bytes(damage)
    with pytest.raises(CalmError, match=r"\[T32\]"):
        open_run(tmp_path, world.tiny_config(), world.tiny_dataset(), resume=True)


def test_the_hash_of_the_data_sees_every_field_and_nothing_else(world):
    data = world.tiny_dataset()
    row = data.splits["train"][0]
    seen = {data_hash(data)}
    for change in ({"text": "x"}, {"label": None}, {"votes": (1, 1)}, {"reader": None}, {"group": "x"}):
        rows = (replace(row, **change), *data.splits["train"][1:])
        seen.add(data_hash(replace(data, splits={**data.splits, "train": rows})))
    assert len(seen) == 6
    swapped = dict(reversed(data.splits.items()))
    assert data_hash(replace(data, splits=swapped)) == data_hash(data)


# -- training ---------------------------------------------------------------------------------------------


def test_training_learns_what_depends_on_text_and_reader(world, pretrained, tmp_path):
    """The invented labels follow from the act and the reader; the uniform answer costs log 2."""
    pace = (
        "train.epochs=18",
        "train.learning_rate=0.02",
        "model.profile_tokens=8",
        "train.weights.reflect=0",
    )
    config = world.tiny_config(*pace, "model.probe=false", "train.target=labels", *world.QUIET)
    data = world.tiny_dataset(48, 16)
    fit_model(config, data, pretrained, seed=0, folder=tmp_path)
    scores = [line["valid"] for line in log_of(tmp_path) if "valid" in line]
    assert min(scores) < 0.5 < scores[0]


def test_lora_trains_and_its_saved_model_reads_the_same(world, saved_lm, tmp_path):
    config = world.tiny_config(f"backbone.name={saved_lm}", "train.epochs=2", *world.LORA)
    data = world.tiny_dataset()
    (model,) = run_seeds(config, data, tmp_path / "run", [0])
    deltas = model.lm.lora_state()
    assert {name.split(".")[1] for name in deltas} == {"1", "2"}
    assert all(value.any() for name, value in deltas.items() if "lora_B" in name)  # zero before training
    fresh = world.tiny_lm()
    frozen = dict(fresh.model.named_parameters())
    for name, value in model.lm.model.named_parameters():
        if "lora_" not in name:
            assert torch.equal(value, frozen[name.replace(".base_layer", "")]), name
    loaded = CalmModel.from_pretrained(tmp_path / "run" / "seed-0" / "model")
    assert readings(loaded, world) == readings(model, world)
    loaded.lm.remove_lora()
    loaded.base_layer = loaded.read_layer
    loaded.views.layer = loaded.read_layer
    assert readings(loaded, world) != readings(model, world)


def test_each_seed_of_a_lora_run_starts_from_the_untouched_backbone(world, saved_lm, tmp_path):
    config = world.tiny_config(f"backbone.name={saved_lm}", "train.epochs=1", *world.LORA)
    run_seeds(config, world.tiny_dataset(), tmp_path / "both", [0, 1])
    run_seeds(config, world.tiny_dataset(), tmp_path / "one", [1])
    both, one = (tmp_path / n / "seed-1" / "model" / "model.safetensors" for n in ("both", "one"))
    assert both.read_bytes() == one.read_bytes()


def test_a_new_run_ignores_checkpoints_of_an_older_one(world, pretrained, tmp_path):
    config = world.tiny_config()
    fit_model(config, world.tiny_dataset(), pretrained, seed=1, folder=tmp_path)
    stale = complete_checkpoints(tmp_path)[-1]
    assert stale.name == "checkpoint-00000012"
    short = world.tiny_config("train.epochs=1")
    fit_model(short, world.tiny_dataset(), pretrained, seed=0, folder=tmp_path)
    assert [path.name for path in complete_checkpoints(tmp_path)] == ["checkpoint-00000003"]
    assert len([line for line in log_of(tmp_path) if "loss" in line]) == 4


def test_a_checkpoint_of_another_shape_is_refused(world, pretrained, tmp_path):
    fit_model(world.tiny_config("train.epochs=1"), world.tiny_dataset(), pretrained, seed=0, folder=tmp_path)
    other = world.tiny_config("train.epochs=1", "model.width=24")
    with pytest.raises(CalmError, match=r"\[T11\]"):
        fit_model(other, world.tiny_dataset(), pretrained, seed=0, folder=tmp_path, resume=True)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_checkpoint(world, pretrained, tmp_path, monkeypatch):
    real = trainer_module.objective

    def breaks(out, *args):
        loss, terms = real(out, *args)
        return (loss * float("nan") if (tmp_path / "checkpoint-00000006").exists() else loss), terms

    monkeypatch.setattr(trainer_module, "objective", breaks)
    with pytest.raises(CalmError, match=r"\[T04\].*step 6"):
        fit_model(world.tiny_config(), world.tiny_dataset(), pretrained, seed=0, folder=tmp_path)
    assert load_checkpoint(complete_checkpoints(tmp_path)[-1]).progress.step == 6


class Scores:
    """Validation scores as told, in the place of measured ones; remembers the weights they were given for."""

    def __init__(self, monkeypatch, scores):
        self.scores, self.weights = list(scores), []
        monkeypatch.setattr(trainer_module, "validation_score", self)

    def __call__(self, model, lesson, *, reflecting):
        self.weights.append(model.network.head.weight.detach().clone())
        return self.scores[len(self.weights) - 1]


EARLY = ("train.evaluations=12", "train.reflect_from=0.16")  # every step is judged, those after the second count
TOLD = [0.1, 0.1, 0.5, 0.4, 0.6, 0.7, 0.3, 0.2, 0.5, 0.5, 0.5, 0.5]


def test_the_best_weights_are_kept(world, pretrained, tmp_path, monkeypatch):
    scores = Scores(monkeypatch, TOLD)
    config = world.tiny_config(*EARLY)
    model = fit_model(config, world.tiny_dataset(), pretrained, seed=0, folder=tmp_path)
    assert len(scores.weights) == 12
    assert torch.equal(model.network.head.weight, scores.weights[7])


def test_a_run_without_gain_stops_early(world, pretrained, tmp_path, monkeypatch):
    scores = Scores(monkeypatch, TOLD)
    config = world.tiny_config(*EARLY, "train.patience=2")
    model = fit_model(config, world.tiny_dataset(), pretrained, seed=0, folder=tmp_path)
    assert len(scores.weights) == 6
    assert torch.equal(model.network.head.weight, scores.weights[3])


def test_best_weights_and_patience_survive_a_restart(world, pretrained, tmp_path, monkeypatch):
    """Stopped in step 5, resumed from the checkpoint of step 4, whose weights were the best so far."""

    class Stopped(Exception):
        pass

    def stop(step, total, losses):
        if step == 5:
            raise Stopped

    scores = Scores(monkeypatch, TOLD)
    config = world.tiny_config(*EARLY, "train.patience=2", "train.checkpoint_every=1")
    with pytest.raises(Stopped):
        fit_model(config, world.tiny_dataset(), pretrained, seed=0, folder=tmp_path, report=stop)
    best = scores.weights[3]
    again = Scores(monkeypatch, TOLD[4:])
    model = fit_model(config, world.tiny_dataset(), pretrained, seed=0, folder=tmp_path, resume=True)
    assert len(again.weights) == 2
    assert torch.equal(model.network.head.weight, best)


def test_before_reflection_is_trained_no_weights_count_as_best(world, pretrained, tmp_path, monkeypatch):
    scores = Scores(monkeypatch, [0.1] * 6 + [0.5, 0.3, 0.4, 0.5, 0.6, 0.7])
    config = world.tiny_config("train.evaluations=12", "train.reflect_from=0.5")
    model = fit_model(config, world.tiny_dataset(), pretrained, seed=0, folder=tmp_path)
    assert torch.equal(model.network.head.weight, scores.weights[7])


def test_without_validation_rows_the_last_weights_are_kept(world, pretrained, tmp_path):
    data = replace(world.tiny_dataset(), splits={"train": world.tiny_dataset().splits["train"]})
    model = fit_model(world.tiny_config(), data, pretrained, seed=0, folder=tmp_path)
    assert not any("valid" in line for line in log_of(tmp_path))
    assert model.manifest.calibration.label_temperature == 1.0
    last = load_checkpoint(complete_checkpoints(tmp_path)[-1])
    assert last.progress.step == 12
    assert torch.equal(model.network.head.weight, last.tensors["weights.network.head.weight"])


def test_a_lora_run_without_validation_rows_ends_without_dropout(world, pretrained, tmp_path):
    data = replace(world.tiny_dataset(), splits={"train": world.tiny_dataset().splits["train"]})
    config = world.tiny_config("train.epochs=1", *world.LORA[:2], "backbone.lora_dropout=0.5")
    model = fit_model(config, data, pretrained, seed=0, folder=tmp_path)
    assert readings(model, world) == readings(model, world)


def test_one_culture_or_none_trains_with_the_window_off(world, pretrained, tmp_path):
    fit_model(
        world.tiny_config("train.epochs=1"), world.tiny_dataset(readers=("SG",)), pretrained, seed=0, folder=tmp_path
    )
    assert all("contrast_explicit" not in line for line in log_of(tmp_path))
    nobody = replace(world.tiny_dataset(), contrast=None)
    fit_model(world.tiny_config("train.epochs=1"), nobody, pretrained, seed=0, folder=tmp_path / "none")
    alone = world.tiny_config(
        *(f"train.weights.{name}=0" for name in ("task", "decouple", "balance", "dispatch")), "train.epochs=1"
    )
    with pytest.raises(CalmError, match=r"\[T08\]"):
        fit_model(alone, nobody, pretrained, seed=0, folder=tmp_path / "nothing")


def test_a_blind_model_reads_nobody(world, pretrained, tmp_path):
    model = fit_model(
        world.tiny_config("train.epochs=1", "readers=false"), world.tiny_dataset(), pretrained, seed=0, folder=tmp_path
    )
    assert model.manifest.readers == ()
    assert model.predict([world.TEXTS[0]], [None])[0].label in world.LABELS


def test_a_set_without_labels_trains_the_window_alone(world, pretrained, tmp_path):
    rows = tuple(
        Example(text, str(i), str(i), None, author=Blend.of(world.READERS[i % 4]))
        for i, text in enumerate(world.TEXTS[:24])
    )
    data = Dataset("values", (), 0, {"train": rows[:18], "valid": rows[18:]}, "author")
    model = fit_model(world.tiny_config("train.epochs=1"), data, pretrained, seed=0, folder=tmp_path)
    assert model.manifest.cultures == ("AU", "GB", "SG", "US")
    assert model.network.class_means.any()
    save_seed(model, tmp_path)
    assert (tmp_path / "model" / "config.json").is_file()


def test_a_set_without_training_rows_is_refused(world, pretrained, tmp_path):
    data = replace(world.tiny_dataset(), splits={"valid": world.tiny_dataset().splits["valid"]})
    with pytest.raises(CalmError, match=r"\[T03\].*'train'"):
        fit_model(world.tiny_config(), data, pretrained, seed=0, folder=tmp_path)


def test_evidence_and_lora_exclude_each_other(world, pretrained, tmp_path):
    class Norms:
        def search(self, *_args, **_kwargs):
            raise AssertionError("must not be asked")

    with pytest.raises(CalmError, match=r"\[T05\]"):
        fit_model(
            world.tiny_config(*world.LORA), world.tiny_dataset(), pretrained, seed=0, folder=tmp_path, norms=Norms()
        )


def test_norms_without_readers_are_refused_rather_than_never_cited(world, pretrained, tmp_path):
    class Norms:
        def search(self, *_args, **_kwargs):
            raise AssertionError("must not be asked")

    config = world.tiny_config("readers=false")
    with pytest.raises(CalmError, match=r"\[T13\]"):
        fit_model(config, world.tiny_dataset(), pretrained, seed=0, folder=tmp_path, norms=Norms())


def test_another_backbone_is_another_run(world, pretrained, tmp_path):
    """The same configuration on other weights must not reuse cached states."""
    config, data = world.tiny_config("train.epochs=1"), world.tiny_dataset()
    one = fit_model(config, data, pretrained, seed=0, folder=tmp_path / "a")
    other = fit_model(config, data, Pretrained(world.tiny_lm(seed=9), None), seed=0, folder=tmp_path / "b")
    assert not torch.equal(one.network.scale.mean, other.network.scale.mean)
