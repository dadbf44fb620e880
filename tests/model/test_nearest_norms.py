"""Search by meaning: the order of cosines by hand, only the blend's cultures, and nothing encoded twice."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from calm_lm.culture.blend import Blend
from calm_lm.culture.norms import NormRecord, NormStore
from calm_lm.lm.sentence import MeanPoolEncoder
from calm_lm.model.nearest_norms import NearestNorms, by_meaning

PLACES = {"tipping": (1.0, 0.0), "rounding up": (0.8, 0.6), "queueing": (0.0, 1.0), "shouting": (-1.0, 0.0)}


class Plane:
    """Situations at planted places; counts what it encodes."""

    d_embed = 2

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def embed(self, texts: Sequence[str], *, batch_size: int = 32) -> torch.Tensor:
        self.encoded += texts
        return torch.tensor([PLACES.get(text, (1.0, 0.0)) for text in texts])


def store(cultures: Sequence[str] = ("US", "JP")) -> NormStore:
    return NormStore(
        NormRecord(f"{culture}/{what}", culture, what, "fine", "made up") for culture in cultures for what in PLACES
    )


def test_the_nearest_come_first_and_what_points_away_is_not_found():
    found = NearestNorms(store().records, Plane()).search("coins for the waiter", Blend.of("US"), 5)
    assert [near.record.id for near in found] == ["US/tipping", "US/rounding up"]  # a cosine of 0 speaks to nothing
    assert [near.score for near in found] == pytest.approx([1.0, 0.8])


def test_a_blend_weighs_its_cultures_and_others_are_not_searched():
    found = NearestNorms(store(("US", "JP", "DE")).records, Plane()).search("coins", Blend.parse("US=0.75,JP=0.25"), 3)
    assert [(near.record.id, round(near.score, 3)) for near in found] == [
        ("US/tipping", 1.0), ("US/rounding up", 0.8), ("JP/tipping", 0.333)
    ]  # fmt: skip
    assert NearestNorms(store().records, Plane()).search("coins", Blend.of("BR"), 3) == []
    assert NearestNorms((), Plane()).search("coins", Blend.of("BR"), 3) == []


def test_a_record_is_as_near_to_a_blend_as_to_its_culture_alone():
    """The vote of norms trusts a record by its score: half of a reader is not half as near."""
    search = NearestNorms(store().records, Plane())
    alone, even = (search.search("coins", Blend.parse(name), 4) for name in ("US", "US=0.5,JP=0.5"))
    assert even[0].score == pytest.approx(alone[0].score)
    assert [near.score for near in even] == pytest.approx([1.0, 1.0, 0.8, 0.8])


def test_situations_are_encoded_once_and_known_texts_not_at_all():
    encoder = Plane()
    search = NearestNorms(store(("US", "JP", "DE")).records, encoder)
    assert sorted(encoder.encoded) == sorted(PLACES)
    search.know(["coins", "a queue"], torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    assert search.search("a queue", Blend.of("US"), 1)[0].record.id == "US/queueing"
    assert len(encoder.encoded) == len(PLACES)
    search.search("another text", Blend.of("US"), 1)
    assert encoder.encoded[len(PLACES) :] == ["another text"]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.permutations(["AU", "BR", "DE", "JP", "US"]), st.integers(1, 5))
def test_scores_fall_and_every_record_is_of_a_culture_asked_for(k, cultures, n):
    blend = Blend.parse(",".join(f"{culture}={1 / n}" for culture in cultures[:n]))
    found = NearestNorms(store(("AU", "BR", "DE", "JP", "US")).records, Plane()).search("x", blend, k)
    assert len(found) == min(k, 2 * n)
    assert [near.score for near in found] == sorted((near.score for near in found), reverse=True)
    assert {near.record.culture for near in found} <= set(cultures[:n])


def test_without_an_encoder_or_records_a_source_stays_as_it_is():
    class Own:
        def search(self, text: str, culture: Blend, k: int) -> list[object]:
            return []

    own, held = Own(), store()
    assert by_meaning(own, Plane()) is own
    assert by_meaning(held, None) is held
    assert by_meaning(None, Plane()) is None
    assert isinstance(by_meaning(held, Plane()), NearestNorms)


@pytest.mark.lm
def test_a_paraphrase_without_a_common_word_is_found():
    text, culture = "She adds a fifth of the bill for the waiter.", Blend.of("US")
    records = [
        NormRecord("1", "US", "leaving a tip for restaurant staff", "expected", "made up"),
        NormRecord("2", "US", "driving on the left side of the road", "out of place", "made up"),
    ]
    assert NormStore(records).search(text, culture, 1) == []
    assert NearestNorms(records, MeanPoolEncoder.load("embedded")).search(text, culture, 1)[0].record.id == "1"
