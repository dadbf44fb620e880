from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.culture.blend import Blend
from calm_lm.errors import CalmError

WEIGHTS = st.dictionaries(
    st.sampled_from(["SG", "AU", "US", "GB", "ZA", "en", "x-toy"]), st.floats(1e-3, 1e3), min_size=1, max_size=7
)


@given(WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_in_which_a_blend_is_written_does_not_matter(weights: dict[str, float], random) -> None:
    parts = list(weights.items())
    shuffled = random.sample(parts, len(parts))
    one, other = Blend(tuple(parts)), Blend(tuple(shuffled))
    assert [culture for culture, _ in one.parts] == [culture for culture, _ in other.parts]
    assert [w for _, w in one.parts] == pytest.approx([w for _, w in other.parts], rel=1e-12)


@given(WEIGHTS, st.integers(-8, 8))
def test_a_common_factor_of_the_weights_does_not_matter(weights: dict[str, float], power: int) -> None:
    scaled = Blend(tuple((culture, weight * 2.0**power) for culture, weight in weights.items()))
    assert scaled == Blend(tuple(weights.items()))


@given(WEIGHTS)
def test_weights_sum_to_one_and_fall(weights: dict[str, float]) -> None:
    shares = [weight for _, weight in Blend(tuple(weights.items())).parts]
    assert math.fsum(shares) == pytest.approx(1.0, rel=1e-12)
    assert shares == sorted(shares, reverse=True)


def test_weights_near_the_largest_number_are_weights_too() -> None:
    assert Blend.parse("SG=1e308,AU=1e308,US=1.5e308").parts == Blend.parse("SG=2,AU=2,US=3").parts


def test_equal_weights_are_ordered_by_id() -> None:
    assert Blend.parse("US,AU,SG").parts == (("AU", 1 / 3), ("SG", 1 / 3), ("US", 1 / 3))


def test_a_blend_is_read_as_it_is_written() -> None:
    blend = Blend.parse(" SG=1 , AU=3 ")
    assert str(blend) == "AU=0.75,SG=0.25"
    assert Blend.parse(str(blend)) == blend
    assert blend.single is None
    assert Blend.of("SG") == Blend.parse("SG=7")
    assert Blend.of("SG").single == str(Blend.of("SG")) == "SG"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "C01"),
        ("SG,", "C01"),
        ("SG,SG", "C01"),
        ("=1", "C01"),
        ("SG=0", "C02"),
        ("SG=-1,AU=2", "C02"),
        ("SG=nan", "C02"),
        ("SG=inf", "C02"),
        ("SG=much", "C03"),
        ("SG=", "C03"),
        ("SG=0.5=AU", "C03"),
    ],
)
def test_a_bad_blend_is_one_error(text: str, code: str) -> None:
    with pytest.raises(CalmError) as caught:
        Blend.parse(text)
    assert caught.value.code == code
    assert "SG=0.5,AU=0.5" in caught.value.fix
