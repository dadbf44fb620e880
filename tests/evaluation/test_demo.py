"""The demonstration: what it picks, how it counts, what it says of who wins, and the whole of it on a tiny backbone."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.culture.blend import Blend
from calm_lm.data import registry
from calm_lm.data.example import Example
from calm_lm.evaluation.demo import BASELINES, CALM, CEILING, PERMUTED, DemoResult, Lead, leads, run_demo, summarise
from calm_lm.evaluation.pages.demo import abstention_sentences, demo_page, reflection_sentence
from calm_lm.evaluation.plane import lay_out
from calm_lm.evaluation.showcase import Judged, pick_abstention, pick_reflections, pick_situations
from calm_lm.evaluation.system import Answers
from calm_lm.model.answers import Prediction
from calm_lm.training.presets import build_config, read_recipe

NAMES = ("expected", "fine", "out_of_place", "varies")
COUNTRIES = ("AU", "BR", "CN", "DE")


def judged(labels: dict[str, str], drafts: list[int] | None = None, finals: list[int] | None = None) -> Judged:
    """Situations by name (`topic/number`), a digit a country; answers that put 0.7 on one label."""
    examples = tuple(
        Example(name, f"{name}:{c}", name, int(digit), reader=Blend.of(c), source=name.split("/")[0])
        for name, digits in labels.items()
        for c, digit in zip(COUNTRIES, digits, strict=True)
    )
    truth = [example.label or 0 for example in examples]
    shares, before = (np.full((len(truth), 4), 0.1) for _ in range(2))
    shares[range(len(truth)), finals or truth] = 0.7
    before[range(len(truth)), drafts or finals or truth] = 0.7
    return Judged("test", examples, Answers(shares, before, shares.argmax(1) != before.argmax(1)))


class Stub:
    """A model that answers `fine` and remembers what it was asked."""

    def __init__(self, threshold: float = 0.0) -> None:
        self.manifest = SimpleNamespace(labels=NAMES, calibration=SimpleNamespace(abstain_below=threshold))
        self.asked: list[tuple[str, str]] = []

    def predict(self, texts: list[str], readers: list[Blend]) -> list[Prediction]:
        self.asked.append((texts[0], str(readers[0])))
        return [Prediction(str(readers[0]), "fine", dict.fromkeys(NAMES, 0.25), None, False, "fine", ())]


def test_situations_differ_most_one_a_topic_and_the_worst_of_the_rest() -> None:
    labels = {"tea/1": "0123", "tea/2": "0012", "road/1": "0011", "food/1": "0112", "home/1": "0000", "home/2": "3333"}
    truth = [int(d) for digits in labels.values() for d in digits]
    finals = [*truth[:16], 0, 0, 0, 1, 3, 0, 0, 0]  # home/1 one wrong, home/2 three wrong
    picked = pick_situations(judged(labels, finals=finals), NAMES)
    assert [situation.text for situation in picked] == ["tea/1", "food/1", "road/1", "home/2"]
    assert [reading.country for reading in picked[0].readings] == list(COUNTRIES)
    assert [reading.documented for reading in picked[0].readings] == list(NAMES)
    assert [situation.agreeing for situation in picked] == [4, 4, 4, 1]
    assert "wrong" in picked[3].picked
    assert picked[3].readings[1].predicted == "expected"


def test_reflections_are_counted_and_the_largest_move_is_shown() -> None:
    # truth 0 0 0 0 | 1 1 1 1: rightly, rightly, wrongly, kept | wrong to wrong, kept, kept, kept
    found = judged({"a/1": "0000", "b/1": "1111"}, drafts=[1, 2, 0, 0, 2, 1, 1, 1], finals=[0, 0, 3, 0, 3, 1, 1, 1])
    found.answers.shares[1] = [0.97, 0.01, 0.01, 0.01]  # a larger move than that of the first row
    model = Stub()
    told = pick_reflections(model, (found, found))
    assert (told.rows, told.rightly, told.wrongly, told.between_wrong) == (8, 2, 1, 1)
    assert [each.kind for each in told.examples] == ["changed rightly", "kept", "changed wrongly"]
    assert model.asked[0] == ("a/1", "BR")
    assert model.asked[2] == ("a/1", "CN")
    assert told.examples[2].documented == "expected"


def test_a_kind_missing_from_test_is_looked_for_in_validation() -> None:
    test, valid = judged({"a/1": "0000"}), judged({"v/1": "0000"}, drafts=[1, 0, 0, 0], finals=[0, 0, 0, 0])
    told = pick_reflections(Stub(), (test, Judged("valid", valid.examples, valid.answers)))
    assert [each.split for each in told.examples] == ["valid", "test", None]
    assert (told.rightly, told.wrongly) == (0, 0)
    assert told.examples[2].prediction is None


def test_abstention_withholds_the_unsure_and_says_what_that_is_worth() -> None:
    found = judged({"a/1": "0000"}, finals=[0, 0, 1, 1])
    found.answers.shares[3] = [0.2, 0.3, 0.25, 0.25]
    told = pick_abstention(Stub(threshold=0.5), found)
    assert (told.share, told.accuracy_all, told.accuracy_answered) == (0.25, 0.5, pytest.approx(2 / 3))
    assert (told.text, told.country, told.documented) == ("a/1", "DE", "expected")
    assert pick_abstention(Stub(), found).prediction is None
    assert pick_abstention(Stub(), found).threshold is None
    assert pick_abstention(Stub(threshold=0.99), found).accuracy_answered is None


def comparison(gaps: dict[str, tuple[float, float, float]]) -> dict:
    """Of three baselines `nearest` is best on every metric; gaps are CALM minus it with their interval."""
    higher = {"accuracy": True, "macro_f1": True, "cross_entropy": False}
    worth = {name: (0.6 if up else 1.0) for name, up in higher.items()}
    poor = {name: {"mean": 0.5 if up else 1.2} for name, up in higher.items()}
    best = {name: {"mean": value} for name, value in worth.items()}
    near = {name: {"difference": d, "interval": [low, high]} for name, (d, low, high) in gaps.items()}
    nothing = {name: {"difference": 0.0, "interval": [0.0, 0.0]} for name in gaps}
    return {
        "baselines": {"both": poor, "both-by-reader": poor, "nearest": best},
        "paired": {"both": nothing, "both-by-reader": nothing, "nearest": near},
    }


def test_a_lower_cross_entropy_is_a_lead() -> None:
    gaps = {"accuracy": (-0.1, -0.2, -0.01), "macro_f1": (0.02, -0.01, 0.05), "cross_entropy": (-0.3, -0.4, -0.2)}
    found = leads(comparison(gaps))
    assert [lead.baseline for lead in found] == [BASELINES["nearest"]] * 3
    assert [lead.ahead for lead in found] == [-0.1, 0.02, 0.3]
    assert [lead.clear for lead in found] == [True, False, True]
    assert (found[2].low, found[2].high) == (0.2, 0.4)
    assert "the best baseline, nearest neighbour per country, is ahead by 0.100" in found[0].sentence()
    assert "no clear difference" in found[1].sentence()
    assert found[2].sentence().startswith("cross-entropy: CALM is ahead of the best baseline")
    said = summarise(found)
    assert "does not win on every metric" in said
    assert "clearly ahead on cross-entropy" in said
    assert "clearly behind on accuracy" in said


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1)), min_size=3, max_size=3))
def test_only_clear_leads_everywhere_are_called_a_win(given_leads: list[tuple[float, float]]) -> None:
    found = [Lead(str(i), "b", middle, middle - half, middle + half) for i, (middle, half) in enumerate(given_leads)]
    assert summarise(found).startswith("CALM wins") == all(middle - half > 0 for middle, half in given_leads)


def rows_of(table: np.ndarray, names: list[str]) -> list[Example]:
    return [
        Example(f"t{t}", f"{t}{n}", f"t{t}", int(table[t, i]), reader=Blend.of(n))
        for t in range(len(table))
        for i, n in enumerate(names)
    ]


def test_the_plane_is_that_of_principal_components() -> None:
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(3)
    names = ["AU", "BR", "CN", "DE", "EG", "GB"]
    states = rng.normal(size=(6, 9))
    blended = np.vstack([states, (states[1] + states[4]) / 2])
    readers = [*map(Blend.of, names), Blend.parse("BR=0.5,EG=0.5")]
    plane = lay_out(blended, readers, rows_of(rng.integers(0, 4, (30, 6)), names), 30)
    reference = PCA(2).fit(states)
    flat = np.array([(point.x, point.y) for point in plane.points])
    assert np.abs(flat[:6]) == pytest.approx(np.abs(reference.transform(states)))
    assert plane.explained == pytest.approx(tuple(reference.explained_variance_ratio_))
    assert flat[6] == pytest.approx((flat[1] + flat[4]) / 2)
    assert [point.blend for point in plane.points] == [False] * 6 + [True]
    assert all(flat[:6][np.abs(flat[:6, axis]).argmax(), axis] > 0 for axis in (0, 1))
    turn = np.linalg.qr(rng.normal(size=(9, 9)))[0]
    turned = lay_out(blended @ turn + 5.0, readers, rows_of(rng.integers(0, 4, (30, 6)), names), 30)
    assert [(p.x, p.y) for p in turned.points] == [pytest.approx((p.x, p.y)) for p in plane.points]


def test_states_made_of_the_norms_agree_with_the_norms_and_chance_does_not() -> None:
    rng = np.random.default_rng(0)
    names = ["AU", "BR", "CN", "DE", "EG", "GB", "IN", "JP"]
    base = rng.integers(0, 4, (200, 1))
    mixing = np.linspace(0.05, 0.9, len(names))
    table = np.where(rng.random((200, len(names))) < mixing, rng.integers(0, 4, (200, len(names))), base)
    one_hot = np.eye(4)[table].transpose(1, 0, 2).reshape(len(names), -1)
    readers = [Blend.of(name) for name in names]
    planted = lay_out(one_hot, readers, rows_of(table, names), 200)
    assert planted.agreement == pytest.approx(1.0)  # distances are monotone in disagreement
    assert planted.p == pytest.approx(0.001)
    shares = np.stack([(table == label).mean(0) for label in range(4)])
    axis = [point.x for point in planted.points]
    assert planted.follows == pytest.approx(np.corrcoef(axis, shares[planted.label])[0, 1])
    assert all(abs(planted.follows) >= abs(np.corrcoef(axis, share)[0, 1]) - 1e-9 for share in shares)
    chance = lay_out(rng.normal(size=(len(names), 9)), readers, rows_of(table, names), 200)
    assert abs(chance.agreement or 0.0) < 0.6
    assert (chance.p or 0.0) > 0.01


# -- the whole of it ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The demo's recipe on a language model of a few thousand parameters, three dozen steps."""
    place = Path(__file__).parent.parent / "training" / "tiny_world.py"
    spec = importlib.util.spec_from_file_location("tiny_world", place)
    world = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(world)
    backbone = {"name": str(world.save_lm(tmp_path_factory.mktemp("lm"))), "sentence": None, "read_layer": 2}
    model = {"width": 16, "mlp_hidden": 16, "cluster_hidden": 8, "expert_ff": 16, "expert_layers": 1}
    train = {"epochs": 0.25, "evaluations": 2, "learning_rate": 3e-3, "settle": 0.0}
    return read_recipe("demo") | {"backbone": backbone, "model": model, "train": train}


