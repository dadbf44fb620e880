"""Conditions: each has one name that reads back, and none that makes no sense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.conditions import (
    CULTURES,
    FRAMINGS,
    NEUTRAL,
    PERSONA,
    Condition,
    cross,
    parse_condition,
    parse_conditions,
)


@given(
    st.sampled_from(FRAMINGS), st.sampled_from(CULTURES), st.sampled_from(["en", "ar", "tr", "pt-BR"]), st.booleans()
)
def test_a_condition_reads_back_from_its_name(framing, culture, language, reasoning):
    if framing != "neutral" and culture == "none":
        with pytest.raises(CalmError, match="E30"):
            Condition(framing, culture, language, reasoning)
        return
    condition = Condition(framing, culture, language, reasoning)
    assert parse_condition(condition.name) == condition


def test_names_and_titles_are_what_a_user_types_and_reads():
    assert NEUTRAL.name == "neutral"
    assert PERSONA.name == "persona+country"
    assert Condition("observer", "norms", "ar", True).name == "observer+norms@ar!reasoning"
    assert parse_condition("neutral+country").title == "country prompt"
    assert parse_condition("persona+profile@tr!reasoning").title == "persona, full profile, tr, with reasoning"


def test_titles_differ_where_conditions_do():
    conditions = cross(FRAMINGS, CULTURES, ("en", "fr"), (False, True))
    assert len({condition.title for condition in conditions}) == len(conditions) == len(set(conditions)) == 40


def test_crossing_leaves_out_personas_of_nowhere():
    assert [one.name for one in cross()] == ["neutral", "neutral+country", "persona+country", "observer+country"]


def test_repeated_conditions_are_asked_once():
    assert parse_conditions(["neutral", " neutral", "persona+country"]) == (NEUTRAL, PERSONA)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E31"), ("persona", "E30"), ("observer", "E30"), ("neutral+town", "E31"), ("neutral!loud", "E31"),
        ("neutral@", "E31"), ("neutral+", "E31"), ("neutral@Klingon", "C04"), ("neutral@SG", "E32"), ("NEUTRAL", "E31"),
        ("a" * 400, "E31"),
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused(text, code):
    with pytest.raises(CalmError) as error:
        parse_condition(text)
    assert error.value.code == code


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_one_clear_error(text):
    try:
        assert isinstance(parse_condition(text), Condition)
    except CalmError as error:
        assert error.code  # noqa: PT017  (both outcomes are right; a crash is not)
