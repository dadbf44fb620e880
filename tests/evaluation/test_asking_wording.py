"""From an item to its prompts: balanced orders and labels, framings that say who is meant, languages."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.conditions import CULTURES, FRAMINGS, NEUTRAL, PERSONA, Condition
from calm_lm.evaluation.asking.wording import (
    LETTERS,
    Place,
    Presentation,
    choice,
    phrases_of,
    place_name,
    presentations,
    setting,
)

EGYPT = Place("EG", facts=("most live in cities",), norms=("In Egypt, guests are offered tea.",))


@given(st.integers(2, 40), st.integers(1, 8), st.booleans(), st.booleans(), st.integers(0, 5))
def test_presentations_differ_and_each_lists_every_option_once(n, count, ordinal, bare, seed):
    shown = presentations(n, count, ordinal=ordinal, bare=bare, seed=seed)
    assert 1 <= len(shown) <= count
    assert len(set(shown)) == len(shown)
    assert all(sorted(each.order) == list(range(n)) for each in shown)
    assert shown == presentations(n, count, ordinal=ordinal, bare=bare, seed=seed)
    if ordinal:  # neighbours stay neighbours
        assert {each.order for each in shown} <= {tuple(range(n)), tuple(range(n))[::-1]}
    if n > len(LETTERS):
        assert all(each.style != "letters" for each in shown)
    if bare and n <= len(LETTERS):
        assert {each.style for each in shown} == ({"words"} if n < 10 else {"letters"})
    bare_options = tuple(str(number) for number in range(1, n + 1))
    for each in shown:  # no answer begins another: its probability would hold the other's
        answers = choice("q", "How much?", bare_options, NEUTRAL, None, each).answers
        assert not any(a != b and b.startswith(a) for a in answers for b in answers)


def test_two_presentations_balance_order_and_label_style():
    first, second = presentations(4, 2, ordinal=True)
    assert (first.order, first.style) == ((0, 1, 2, 3), "letters")
    assert (second.order, second.style) == ((3, 2, 1, 0), "numbers")


@pytest.mark.parametrize("ordinal", [True, False])
def test_four_presentations_show_every_option_first_and_last_alike(ordinal):
    shown = presentations(4, 4, ordinal=ordinal)
    assert Counter(each.style for each in shown) == {"letters": 2, "numbers": 2}
    assert Counter(each.order[0] for each in shown)[0] == Counter(each.order[-1] for each in shown)[0]


def test_labels_follow_the_listing_and_answers_the_question():
    made = choice("q", "How often?", ("never", "daily"), NEUTRAL, None, Presentation("letters", (1, 0)))
    assert made.prompt.text == "How often?\n\nA. daily\nB. never\n\nAnswer with the letter only."
    assert made.labels == made.answers == ("B", "A")  # in the question's own order
    words = choice("q", "How much?", ("1", "10"), NEUTRAL, None, Presentation("words", (0, 1)))
    assert words.prompt.text == "How much?\n\nAnswer with one of these words only: 1, 10."
    assert words.answers == ("1", "10")


def test_a_framing_says_who_is_meant_and_culture_prompting_what_is_told():
    assert setting(NEUTRAL, None) == ""
    assert setting(Condition(culture="country"), EGYPT) == "The question is asked in Egypt."
    assert setting(PERSONA, EGYPT) == "You are a person from Egypt. Answer as most people there would."
    observer = setting(Condition("observer", "profile"), EGYPT)
    assert observer.endswith("About them: most live in cities.")
    assert setting(Condition("persona", "norms"), EGYPT).endswith("\n- In Egypt, guests are offered tea.")


def test_what_differs_between_places_stands_before_what_differs_between_questions():
    shown = Presentation("letters", (0, 1))
    texts = [choice("q", text, ("yes", "no"), PERSONA, EGYPT, shown).prompt.text for text in ("First?", "Second?")]
    assert all(text.startswith(setting(PERSONA, EGYPT)) for text in texts)


@pytest.mark.parametrize("language", ["en", "es", "fr", "ar", "tr", "fa"])
def test_every_language_has_every_sentence_with_its_places(language):
    phrases = phrases_of(language)
    assert set(phrases) == set(phrases_of("en"))
    for framing in FRAMINGS:
        for culture in CULTURES:
            if framing == "neutral" or culture != "none":
                said = setting(Condition(framing, culture, language), EGYPT)
                assert ("{" in said) is False
                assert (place_name("EG", language) in said) == (culture != "none")


def test_place_names_are_in_the_language():
    assert place_name("DE", "es") == "Alemania"
    assert place_name("x-cape-malay", "es") == "cape malay"


def test_what_cannot_be_worded_is_refused():
    with pytest.raises(CalmError, match="E34"):
        phrases_of("tlh")
    with pytest.raises(CalmError, match="E36"):
        setting(PERSONA, None)
