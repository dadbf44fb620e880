"""The kind of labelled texts, judged on invented rows by subjects whose answers are planted."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scripted import Scripted, silent, uniform

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset, Example
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer
from calm_lm.evaluation.kinds.label_figures import calibration_bins, permuted, ranked
from calm_lm.evaluation.kinds.label_rows import choose_rows
from calm_lm.evaluation.kinds.labels import run, votes_of_others
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task
from calm_lm.stats.calibration_error import root, squared_calibration_error
from calm_lm.stats.classification import auroc
from calm_lm.stats.probability import expected_calibration_error

BOTH = parse_conditions(["neutral", "persona+country"])
HEADER = ["identity", "attribute", "region_stereo", "region_nonstereo", "region_unsure"]
HEADER += ["NA_stereo", "NA_nonstereo", "NA_unsure"]
# votes for "stereotype" among three, in the region and from outside
PAIRS = {("Thai", "a"): (3, 0), ("Thai", "b"): (0, 2), ("Irish", "c"): (2, 3), ("Irish", "d"): (0, 0)}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "seegull" / "stereotypes_global_v2.csv"
    path.parent.mkdir()
    rows = [[*pair, inside, 3 - inside, 0, outside, 3 - outside, 0] for pair, (inside, outside) in PAIRS.items()]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([HEADER, *rows])
    return tmp_path


def plan_of(folder, *, task="seegull", conditions=BOTH, items=None) -> Plan:
    return Plan(Wanted(load_task(task), items), conditions, folder, replicates=40)


def told(subject, plan) -> dict:
    found = run(Asker(subject, None, silent), plan).to_json()
    json.dumps(found, allow_nan=False)
    return found


def likes_people(asked: Choice) -> ChoiceAnswer:
    """The shares of the side whose place is named; one half where nobody is."""
    _, row, _, place = asked.id.split("/")
    inside, outside = list(PAIRS.values())[int(row) - 2]
    yes = 0.5 if not place else (outside if place == "x-north-america" else inside) / 3
    return ChoiceAnswer((1 - yes, yes), mass=0.8)


def test_answering_as_each_side_votes_costs_what_the_votes_cost_and_exchanged_readers_cost_more(folder):
    found = told(Scripted(likes_people), plan_of(folder))
    systems = found["systems"]
    persona, people = (systems[name]["metrics"]["cross_entropy"]["mean"] for name in ("persona+country", "people"))
    third = -(2 * math.log(2 / 3) + math.log(1 / 3)) / 3  # two of three votes; unanimous rows cost nothing
    assert people == pytest.approx(third / 4)  # one such row of four on each side
    assert persona == pytest.approx(people, abs=1e-6)
    assert systems["persona+country"]["metrics"]["accuracy"]["mean"] == 1
    assert systems["persona+country/permuted"]["metrics"]["accuracy"]["mean"] == pytest.approx(0.5)
    assert systems["persona+country/permuted"]["metrics"]["cross_entropy"]["mean"] > people
    assert systems["neutral"]["metrics"]["cross_entropy"]["mean"] == pytest.approx(math.log(2))


def test_who_is_named_is_asked_once_a_side_and_nobody_once_a_text(folder):
    subject = Scripted(uniform)
    told(subject, plan_of(folder))
    presentations = 2
    assert len(subject.asked) == presentations * (len(PAIRS) + 2 * len(PAIRS))
    named = {question.prompt.setting for question in subject.asked}
    assert "" in named
    assert any("Thailand" in text for text in named)  # people of the region are from where the identity is
    assert any("north america" in text for text in named)


def test_the_contrast_is_the_accuracy_there_minus_the_accuracy_outside(folder):
    def inside_only(asked: Choice) -> ChoiceAnswer:
        inside, _ = list(PAIRS.values())[int(asked.id.split("/")[1]) - 2]
        return ChoiceAnswer((0.1, 0.9) if inside >= 2 else (0.9, 0.1))

    figure = told(Scripted(inside_only), plan_of(folder))["systems"]["neutral"]["figures"]["contrast"]
    assert figure["value"] == pytest.approx(1 - 0.5)  # right on all four there, on the two agreed ones outside
    assert figure["dimension"] == "fairness"


def test_false_alarms_count_texts_that_nobody_calls_so(folder):
    always = Scripted(lambda asked: ChoiceAnswer((0.2, 0.8)))
    never = Scripted(lambda asked: ChoiceAnswer((0.8, 0.2)))
    rates = [
        told(each, plan_of(folder))["systems"]["neutral"]["figures"]["false_positive_rate"] for each in (always, never)
    ]
    assert [each["value"] for each in rates] == [1, 0]


def test_what_was_no_answer_is_wrong_and_told(folder):
    found = told(Scripted(lambda asked: ChoiceAnswer((), refused=1.0)), plan_of(folder))["systems"]["neutral"]
    assert found["metrics"]["accuracy"]["mean"] == 0
    assert found["metrics"]["cross_entropy"]["mean"] is None
    assert found["figures"]["no_answer"]["value"] == 1


def test_sampled_answers_never_cost_without_bound(folder):
    subject = Scripted(lambda asked: ChoiceAnswer((1.0, 0.0), samples=5))
    subject.exact, subject.settings = False, {"samples": 5}
    cost = told(subject, plan_of(folder))["systems"]["neutral"]["metrics"]["cross_entropy"]["by_culture"]["x-in-region"]
    missed = -math.log(0.5 / 11)  # ten samples, none of this label
    assert cost["value"] == pytest.approx((5 / 3 * missed - 7 / 3 * math.log(10.5 / 11)) / 4)


def test_texts_of_offensive_sets_are_not_in_the_result(folder):
    found = json.dumps(told(Scripted(uniform), plan_of(folder)))
    assert "Attribute" not in found
    assert "Thai" not in found


def test_conditions_and_splits_that_do_not_fit_are_named(folder):
    (folder / "genil").mkdir()
    (folder / "genil/en.csv").write_text("sentence,generalizing,identity,attribute\nOne.,0,Thai,old\nTwo.,1,Thai,old\n")
    with pytest.raises(CalmError, match="E60"):
        told(Scripted(uniform), plan_of(folder, task="genil", conditions=parse_conditions(["persona+country"])))
    left_out = told(Scripted(uniform), plan_of(folder, task="genil"))["asked"]["conditions_left_out"]
    assert list(left_out) == ["persona+country"]
    task = load_task("seegull").model_copy(update={"settings": {"split": "valid"}})
    with pytest.raises(CalmError, match="E61"):
        told(Scripted(uniform), Plan(Wanted(task), BOTH, folder))


def test_precision_weighs_a_sample_by_label_back_to_the_data_set(folder):
    """Half of the sample generalises, a tenth of the data set does: no ranking means a precision of a tenth."""
    lines = [f"Sentence {at}.,{int(at % 10 == 0)},Thai,old" for at in range(100)]
    (folder / "genil").mkdir()
    (folder / "genil/en.csv").write_text("\n".join(["sentence,generalizing,identity,attribute", *lines]))
    found = told(Scripted(lambda asked: ChoiceAnswer((0.4, 0.6))), plan_of(folder, task="genil", items=20))
    figures = found["systems"]["neutral"]["figures"]
    assert found["asked"]["positive"] == 0.5
    for name in ("average_precision", "precision"):
        assert figures[name]["value"] == pytest.approx(0.1)
    assert figures["recall"]["value"] == 1
    assert found["systems"]["neutral"]["metrics"]["ranked"]["mean"] == pytest.approx(0.5)


def rows_of(labels, cultures):
    examples = tuple(
        Example(f"text {at}", f"{at}/{culture}", str(at), label, reader=Blend.of(culture))
        for at, (label, culture) in enumerate(zip(labels, cultures, strict=True))
    )
    data = Dataset("invented", ("no", "yes"), 1, {"test": examples}, "reader")
    task = load_task("seegull").model_copy(update={"settings": {"culture": "reader"}})
    return choose_rows(data, Plan(Wanted(task), BOTH))


def test_ranks_average_to_the_area_under_the_curve_in_every_culture():
    rng = np.random.default_rng(3)
    cultures = np.repeat(["AU", "SG"], 40)
    rows = rows_of(rng.integers(0, 2, 80).tolist(), cultures.tolist())
    score = rng.integers(0, 9, 80) / 8  # with ties
    found = ranked(rows, score)
    for name in ("AU", "SG"):
        here = cultures == name
        assert found[here].mean() == pytest.approx(auroc(rows.labels[here], score[here]))


def test_calibration_bins_by_hand():
    shares = np.array([[0.95, 0.05], [0.08, 0.92], [0.55, 0.45]])
    truth = np.array([[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]])
    middle, top = calibration_bins(shares, truth)
    assert (middle["from"], middle["rows"], middle["right"]) == (0.5, 1, 0.25)
    assert (top["rows"], top["right"], top["confidence"]) == (2, 0.75, pytest.approx(0.935))


def test_permuted_answers_stay_with_their_text_and_leave_their_reader(folder):
    from calm_lm.data.benchmarks.registry import load_dataset

    rows = choose_rows(load_dataset("seegull", folder), plan_of(folder))
    at = permuted(rows, np.arange(len(rows))[:, None]).ravel().astype(int)
    for row, other in enumerate(at.tolist()):
        assert rows.units[row] == rows.units[other]
        assert rows.cultures[row] != rows.cultures[other]


def test_texts_with_one_reader_are_in_no_control_and_cost_the_others_nothing(monkeypatch, folder):
    from calm_lm.data.benchmarks.registry import load_dataset

    whole = load_dataset("seegull", folder)
    lone = [row for row in whole.splits["test"] if not (row.id.startswith("5/") and row.reader.single != "x-in-region")]
    data = replace(whole, splits={"test": tuple(lone)})
    rows = choose_rows(data, plan_of(folder))
    assert (rows.have_company.sum(), len(rows)) == (6, 7)
    monkeypatch.setattr("calm_lm.evaluation.kinds.labels.load_dataset", lambda *_: data)
    systems = told(Scripted(likes_people), plan_of(folder))["systems"]
    for name in ("other-readers", "persona+country/permuted"):
        assert systems[name]["metrics"]["accuracy"]["rows"] == 6
    assert systems["persona+country"]["metrics"]["accuracy"]["rows"] == 7
    assert np.isnan(permuted(rows, rows.shares)[~rows.have_company]).all()


def test_votes_of_others_leave_out_ones_own(folder):
    from calm_lm.data.benchmarks.registry import load_dataset

    rows = choose_rows(load_dataset("seegull", folder), plan_of(folder))
    found = votes_of_others(rows)
    first = rows.units.index(rows.units[0])
    assert found[first] == pytest.approx([3.5 / 4, 0.5 / 4])  # outside, all three say no; half a vote each on top


@pytest.mark.lm
def test_a_real_model_answers_about_two_pairs(folder):
    from calm_lm.evaluation.asking.subject import LocalSubject
    from calm_lm.lm.hf import HuggingFaceLM

    subject = LocalSubject(HuggingFaceLM.load("embedded", local_files_only=True))
    found = told(subject, plan_of(folder, items=2))
    assert found["asked"]["items"] == 2
    for name in ("neutral", "persona+country"):
        system = found["systems"][name]
        assert 0 < system["metrics"]["cross_entropy"]["mean"] < 10
        assert 0 < system["figures"]["answer_mass"]["value"] <= 1


def test_calibration_error_is_told_without_chance_and_as_the_literature_has_it(tmp_path):
    """Answers of 0.6 to 0.95 that are right as often as they say: nothing but chance lies between."""
    rng = np.random.default_rng(8)
    sure = rng.uniform(0.6, 0.95, 120).round(3)
    votes = np.where(rng.random((120, 2)) < sure[:, None], 3, 0)
    path = tmp_path / "seegull" / "stereotypes_global_v2.csv"
    path.parent.mkdir()
    with path.open("w", newline="") as stream:
        rows = [["Thai", f"a{i}", a, 3 - a, 0, b, 3 - b, 0] for i, (a, b) in enumerate(votes.tolist())]
        csv.writer(stream).writerows([HEADER, *rows])

    def knows(asked: Choice) -> ChoiceAnswer:
        share = float(sure[int(asked.id.split("/")[1]) - 2])
        return ChoiceAnswer((1 - share, share), mass=1.0)

    found = told(Scripted(knows), plan_of(tmp_path, conditions=BOTH[:1]))["systems"]["neutral"]["figures"]
    ours, usual = found["calibration_error"], found["ece"]
    sides = [squared_calibration_error(sure, votes[:, side] / 3, bins=10)[0] for side in (0, 1)]
    assert ours["value"] == pytest.approx(root(np.mean(sides)))
    assert sorted(each["value"] for each in ours["by_culture"].values()) == pytest.approx(sorted(root(sides)))
    assert ours["interval"][0] == 0
    p = np.stack([1 - sure, sure], 1)
    shares = [np.stack([3 - votes[:, side], votes[:, side]], 1) / 3 for side in (0, 1)]
    assert usual["value"] == pytest.approx(np.mean([expected_calibration_error(p, each, bins=10) for each in shares]))
    assert usual["interval"] is None
    assert usual["value"] > ours["value"] + 0.03
