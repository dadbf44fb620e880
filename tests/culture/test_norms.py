from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.culture.blend import Blend
from calm_lm.culture.communities import Community
from calm_lm.culture.norms import NormRecord, NormStore, split_words
from calm_lm.errors import CalmError


def norm(name: str, culture: str, situation: str, how: str = "fine", **more: str) -> NormRecord:
    return NormRecord(name, culture, situation, how, "an encyclopaedia", **more)


STORE = NormStore(
    [
        norm("tip-jp", "JP", "leaving a tip", "out of place"),
        norm("tip-us", "US", "leaving a tip in a restaurant", "expected"),
        norm("shoes-jp", "JP", "wearing shoes indoors", "out of place"),
        norm("queue-gb", "GB", "queueing for a bus", "expected"),
    ]
)


def test_the_score_is_bm25_by_hand() -> None:
    # Words without function words: tip-jp {leav, tip, out, place}; tip-us {leav, tip, restaurant, expect};
    # shoes-jp {wear, sho, indoor, out, place}; queue-gb {queu, bus, expect}. Mean length (4 + 4 + 5 + 3) / 4 = 4.
    found = STORE.search("Did they tip in the restaurant?", Blend.parse("US=3,JP=1"), k=5)
    idf_tip = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))
    idf_restaurant = math.log(1 + (4 - 1 + 0.5) / (1 + 0.5))
    saturation = 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 4 / 4))  # = 1: one occurrence in a record of mean length
    assert [(each.record.id, each.score) for each in found] == [
        ("tip-us", pytest.approx(0.75 * (idf_tip + idf_restaurant) * saturation, rel=1e-12)),
        ("tip-jp", pytest.approx(0.25 * idf_tip * saturation, rel=1e-12)),
    ]
    shoes = STORE.search("shoes", Blend.of("JP"))[0]
    assert shoes.score == pytest.approx(idf_restaurant * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 5 / 4)), rel=1e-12)


def test_a_repeated_word_in_a_record_saturates() -> None:
    store = NormStore([norm("a", "JP", "tip tip tip", "tip"), norm("b", "JP", "bow", "fine")])
    idf = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 4 * 2.2 / (4 + 1.2 * (0.25 + 0.75 * 4 / 3))
    assert store.search("tip", Blend.of("JP"))[0].score == pytest.approx(expected, rel=1e-12)
    assert store.search("tip tip tip", Blend.of("JP"))[0].score == pytest.approx(expected, rel=1e-12)


def test_only_the_cultures_of_the_blend_and_only_shared_words() -> None:
    assert [each.record.id for each in STORE.search("a tip", Blend.of("GB"))] == []
    assert STORE.search("the and of in a", Blend.parse("JP,US,GB")) == []
    assert STORE.search("", Blend.of("JP")) == []
    assert NormStore([]).search("tip", Blend.of("JP")) == []
    assert len(STORE.search("tip shoes", Blend.of("JP"), 1)) == 1


def test_ties_are_ordered_by_id_whatever_the_order_of_records() -> None:
    records = [norm(f"n{i}", "JP", "leaving a tip") for i in (3, 1, 2)]
    for order in (records, records[::-1]):
        assert [each.record.id for each in NormStore(order).search("tip", Blend.of("JP"), k=2)] == ["n1", "n2"]


@given(st.text(max_size=60) | st.sampled_from(["tips in restaurants", "shoes and buses"]), st.integers(0, 5))
def test_a_search_is_sorted_bounded_and_above_zero(text: str, k: int) -> None:
    found = STORE.search(text, Blend.parse("JP=2,US=1,GB=1"), k)
    scores = [each.score for each in found]
    assert len(found) <= k
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 and math.isfinite(score) for score in scores)
    assert all(set(split_words(text)) & set(split_words(e.record.situation + " " + e.record.norm)) for e in found)


def test_dated_norms_hold_from_their_first_to_their_last_day() -> None:
    old = norm("old", "GB", "smoking in a pub", valid_until="2007-06-30")
    new = norm("new", "GB", "smoking in a pub", "out of place", valid_from="2007-07-01")
    store = NormStore([old, new])

    def ids(on: date | None) -> list[str]:
        return [each.record.id for each in store.search("smoking", Blend.of("GB"), on=on)]

    assert ids(date(2007, 6, 30)) == ["old"]
    assert ids(date(2007, 7, 1)) == ["new"]
    assert sorted(ids(None)) == ["new", "old"]
    span = replace(old, valid_from="2007-06-30")
    assert [span.holds(date(2007, 6, day)) for day in (29, 30)] == [False, True]


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (STORE.records[0], "In Japan, leaving a tip is out of place."),
        (norm("a", "NL", "queueing", "varies"), "In the Netherlands, queueing varies."),
        (norm("a", "ta", "bowing", "expected"), "Among speakers of Tamil, bowing is expected."),
        (norm("a", "x-toy", "waving", "fine"), "Among toy people, waving is fine."),
    ],
)
def test_a_norm_reads_as_one_line(record: NormRecord, sentence: str) -> None:
    toy = Community("x-toy", "toy people", "none", ("us",), "us")
    assert record.sentence({"x-toy": toy}) == sentence


@pytest.mark.parametrize(
    ("forms", "stem"),
    [
        ("tip tips tipped tipping TIPPING", "tip"),
        ("queue queues queueing queued", "queu"),
        ("shoe shoes", "sho"),
        ("leave leaves leaving", "leav"),
        ("class classes", "class"),
        ("bus", "bus"),
    ],
)
def test_forms_of_a_word_are_compared_as_one(forms: str, stem: str) -> None:
    assert set(split_words(forms)) == {stem}


def test_one_id_for_two_norms_is_an_error() -> None:
    with pytest.raises(CalmError, match="already the id of row 1") as caught:
        NormStore([*STORE, replace(STORE.records[0], culture="US")])
    assert (caught.value.code, caught.value.row) == ("C13", 5)
