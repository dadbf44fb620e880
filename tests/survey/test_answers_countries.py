"""Words of options and names of countries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.survey.answers import degree, is_no_answer, is_total, scale_order, starts_high
from calm_lm.survey.countries import country_id, find_country


@pytest.mark.parametrize(
    "text",
    ["DK/Refused", "Don't know/Refused", "Don’t know", "Refused", "No answer", "Missing; Not available", "NA",
     "Other missing; Multiple answers Mail (EVS)", "Not applicable (service not provided)", "I do not have a job",
     "Haven't heard enough (VOL)", "Never heard of", "Not asked"],
)  # fmt: skip
def test_no_answers(text):
    assert is_no_answer(text)


@pytest.mark.parametrize(
    "text",
    ["Neither", "Neither (VOL)", "Depends (VOL)", "Both (DO NOT READ)", "No", "None of these (VOL)", "No, do not",
     "Yes, I know someone", "No, I do not know anyone", "Not mentioned", "Other (VOL)", "No opinion leader",
     "No difference [ONLY IF VOLUNTEERED]", "Never", "Do not trust at all", "I don't know where to vote",
     "National leaders"],
)  # fmt: skip
def test_answers(text):
    assert not is_no_answer(text)


def test_totals():
    assert is_total("Total                  N=")
    assert not is_total("Total agreement")


@pytest.mark.parametrize(
    "options",
    [
        ("Very favorable", "Somewhat favorable", "Somewhat unfavorable", "Very unfavorable"),
        ("Very concerned", "Somewhat concerned", "Not too concerned", "Not at all concerned"),
        ("A lot", "Some", "Only a little", "None"),
        ("Major threat", "Minor threat", "Not a threat"),
        ("Strongly agree", "Agree", "Disagree", "Strongly disagree"),
        ("Definitely happen", "Probably happen", "Probably NOT happen", "Definitely NOT happen"),
        ("Excellent", "Good", "Only fair", "Poor"),
        ("Most", "Many", "Just some", "Very few"),
        ("Better", "The same", "Worse"),
        ("Not at all", "2", "3", "Very much"),
        tuple(str(number) for number in range(1, 11)),
        tuple(str(number) for number in range(-2, 3)),
    ],
)
def test_ladders_keep_their_order_and_reading_them_backwards_turns_them(options):
    places = tuple(range(len(options)))
    assert scale_order(options) == places
    assert scale_order(options[::-1]) == places
    if not options[0].lstrip("-").isdigit() and options[0] != "Not at all":
        assert starts_high(options[0], options[-1])
        assert not starts_high(options[-1], options[0])


@pytest.mark.parametrize(
    ("options", "order"),
    [
        (("Better", "Worse", "About the same"), (0, 2, 1)),
        (("Increase", "Decrease", "No change (VOL)"), (0, 2, 1)),
        (("Too much", "Not enough", "Right amount"), (0, 2, 1)),
    ],
)
def test_the_middle_goes_into_the_middle(options, order):
    assert scale_order(options) == order


@pytest.mark.parametrize(
    "options",
    [
        ("Yes", "No"),
        ("Agree", "Disagree"),
        ("Good", "Bad", "Neither"),
        ("Israel", "Palestinians", "Both (VOL)"),
        ("Yes", "No", "Depends (VOL)"),
        ("Morally acceptable", "Morally unacceptable", "Not a moral issue"),
        ("Still important", "Not so important", "No difference (VOL)"),
        ("1", "3", "2"),
        ("A statement that is far too long to be a step of any scale", "Agree", "Disagree"),
    ],
)
def test_what_has_no_order_is_nominal(options):
    assert scale_order(options) is None


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_options_get_a_permutation_or_nothing(options):
    order = scale_order(options)
    assert order is None or sorted(order) == list(range(len(options)))


def test_degrees_of_unknown_words_are_unknown():
    assert degree("Green") is None
    assert not starts_high("Green", "Blue")


@pytest.mark.parametrize(
    ("label", "known"),
    [("Britain", "GB"), ("Great Britain", "GB"), ("S. Korea", "KR"), ("South Korea", "KR"), ("Palest. ter.", "PS"),
     ("Hong Kong SAR", "HK"), ("Northern Ireland", "x-northern-ireland"), ("Ivory Coast", "CI"), ("Czech Rep.", "CZ"),
     ("Czechia", "CZ"), ("Turkey", "TR"), ("Taiwan ROC", "TW"), ("Bosnia Herzegovina", "BA"), ("Macau SAR", "MO"),
     ("Myanmar", "MM"), ("  united   states ", "US"), ("North Macedonia", "MK"), ("S. Africa", "ZA")],
)  # fmt: skip
def test_labels(label, known):
    assert country_id(label) == known


def test_codes_of_trend_files():
    assert find_country("818", "numeric") == find_country("818.0", "numeric") == find_country("EGY", "alpha3") == "EG"
    assert find_country("8", "numeric") == "AL"
    assert find_country("909", "numeric") == find_country("NIR", "alpha3") == find_country("NIR", "alpha2")
    assert find_country("915", "numeric") == find_country("XKX", "alpha3") == "XK"
    for text, coding in (("-4", "numeric"), ("", "numeric"), ("egy", "alpha3"), ("XX", "alpha2"), ("", "label")):
        assert find_country(text, coding) is None


def test_an_unknown_country_names_its_place():
    with pytest.raises(CalmError, match="V33") as caught:
        country_id("Egipt", file="f.csv", row=4, field="country")
    assert "f.csv" in str(caught.value)
    assert "EG" in caught.value.fix
