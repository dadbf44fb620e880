"""The full profile of a place: languages from CLDR, values from the user's own copy of the map."""

from __future__ import annotations

import pytest

from calm_lm.evaluation.asking.conditions import FRAMINGS, Condition
from calm_lm.evaluation.asking.profile import PHRASES, Profiles, _words, in_words
from calm_lm.evaluation.asking.wording import Place, phrases_of, setting
from calm_lm.survey.cell import FIELDS, Cell, RespondentProfile
from calm_lm.survey.sources.wvs7 import wvs7_codebook

WOMAN = Cell("EG", (("sex", "female"), ("age", "16 to 29")))


def test_without_the_map_a_profile_has_the_languages_alone(tmp_path):
    assert Profiles.read(None).facts("CH")[0].startswith("their languages are German")
    assert Profiles.read(tmp_path).facts("EG") == ("their languages are Arabic",)
    assert Profiles({}).facts("x-toy-aster") == ()


def test_each_third_of_the_map_has_its_phrase():
    made = Profiles({f"x-{i}": (float(i), float(-i)) for i in range(9)})  # invented points
    first = [made.facts(f"x-{i}") for i in range(9)]
    assert [facts[0] for facts in first] == [PHRASES[0][third] for third in (0, 0, 0, 1, 1, 1, 2, 2, 2)]
    assert [facts[1] for facts in first] == [PHRASES[1][third] for third in (2, 2, 2, 1, 1, 1, 0, 0, 0)]


def test_the_real_map_gives_every_place_two_values(data_dir):
    made = Profiles.read(data_dir)
    assert len(made.points) == 107
    assert all(len(made.facts(name)) >= 2 for name in made.points)


def test_people_are_told_by_what_is_known_and_nothing_else():
    assert in_words(WOMAN.profile, "en") == ("a woman", "16 to 29 years old")
    assert in_words(RespondentProfile("EG"), "en") == ()
    assert in_words(RespondentProfile(None, age="18-24", marital_status="engaged"), "en") == (
        "age: 18-24", "marital status: engaged",
    )  # fmt: skip


@pytest.mark.parametrize("language", ["en", "es", "fr", "ar", "tr", "fa"])
def test_every_language_has_a_phrase_for_every_bundled_group(language):
    words = _words()[language]
    assert set(words) == {*FIELDS, "field"}
    assert set(words["field"]) == set(FIELDS)
    for field, group in wvs7_codebook().groups.items():
        assert set(words[field]) == set(group.values.values())
        assert len(set(words[field].values())) == len(words[field])
    assert {f"{framing}_of" for framing in ("persona", "observer", "place")} <= set(phrases_of(language))


def test_a_profile_names_the_people_and_a_country_prompt_only_the_country():
    place = Place("EG", facts=("most live in cities",), cell=WOMAN)
    assert setting(Condition("persona", "profile"), place) == (
        "You are a person from Egypt: a woman; 16 to 29 years old. Answer as most people like you there would."
    )
    for framing in FRAMINGS:
        told = setting(Condition(framing, "profile"), place)
        assert "a woman; 16 to 29 years old" in told
        assert "cities" not in told
        assert setting(Condition(framing, "country"), place) == setting(Condition(framing, "country"), Place("EG"))
    assert place.name == "EG, age=16 to 29, sex=female"
