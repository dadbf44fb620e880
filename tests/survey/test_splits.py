"""Four-way splits: every answer stands in exactly one part, and training never sees what a test holds out."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.survey.splits import AXES, PARTS, Answer, four_way_split

names = st.integers(0, 6).map(str)
answers = st.lists(st.builds(Answer, names, names, names, names), min_size=1, max_size=60)


def grid(people: int = 6, questions: int = 6, cultures: int = 5, waves: int = 2) -> list[Answer]:
    sizes = (range(people), range(questions), range(cultures), range(2000, 2000 + waves))
    return [Answer(f"p{p}", f"q{q}", f"c{c}", str(w)) for p, q, c, w in product(*sizes)]


def test_a_full_grid_gives_every_part_its_hand_counted_share():
    split = four_way_split(grid(), share=0.34, seed=0)
    # 2 of 6 people, 2 of 6 questions, 2 of 5 cultures and 1 of 2 waves are held out
    assert {axis: len(split.held_out[axis]) for axis in AXES} == {"person": 2, "question": 2, "culture": 2, "wave": 1}
    assert split.counts == {
        "train": 4 * 4 * 3 * 1, "unseen_person": 2 * 4 * 3 * 1, "unseen_question": 4 * 2 * 3 * 1,
        "unseen_culture": 4 * 4 * 2 * 1, "unseen_wave": 4 * 4 * 3 * 1, "several": 360 - 48 - 24 - 24 - 32 - 48,
    }  # fmt: skip


def test_the_held_out_wave_is_the_latest_one():
    assert four_way_split(grid(waves=3), seed=5).held_out["wave"] == ("2002",)
    rounds = [answer._replace(wave=str(int(answer.wave) - 1992)) for answer in grid(waves=3)]  # 8, 9, 10
    assert four_way_split(rounds, seed=5).held_out["wave"] == ("10",)


@settings(max_examples=200)
@given(answers, st.integers(0, 1000), st.floats(0.05, 0.5))
def test_training_never_sees_what_is_held_out_and_a_test_is_new_in_one_thing_only(rows, seed, share):
    try:
        split = four_way_split(rows, share=share, seed=seed)
    except CalmError as error:
        if error.code != "V92":
            raise
        return
    assert len(split.parts) == len(rows)
    for row, part in zip(rows, split.parts, strict=True):
        new = [axis for axis, value in zip(AXES, row, strict=True) if value in split.held_out[axis]]
        expected = "train" if not new else "several" if len(new) > 1 else f"unseen_{new[0]}"
        assert part == expected
    assert sum(split.counts.values()) == len(rows)
    assert sorted(place for part in PARTS for place in split.rows(part)) == list(range(len(rows)))
    assert split == four_way_split(rows, share=share, seed=seed)


def test_questions_of_one_group_stay_on_one_side():
    split = four_way_split(grid(questions=12), seed=3, group_of=lambda question: str(int(question[1:]) // 3))
    held = set(split.held_out["question"])
    assert held
    for group in range(4):
        members = {f"q{3 * group + place}" for place in range(3)}
        assert members <= held or not members & held


def test_an_axis_that_a_source_does_not_tell_holds_nothing_out():
    split = four_way_split([answer._replace(person="", wave="") for answer in grid()], seed=1)
    assert split.held_out["person"] == split.held_out["wave"] == ()
    assert split.counts["unseen_person"] == split.counts["unseen_wave"] == 0


@pytest.mark.parametrize(("rows", "share", "code"), [(grid(), 0.0, "V90"), (grid(), 0.6, "V90"), ([], 0.2, "V91")])
def test_mistakes_are_named(rows, share, code):
    with pytest.raises(CalmError) as error:
        four_way_split(rows, share=share, seed=0)
    assert error.value.code == code
