"""The full profile of a place: languages from CLDR, values from the user's own copy of the map."""

from __future__ import annotations

from calm_lm.evaluation.asking.profile import PHRASES, Profiles


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
