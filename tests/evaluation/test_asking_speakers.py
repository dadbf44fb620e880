"""Routing by language: who is asked, what is refused, and that answers are kept as those of who gave them."""

from __future__ import annotations

import pytest
from scripted import Scripted, silent, uniform

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import FORM, Asker
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer, Open, Prompt
from calm_lm.evaluation.asking.speakers import Speakers, parse_routes
from calm_lm.lm.answer_cache import AnswerCache, make_key


def question(name: str, language: str = "en", text_language: str | None = None) -> Choice:
    return Choice(name, Prompt(f"{name}?"), ("no", "yes"), ("A", "B"), (0, 1), False, language, text_language)


def sure_of(option: int):
    return lambda asked: ChoiceAnswer(tuple(float(place == option) for place in range(2)), mass=1.0)


def test_routes_are_read_by_language_and_spaces_do_not_matter():
    assert parse_routes(["ar, fr=openai:m@http://h/v1?a=b", "tr= hf:org/name "]) == {
        "ar": "openai:m@http://h/v1?a=b", "fr": "openai:m@http://h/v1?a=b", "tr": "hf:org/name",
    }  # fmt: skip
    assert parse_routes([]) == {}


@pytest.mark.parametrize(
    ("texts", "code", "value"),
    [
        (["ar"], "E70", "ar"), (["=embedded"], "E70", "=embedded"), (["ar="], "E70", "ar="), ([",=x"], "E70", ",=x"),
        (["zzz=x"], "E71", "zzz"), (["EG=x"], "E71", "EG"), (["pt-BR=x"], "E71", "pt-BR"),
        (["arabic=x"], "E71", "arabic"),
        (["ar=x", "fr,ar=y"], "E72", "ar"), (["ar,ar=x"], "E72", "ar"),
    ],
)  # fmt: skip
def test_a_route_that_is_none_is_named_with_what_to_write(texts, code, value):
    with pytest.raises(CalmError) as error:
        parse_routes(texts)
    assert (error.value.code, error.value.field) == (code, "--language-model")
    assert f"value '{value}'" in str(error.value)


def test_the_language_of_a_question_decides_who_is_asked_and_varieties_go_with_their_language():
    main, second, third = Scripted(sure_of(0)), Scripted(sure_of(1), name="two"), Scripted(uniform, name="three")
    asker = Asker(main, None, silent, {"ar": second, "pt": third})
    asked = [question("a"), question("b", "ar"), question("c", "pt-BR"), question("d", "en", "ar"), question("e", "fr")]
    answers = asker.choose(asked, "x")
    assert [answer.shares[1] for answer in answers] == [0, 1, 0.5, 1, 0]
    assert [[each.id for each in who.asked] for who in (main, second, third)] == [["a", "e"], ["b", "d"], ["c"]]
    assert asker.cost.questions == 5


def test_texts_are_written_by_who_speaks_their_language():
    main, second = (Scripted(write=lambda asked, who=who: [who], name=who) for who in ("main", "second"))
    asker = Asker(main, None, silent, {"ja": second})
    asked = [Open(f"q{i}", Prompt("Write."), language=language) for i, language in enumerate(("ja", "en", "ja"))]
    assert [answer.texts[0] for answer in asker.write(asked, "x")] == ["second", "main", "second"]


def test_texts_whose_probability_is_asked_are_english():
    main, other = Scripted(likelihood=lambda _: -1.0), Scripted(likelihood=lambda _: -2.0, name="other")
    routes = Asker(main, None, silent, {"en": other}), Asker(main, None, silent, {"es": other})
    assert [asker.likelihood(["a text"], "x")[0].log_prob for asker in routes] == [-2.0, -1.0]


def test_an_answer_is_kept_as_that_of_who_gave_it(tmp_path):
    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        main, second = Scripted(sure_of(0)), Scripted(sure_of(1), name="two")
        both = [question("a"), question("a", "fr")]
        told = Asker(main, cache, silent, {"fr": second}).choose(both, "x")
        # the same run again asks nobody; without the route the first model answers for itself
        again = Scripted(sure_of(0)), Scripted(sure_of(1), name="two")
        assert Asker(again[0], cache, silent, {"fr": again[1]}).choose(both, "x") == told
        assert not again[0].asked
        assert not again[1].asked
        alone = Scripted(sure_of(0))
        assert [each.shares[1] for each in Asker(alone, cache, silent).choose(both, "x")] == [0, 0]
        assert [each.language for each in alone.asked] == ["fr"]


def test_english_questions_have_the_keys_that_they_always_had(tmp_path):
    subject = Scripted(uniform)
    subject.settings = {"dtype": "float32", "samples": 2}
    before = {"form": FORM, "kind": "choose", "model": subject.identity.fingerprint, "settings": subject.settings,
              "prompt": "a?", "answers": ["A", "B"], "reasoning": False}  # fmt: skip
    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        cache.put(make_key(before), sure_of(1)(None).value())
        answers = Asker(subject, cache, silent, {"ar": Scripted(name="two")}).choose([question("a")], "x")
        assert answers[0].shares == (0.0, 1.0)
        assert not subject.asked
        # a Korean text has no words of its own to be read with, so nothing of its key changes either
        assert Asker(subject, cache, silent).choose([question("a", "en", "ko")], "x")[0].shares == (0.0, 1.0)
        Asker(subject, cache, silent).choose([question("a", "es")], "x")  # read with Spanish words: another question
    assert [each.language for each in subject.asked] == ["es"]


def test_who_would_answer_must_claim_the_language():
    english, arabic = Scripted(), Scripted(languages=("ar", "fa"), name="arabic")
    anything = Scripted(languages=(), name="anything")
    speakers = Speakers(english, {"ar": arabic, "fr": arabic, "ja": anything})
    assert speakers.check(["en", "ar", "ar-EG", "ja"], allow=False) == []
    assert list(speakers.unread(["en", "fr", "tr", "ja"])) == ["fr", "tr"]
    assert speakers.check(["fr", "tr", "fr"], allow=True) == ["fr", "tr"]
    with pytest.raises(CalmError) as error:
        speakers.check(["tr", "fr"], allow=False)
    assert error.value.code == "E35"
    assert "scripted reads en" in str(error.value)
    assert "--language-model" in str(error.value)


def test_another_model_is_one_of_other_weights():
    main, same, two = Scripted(), Scripted(), Scripted(name="two")
    speakers = Speakers(main, {"ar": same, "fr": two})
    assert [speakers.other(language) for language in ("en", "ar", "fr", "fr-CA")] == [None, None, two, two]
