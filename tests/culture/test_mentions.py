from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.culture.ids import check_id
from calm_lm.culture.lexicon import KINDS, country_entries, fold, language_entries, lexicon, own_entries
from calm_lm.culture.mentions import (
    IDENTITY_KINDS,
    find_mentions,
    has_identity_term,
    identity_swaps,
    mention_mask,
)

NAMES = sorted(entry.surface for entry in lexicon().values())
TEXTS = st.lists(st.sampled_from(NAMES) | st.text(max_size=6), max_size=12).flatmap(
    lambda words: st.sampled_from(["", " ", ", ", "-", "\n"]).map(lambda glue: glue.join(words))
)


def found(text: str) -> list[tuple[str, str, str | None]]:
    return [(mention.surface, mention.kind, mention.culture) for mention in find_mentions(text)]


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("From Singapore to South Africa.", [("Singapore", "country", "SG"), ("South Africa", "country", "ZA")]),
        ("mexicans and NIGERIANS", [("mexicans", "demonym", "MX"), ("NIGERIANS", "demonym", "NG")]),
        ("a turkey, polish, china, a dane, georgia", []),
        ("Turkey, POLISH, a Dane", [
            ("Turkey", "country", "TR"), ("POLISH", "demonym", "PL"), ("Dane", "demonym", "DK"),
        ]),
        ("the new mexico of Papua New Guinea", [("new mexico", "place", "US"), ("Papua New Guinea", "country", "PG")]),
        ("Guinea pigs eat Turkey sandwiches near the Indian Ocean", []),
        ("Indianapolis, Chinatown, MexicanX, _Japan, Romania's", [("Romania", "country", "RO")]),
        ("Côte d’Ivoire or Cote d'Ivoire", [("Côte d’Ivoire", "country", "CI"), ("Cote d'Ivoire", "country", "CI")]),
        ("African-American or african\namerican", [
            ("African-American", "group", "US"), ("african\namerican", "group", "US"),
        ]),
        ("#Muslims in the U.S.A. speak Hindi", [
            ("Muslims", "group", None), ("U.S.A.", "country", "US"), ("Hindi", "language", "hi"),
        ]),
        ("islam at christmas with biryani", [
            ("islam", "religion", None), ("christmas", "festival", None), ("biryani", "food", "IN"),
        ]),
        ("Georgia and Korea", [("Georgia", "place", None), ("Korea", "country", "KR")]),
        ("", []),
    ],
)  # fmt: skip
def test_what_counts_as_a_mention(text: str, mentions: list[tuple[str, str, str | None]]) -> None:
    assert found(text) == mentions


@pytest.mark.parametrize(
    ("text", "times"),
    [("The US and us", 1), ("Us, Let us", 0), ("THEY TELL US NOW", 0), ("US-led US\nforces", 2), ("Made in US", 1)],
)
def test_us_the_country_is_not_us_the_pronoun(text: str, times: int) -> None:
    assert [mention.surface for mention in find_mentions(text)] == ["US"] * times


@given(TEXTS)
def test_spans_lie_in_the_text_in_order_without_overlap(text: str) -> None:
    mentions = find_mentions(text)
    last = 0
    for mention in mentions:
        assert last <= mention.start < mention.end <= len(text)
        assert text[mention.start : mention.end] == mention.surface
        assert mention.kind in KINDS
        assert not any(text[i : i + 1].isalnum() for i in (mention.start - 1, mention.end) if i >= 0)
        last = mention.end


@given(st.sampled_from([entry for entry in lexicon().values() if entry.kind and entry.surface != "US"]))
def test_every_name_is_found_as_written_and_shouted_but_small_only_where_allowed(entry) -> None:
    for surface in (entry.surface, entry.surface.upper()):
        if fold(surface) == fold(entry.surface):
            assert [(m.surface, m.kind) for m in find_mentions(f"({surface})")] == [(surface, entry.kind)]
    small = entry.surface.lower()
    if not entry.lower and not small.isupper():
        assert [m for m in find_mentions(f"({small})") if m.surface == small] == []


