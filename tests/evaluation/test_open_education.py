"""The quiz kit for people and its simulated learner: matched forms, files, scores, power, and planted learners."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import Scripted, silent, uniform
from statsmodels.stats.power import TTestPower

from calm_lm.data.benchmarks.blend_short import PeoplesAnswer, ShortQuestion
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.pool import Pooled
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer
from calm_lm.evaluation.kinds.education import lesson, run, score
from calm_lm.evaluation.kinds.quiz_kit import Kit, QuizItem, build_kit, quiz_items, write_kit
from calm_lm.evaluation.kinds.quiz_scores import paired_gain, power_table, read_scores
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task


def item(number: int, culture: str = "CN", topic: str = "Food", answer: int = 0) -> QuizItem:
    options = tuple(f"option {letter}{number}" for letter in "wxyz")
    return QuizItem(f"{culture}-{topic}-{number}", culture, topic, f"Question {number}?", options, answer)


def many(per_group: int = 7) -> list[QuizItem]:
    return [
        item(number, culture, topic, number % 4)
        for culture in ("CN", "ES")
        for topic in ("Food", "Work life")
        for number in range(per_group)
    ]


@given(st.integers(1, 8), st.integers(0, 5))
def test_forms_are_parallel_and_nothing_is_used_twice(k: int, seed: int):
    kit = build_kit(many(), k, seed)
    assert len(kit.first) == len(kit.second) == k
    for a, b in zip(kit.first, kit.second, strict=True):
        assert (a.culture, a.topic) == (b.culture, b.topic)
    used = [each.id for each in (*kit.first, *kit.second, *kit.lessons)]
    assert len(used) == len(set(used))
    for each in kit.second:
        facts = kit.lesson_for(each, 3)
        assert 1 <= len(facts) <= 3
        assert {(fact.culture, fact.topic) for fact in facts} == {(each.culture, each.topic)}
    groups = [(each.culture, each.topic) for each in kit.first]
    assert max(map(groups.count, groups)) - min(map(groups.count, set(groups))) <= 1 or k < 4
    assert build_kit(many()[::-1], k, seed) == kit  # the order of the items does not matter


@pytest.mark.parametrize("k", [0, 9, 100])
def test_too_many_or_no_pairs_are_refused(k: int):
    with pytest.raises(CalmError, match="E87"):
        build_kit(many(), k)


def question(place: str, *answers: str, name: str = "q1") -> ShortQuestion:
    given_ = tuple(PeoplesAnswer((), (answer,), 3 - at) for at, answer in enumerate(answers))
    return ShortQuestion(name, place, "Food", f"What in {place}?", given_, 0)


def test_wrong_options_are_others_answers_that_nobody_here_gave():
    questions = [
        question("CN", "rice", "bread"), question("ES", "bread"), question("FR", "cheese"), question("US", "Cheese!"),
        question("DE", "potatoes"), question("IN", "fried rice"), question("JP", "fish"), question("GB"),
    ]  # fmt: skip
    found = {each.culture: each for each in quiz_items(questions)}
    china = found["CN"]
    assert china.options[china.answer] == "rice"
    assert set(china.options) in ({"rice", cheese, "potatoes", "fish"} for cheese in ("cheese", "Cheese!"))
    assert "GB" not in found  # nobody answered
    assert quiz_items(questions) == quiz_items(questions)
    assert quiz_items(questions[:3]) == []  # too few others


def answers_table(path: Path, rows: Iterable[tuple[object, ...]]) -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("person", "form", "item", "answer"), *rows])
    return path


def test_a_kit_on_paper_is_scored_by_its_key(tmp_path: Path):
    kit = build_kit(many(), 4, seed=1)
    write_kit(kit, tmp_path / "kit", source="invented", licence="Apache-2.0")
    files = {path.name for path in (tmp_path / "kit").iterdir()}
    assert files == {"instructions.md", "form-1.md", "form-2.md", "teaching.md", "key.json"}
    for number, form in (("1", kit.first), ("2", kit.second)):
        text = (tmp_path / "kit" / f"form-{number}.md").read_text()
        assert all(each.text in text and all(option in text for option in each.options) for each in form)
    taught = (tmp_path / "kit" / "teaching.md").read_text()
    assert not any(each.fact in taught.splitlines() for each in (*kit.first, *kit.second))
    assert "Voluntary".lower() in (tmp_path / "kit" / "instructions.md").read_text()
    right = {form: ["ABCD"[each.answer] for each in items] for form, items in (("1", kit.first), ("2", kit.second))}
    rows = [("p1", form, at + 1, right[form][at].lower()) for form in "12" for at in range(4)]
    rows += [("p2", "1", at + 1, right["1"][at] if at < 1 else "") for at in range(4)]
    rows += [("p2", "2", at + 1, right["2"][at] if at < 3 else "") for at in range(4)]
    found = read_scores(tmp_path / "kit" / "key.json", answers_table(tmp_path / "answers.csv", rows))
    assert found == {"p1": {"1": 1, "2": 1}, "p2": {"1": 0.25, "2": 0.75}}


def test_bad_answers_are_named_by_row(tmp_path: Path):
    write_kit(build_kit(many(), 2), tmp_path, source="invented", licence="Apache-2.0")
    key, path = tmp_path / "key.json", tmp_path / "answers.csv"
    good = [("p", "1", 1, "A"), ("p", "1", 2, "B")]
    for bad, code, where in (
        (("p", "3", 1, "A"), "E89", "form"), (("p", "1", 3, "A"), "E89", "item"), (("p", "1", 0, "A"), "E89", "item"),
        (("p", "1", "x", "A"), "E89", "item"), (("p", "1", 1, "E"), "E89", "answer"),
        (("", "1", 1, "A"), "E89", "person"), (("p", "1", 1, "A"), "E90", "item"),
    ):  # fmt: skip
        with pytest.raises(CalmError, match=rf"{code}.*row 4.*{where}"):
            read_scores(key, answers_table(path, [*good, bad]))
    with pytest.raises(CalmError, match=r"E91.*no row for item 2"):
        read_scores(key, answers_table(path, good[:1]))
    for text in ("[]", '{"schema": "other"}', '{"schema": "calm-quiz/1", "forms": {"1": [{"answer": 7}], "2": []}}'):
        key.write_text(text)
        with pytest.raises(CalmError, match="E88"):
            read_scores(key, path)


def test_gain_by_hand():
    found = paired_gain([0.2, 0.4, 0.6], [0.4, 0.8, 0.6])
    assert (found.before, found.after, found.people) == (pytest.approx(0.4), pytest.approx(0.6), 3)
    assert found.gain == pytest.approx(0.2)
    assert found.dz == pytest.approx(1)  # gains 0.2, 0.4, 0: mean 0.2, deviation 0.2
    assert 0 <= found.interval.low <= found.gain <= found.interval.high <= 0.4 + 1e-12
    for code, first, last in (("S12", [0.1], [0.2]), ("S09", [0.1, 0.2], [0.1]), ("S06", [1.5, 0], [0, 0])):
        with pytest.raises(CalmError, match=code):
            paired_gain(first, last)


def test_power_is_that_of_statsmodels_and_at_no_gain_the_level():
    found = power_table([0.0, 0.05, 0.1], 0.15, [10, 30, 80])
    np.testing.assert_allclose(found[0], 0.05)
    for row, gain in ((1, 0.05), (2, 0.1)):
        for column, n in enumerate((10, 30, 80)):
            reference = TTestPower().power(effect_size=gain / 0.15, nobs=n, alpha=0.05, alternative="two-sided")
            assert found[row, column] == pytest.approx(reference, abs=1e-6)
    assert (np.diff(found[1:], axis=1) > 0).all()


def test_the_likeliest_right_option_is_a_hit_and_a_tie_a_share_of_one():
    answers = [Pooled(np.array(shares)) for shares in ([0.4, 0.3, 0.2, 0.1], [0.1, 0.4, 0.4, 0.1], [0.25] * 4)]
    found = score([item(1), item(2, answer=1), item(3)], [*answers])
    assert found["right"].tolist() == [0.4, 0.4, 0.25]
    assert found["accuracy"].tolist() == [1, 0.5, 0.25]
    assert np.isnan(score([item(1)], [Pooled(None)])["right"]).all()


def test_a_lesson_holds_facts_of_the_topic_and_not_the_answer():
    kit = Kit((item(1),), (item(2),), (item(3), item(4, "ES"), item(5, topic="Sport")))
    told = lesson(kit, kit.second[0])
    assert "Question 3? option w3." in told
    assert "Question 2" not in told
    assert "Question 4" not in told
    assert "Question 5" not in told
    assert "China" in told


def test_simulated_learners_that_do_and_do_not_learn(data_dir: Path):
    plan = Plan(Wanted(load_task("simulated-learner"), 12), parse_conditions(["neutral"]), data_dir, replicates=100)

    def learns(asked: Choice) -> ChoiceAnswer:
        taught = "What people answered about" in asked.prompt.user
        shares = np.full(4, 0.1 if taught else 0.25)
        shares[0] += 1 - shares.sum()
        return ChoiceAnswer(tuple(shares), mass=1.0)

    told = run(Asker(Scripted(uniform), None, silent), plan).to_json()
    assert told["asked"]["simulated"] is True
    assert "SIMULATED" in told["task"]["title"]
    figures = told["systems"]["taught"]["figures"]
    assert figures["simulated_gain"]["value"] == figures["simulated_gain_over_first_form"]["value"] == 0
    changed = run(Asker(Scripted(learns), None, silent), plan).to_json()["systems"]
    gain = changed["taught"]["figures"]["simulated_gain"]["value"]
    assert gain == pytest.approx(
        changed["taught"]["metrics"]["right"]["mean"] - changed["neutral"]["metrics"]["right"]["mean"]
    )
    assert gain != 0
    json.dumps(told, allow_nan=False)
