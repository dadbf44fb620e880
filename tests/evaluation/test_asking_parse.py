"""Reading replies strictly: an option only where one is named, refusals apart from what cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from calm_lm.evaluation.asking.parse import REFUSAL_OPENINGS, read_reply

TEXTS = ("Very important", "Rather important", "Not very important", "Not at all important")
LETTERS = ("A", "B", "C", "D")
TEN = tuple(str(number) for number in range(1, 11))


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("A", 0), ("b", 1), ("C.", 2), ("(D)", 3), ("**B**", 1), (" A\n", 0), ("A)", 0), ('"B"', 1),
        ("B. Rather important", 1), ("(B) Rather important.", 1), ("Rather important", 1), ("rather IMPORTANT.", 1),
        ("The answer is C", 2), ("Answer: D", 3), ("My final answer is: (A).", 0), ("I would choose B.", 1),
        ("I'd say Very important", 0), ("A\n\nFamily matters to most people here.", 0),
        # the first letter or number of a sentence is no answer
        ("A family is everything", "unparsed"), ("I would say a lot", "unparsed"), ("Both A and B", "unparsed"),
        ("A or B", "unparsed"), ("E", "unparsed"), ("", "unparsed"), ("important", "unparsed"),
        ("B. Very important", "unparsed"),  # one label with another option's text
        ("Between A and C, hard to say", "unparsed"),
        ("I'm sorry, but I can't help with that.", "refused"), ("As an AI, I have no opinion.", "refused"),
        ("I don't have personal beliefs.", "refused"), ("I prefer not to say.", "refused"),
        ("I cannot answer this question", "refused"), ("I can’t choose.", "refused"),
    ],
)  # fmt: skip
def test_replies_to_a_lettered_question(reply, read):
    assert read_reply(reply, LETTERS, TEXTS) == read


@pytest.mark.parametrize(
    ("reply", "read"),
    [("10", 9), ("1", 0), ("10.", 9), ("100", "unparsed"), ("1 or 10", "unparsed"), ("1 0", "unparsed"),
     ("My answer: 10", 9), ("7/10", "unparsed"), ("about 5", "unparsed")],
)  # fmt: skip
def test_ten_is_ten_and_not_one(reply, read):
    assert read_reply(reply, ("",) * 10, TEN) == read


@given(st.integers(0, 3), st.sampled_from(["{}", "{}.", "({})", "{})", "Answer: {}", "The answer is {}.", "**{}**"]))
def test_every_usual_way_of_naming_a_label_is_read(option, form):
    assert read_reply(form.format(LETTERS[option]), LETTERS, TEXTS) == option
    assert read_reply(form.format(TEXTS[option]), LETTERS, TEXTS) == option


@given(st.text(max_size=300))
def test_any_reply_gets_a_reading(reply):
    read = read_reply(reply, LETTERS, TEXTS)
    assert read in (0, 1, 2, 3, "refused", "unparsed")


@given(st.text(alphabet="abcd ,;", max_size=12))
def test_a_reply_that_names_two_labels_is_never_an_option(reply):
    named = {word for word in reply.replace(",", " ").replace(";", " ").split() if word in "abcd"}
    assume(len(named) > 1)
    assert read_reply(reply, LETTERS, TEXTS) == "unparsed"


def test_the_openings_that_are_scored_are_read_as_refusals_when_they_go_on():
    endings = {"Sorry,": " I can't answer that.", "I cannot": " answer that.", "I don't have": " an opinion."}
    for opening in REFUSAL_OPENINGS:
        assert read_reply(opening + endings.get(opening, " to answer that."), LETTERS, TEXTS) == "refused"