def test_the_lists_are_sound() -> None:
    own = list(own_entries())
    keys = [fold(entry.surface) for entry in own]
    assert sorted(keys) == sorted(set(keys)), "a name stands in two lists"
    for entry in (*own, *country_entries(), *language_entries()):
        assert entry.surface == entry.surface.strip() != ""
        assert not set(entry.surface) & set("*/[]():,")
        if entry.culture:
            assert check_id(entry.culture) == entry.culture
    assert {entry.kind for entry in own} == {*KINDS, None}
    assert {entry.culture for entry in own if entry.kind == "demonym"} >= {
        "SG",
        "AU",
        "US",
        "GB",
        "ZA",
        "DE",
        "NG",
        "JP",
    }


def test_replacements_leave_a_choice() -> None:
    swaps = [entry for entry in own_entries() if entry.swap]
    assert all(entry.kind in IDENTITY_KINDS for entry in swaps)
    for entry in swaps:
        assert sum(other.kind == entry.kind and other.family == entry.family for other in swaps) >= 2, entry


@given(TEXTS, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=10))
def test_the_mask_equals_a_look_at_every_character(text: str, spans: list[tuple[int, int]]) -> None:
    mentions = find_mentions(text)
    named = {at for mention in mentions for at in range(mention.start, mention.end)}
    assert mention_mask(spans, mentions) == [bool(named & set(range(start, end))) for start, end in spans]


def test_swaps_take_turns_and_follow_case_and_article() -> None:
    assert identity_swaps("An Indian met MUSLIMS.", n=4) == (
        "An Australian met MUSLIMS.",
        "An Indian met CHRISTIANS.",
        "A Brazilian met MUSLIMS.",
        "An Indian met HINDUS.",
    )
    assert identity_swaps("mexicans like Mexicans", n=1) == ("australians like Australians",)
    assert identity_swaps("Is islam a faith?", n=1) == ("Is christianity a faith?",)
    assert identity_swaps("Sushi in Tokyo at Christmas") == ()
    assert identity_swaps("women", n=0) == ()


@given(TEXTS, st.integers(0, 6))
def test_a_swap_changes_one_term_and_repeats_itself(text: str, n: int) -> None:
    swaps = identity_swaps(text, n)
    assert len(swaps) <= n
    assert swaps == identity_swaps(text, n)
    assert text not in swaps
    assert bool(identity_swaps(text, 1)) <= has_identity_term(text)


def test_identity_terms() -> None:
    assert has_identity_term("Some women left")
    assert has_identity_term("an Aussie accent")
    assert not has_identity_term("Pizza in Rome, said the man")


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        " ",
        "US ",
        "AB US\n",
        "south african american indian ",
        "United Kingdom of Great Britain and Northern Irelan ",
        "-",
    ],
)
def test_a_megabyte_takes_seconds_at_most(unit: str) -> None:
    find_mentions("warm up")
    text = unit * (2**20 // len(unit))
    start = time.process_time()
    find_mentions(text)
    assert time.process_time() - start < 10  # measured 0.2 to 1.5 s; a quadratic search would take hours


def test_time_grows_with_the_length_only() -> None:
    words = random.Random(0).choices([*NAMES, *["house", "the"] * 2000], k=60_000)
    find_mentions("warm up")
    times = []
    for part in (words[:15_000], words):
        start = time.process_time()
        find_mentions(" ".join(part))
        times.append(time.process_time() - start)
    assert times[1] < 12 * times[0]  # four times the words


def test_a_token_that_only_touches_a_mention_is_outside_it() -> None:
    mentions = find_mentions("An Indian.")  # characters 3 to 9
    assert mention_mask([(0, 3), (2, 4), (3, 9), (8, 10), (9, 10), (5, 5), (0, 0)], mentions) == [
        False, True, True, True, False, False, False,
    ]  # fmt: skip