class Shop:
    """Runs `calm demo` in one folder, as a user does, and keeps what it computed."""

    def __init__(self, folder: Path, settings: dict) -> None:
        self.folder, self.settings = folder, settings

    def run(self, json_copy: str) -> DemoResult:
        from calm_lm.cli.main import main

        results: list[DemoResult] = []

        def remember(*arguments: Any, **named: Any) -> DemoResult:
            results.append(run_demo(*arguments, **named))
            return results[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CALM_CACHE", str(self.folder / "cache"))
            patch.setenv("COLUMNS", "100")
            patch.setattr("calm_lm.training.presets.read_recipe", lambda name: dict(self.settings))
            patch.setattr("calm_lm.evaluation.demo.run_demo", remember)
            with pytest.raises(SystemExit) as stop:
                main(["demo", "--out", str(self.folder / "out"), "--json", str(self.folder / json_copy)])
        assert not stop.value.code
        return results[0]


@pytest.fixture(scope="module")
def shown(settings, tmp_path_factory) -> SimpleNamespace:
    """`calm demo` once."""
    shop = Shop(tmp_path_factory.mktemp("demo"), settings)
    return SimpleNamespace(shop=shop, folder=shop.folder, result=shop.run("copy.json"))


def test_the_demo_leaves_a_report_its_json_and_an_ordinary_run(shown) -> None:
    out = shown.folder / "out"
    assert (out / "run" / "seed-0" / "model" / "model.safetensors").is_file()
    told = json.loads((out / "demo.json").read_text())
    assert told == json.loads((shown.folder / "copy.json").read_text())
    assert [table["split"] for table in told["tables"]] == ["test", "test_new_family"]
    assert len(told["situations"]) == 4
    assert [len(situation["readings"]) for situation in told["situations"]] == [12] * 4
    assert len(told["plane"]["points"]) == 13
    assert set(told["seconds"]) >= {"training, texts read", "answering", "baselines", "intervals"}


def test_the_report_holds_nothing_that_differs_between_runs(shown) -> None:
    assert (shown.folder / "out" / "report.html").read_text() == demo_page(shown.result)


@pytest.mark.slow
def test_a_finished_run_is_shown_again_with_the_same_bytes(shown) -> None:
    first = (shown.folder / "out" / "report.html").read_bytes()
    weights = shown.folder / "out" / "run" / "seed-0" / "model" / "model.safetensors"
    written = weights.stat().st_mtime_ns
    shown.shop.run("again.json")
    assert (shown.folder / "out" / "report.html").read_bytes() == first
    assert weights.stat().st_mtime_ns == written
    told = [json.loads((shown.folder / f"{name}.json").read_text()) for name in ("copy", "again")]
    assert told[0].pop("seconds") != told[1].pop("seconds")
    assert told[0] == told[1]


def test_tables_hold_every_system_on_one_scale(shown) -> None:
    # There is no sentence view here.
    fitted = [title for name, title in BASELINES.items() if name not in ("both", "lookup")]
    for table in shown.result.tables:
        assert [row.system for row in table.systems] == [CEILING, *fitted, CALM, PERMUTED]
        assert table.systems[0].scores[1:] == (None, None)
        for row in table.systems[1:]:
            for score, higher in zip(row.scores, table.higher_is_better, strict=True):
                assert score.interval[0] <= score.mean <= score.interval[1]
                assert score.worst <= score.mean if higher else score.worst >= score.mean
        assert len(table.verdicts) == 4


def test_sentences_fit_their_numbers(shown) -> None:
    counts = shown.result.reflections
    changed = counts.rightly + counts.wrongly + counts.between_wrong
    assert (f"changed {changed} of the 624" if changed else "changed none of the 624") in reflection_sentence(
        shown.result
    )
    assert len(abstention_sentences(shown.result)) == 1


@pytest.mark.slow
@pytest.mark.lm
def test_on_the_embedded_model_knowing_the_reader_is_measured(tmp_path, monkeypatch) -> None:
    settings = read_recipe("demo")
    dataset = registry.load(settings.pop("data"))
    result = run_demo(build_config(settings, ["train.epochs=1"]), dataset, tmp_path / "run")
    both, by_reader = (
        next(row for row in result.tables[0].systems if row.system == BASELINES[name])
        for name in ("both", "both-by-reader")
    )
    assert by_reader.scores[0].mean > both.scores[0].mean + 0.05  # the task needs the reader, and features can use it
    assert result.tables[0].systems[0].scores[0].mean == pytest.approx(0.51, abs=0.01)
