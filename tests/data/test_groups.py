"""Near-identical sentences share a group, and a group never moves."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from calm_lm.data.groups import hash_share, near_variants

SLOT = "The gardener next door is very {} today."
OPENING = "My neighbour grows tall sunflowers. {}"


def test_slots_and_continuations_share_a_group():
    texts = [
        SLOT.format("calm"),
        SLOT.format("purple"),
        SLOT.format("purple").upper(),
        OPENING.format("They win prizes."),
        OPENING.format("The bus was late and it rained."),
        "An unrelated line about boats and rivers.",
    ]
    keys = near_variants(texts)
    assert len({*keys[:3]}) == len({*keys[3:5]}) == 1
    assert len({*keys}) == 3


def test_short_sentences_and_two_changes_do_not():
    texts = ["Cats are calm.", "Dogs are calm.", SLOT.format("calm"), "The baker next door is very loud today."]
    assert len({*near_variants(texts)}) == 4


def test_variants_of_variants_belong_together():
    words = ["one", "two", "three", "four", "five", "six"]
    chain = [" ".join(["changed"] * at + words[at:]) for at in range(7)]
    assert len({*near_variants(chain)}) == 1
    assert all(len({*near_variants(pair)}) == 1 for pair in map(list, pairwise(chain)))
    assert len({*near_variants([chain[0], chain[-1]])}) == 2


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=7).map(" ".join), max_size=12), st.randoms())
def test_groups_do_not_depend_on_the_order(texts, rng):
    order = list(range(len(texts)))
    rng.shuffle(order)
    keys, shuffled = near_variants(texts), near_variants([texts[at] for at in order])
    assert [keys[at] for at in order] == shuffled
    for at, text in enumerate(texts):  # pairwise definition, computed the slow way
        for other, other_text in enumerate(texts[:at]):
            one, two = text.split(), other_text.split()
            differ = sum(a != b for a, b in zip(one, two, strict=False))
            if one == two or (len(one) == len(two) >= 5 and differ == 1):
                assert keys[at] == keys[other]


def test_shares_are_even_and_fixed():
    shares = [hash_share(f"question {at}") for at in range(4000)]
    assert all(0 <= share < 1 for share in shares)
    assert abs(sum(share < 0.1 for share in shares) / 4000 - 0.1) < 0.015
    assert hash_share("Al-en-02") == 0xD2B45D64B7638A50 / 2**64
