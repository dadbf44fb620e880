"""Asking: every question once, in order, kept as it is answered, and not again after a kill."""

from __future__ import annotations

import sqlite3
import time

import pytest
from killed_asker import kill_and_go_on
from scripted import Scripted, silent, uniform

from calm_lm.evaluation.asking.asker import AT_ONCE, Asker
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer, Open, Prompt
from calm_lm.lm.answer_cache import AnswerCache


def question(number: int, setting: str = "") -> Choice:
    return Choice(f"q{number}", Prompt(f"Question {number}?", setting), ("no", "yes"), ("A", "B"), (0, 1))


def by_number(asked: Choice) -> ChoiceAnswer:
    number = int("".join(filter(str.isdigit, asked.prompt.user)))
    return ChoiceAnswer((1 - number / 1000, number / 1000), mass=0.5)


def test_answers_come_in_the_order_of_the_questions_and_repeats_are_asked_once():
    subject = Scripted(by_number)
    numbers = [5, 2, 9, 2, 5, 1]
    answers = Asker(subject, None, silent).choose([question(number) for number in numbers], "x")
    assert [round(answer.shares[1] * 1000) for answer in answers] == numbers
    assert len(subject.asked) == 4


def test_questions_that_begin_alike_are_asked_together():
    subject = Scripted(uniform)
    Asker(subject, None, silent).choose([question(i, setting=f"in {i % 3}") for i in range(12)], "x")
    settings = [asked.prompt.setting for asked in subject.asked]
    assert settings == sorted(settings)


def test_what_was_answered_is_not_asked_again(tmp_path):
    first, second = Scripted(by_number), Scripted(by_number)
    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        told = Asker(first, cache, silent).choose([question(i) for i in range(5)], "x")
    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        asker = Asker(second, cache, silent)
        assert asker.choose([question(i) for i in range(7)], "x")[:5] == told
        assert (asker.cost.questions, asker.cost.from_cache) == (7, 5)
    assert [asked.id for asked in second.asked] == ["q5", "q6"]


def test_the_bill_of_a_run_that_goes_on_holds_what_came_before(tmp_path):
    def slowly(asked: Choice) -> ChoiceAnswer:
        time.sleep(0.01)
        return uniform(asked)

    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        Asker(Scripted(slowly), cache, silent).choose([question(i) for i in range(5)], "x")
        again = Asker(Scripted(slowly), cache, silent)
        again.choose([question(i) for i in range(8)], "x")
    assert 0.08 <= again.cost.seconds < 2
    assert again.cost.from_cache == 5


def test_another_model_other_settings_and_other_answers_are_other_questions(tmp_path):
    one = question(1)
    other = Choice("q1", one.prompt, ("no", "maybe"), ("A", "C"), (0, 1))
    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        for subject in (Scripted(uniform), Scripted(uniform, name="other")):
            Asker(subject, cache, silent).choose([one, other], "x")
            assert len(subject.asked) == 2
        changed = Scripted(uniform)
        changed.settings = {"samples": 3}
        Asker(changed, cache, silent).choose([one], "x")
        assert len(changed.asked) == 1


def test_texts_and_likelihoods_are_kept_too(tmp_path):
    subject = Scripted(write=lambda asked: [f"{asked.id} {i}" for i in range(asked.samples)], likelihood=lambda _: -3.5)
    wanted = Open("o1", Prompt("Write."), samples=2, temperature=0.7)
    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        asker = Asker(subject, cache, silent)
        for _ in range(2):
            assert asker.write([wanted], "x")[0].texts == ("o1 0", "o1 1")
            assert asker.likelihood(["a b"], "x")[0].log_prob == -3.5
    assert len(subject.asked) == 2


def test_what_an_endpoint_did_not_deliver_is_asked_again(tmp_path):
    broken = Scripted(
        lambda asked: ChoiceAnswer((0.5, 0.5), failed=0.5, samples=2) if asked.id == "q1" else by_number(asked)
    )
    whole = Scripted(by_number)
    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        Asker(broken, cache, silent).choose([question(0), question(1)], "x")
        answers = Asker(whole, cache, silent).choose([question(0), question(1)], "x")
    assert [asked.id for asked in whole.asked] == ["q1"]
    assert answers[1].failed == 0


CHILD = """
from killed_asker import kill_and_go_on
from scripted import Scripted, silent, uniform
from calm_lm.evaluation.asking.question import Choice, Prompt
def answer(asked):
    note(asked.id)
    return uniform(asked)
questions = [Choice(f"q{i}", Prompt(f"Question {i:04}?"), ("no", "yes"), ("A", "B"), (0, 1)) for i in range(n)]
Asker(Scripted(answer), cache, silent).choose(questions, "x")
"""


@pytest.mark.parametrize("moment", [0.05, 0.35, 0.6])
def test_a_killed_run_goes_on_without_asking_for_what_it_knows(tmp_path, moment):
    n = 5 * AT_ONCE
    asked = kill_and_go_on(tmp_path, CHILD, n, moment)
    assert set(asked) == {f"q{i}" for i in range(n)}


@pytest.mark.parametrize("kept", [1, "x", [], [[]], {}, {"seconds": "x"}, {"shares": None}])
def test_a_kept_answer_of_another_form_is_asked_again(tmp_path, kept):
    with AnswerCache(tmp_path / "a.sqlite") as cache:
        expected = Asker(Scripted(by_number), cache, silent).choose([question(7)], "t")
        keys = [key for (key,) in sqlite3.connect(tmp_path / "a.sqlite").execute("SELECT key FROM answers")]
        for key in keys:
            cache.put(key, kept)
        again = Asker(Scripted(by_number), cache, silent)
        assert again.choose([question(7)], "t") == expected
        assert again.cost.from_cache == 0
        assert cache.damaged == 1
