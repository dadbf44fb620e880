"""Short answers: strict matching, the reader of BLEnD, and planted answerers on a small table (invented votes)."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import Scripted, silent

from calm_lm.data.benchmarks.blend_short import PeoplesAnswer, ShortQuestion, read
from calm_lm.data.benchmarks.registry import get, locate
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Open, OpenAnswer
from calm_lm.evaluation.kinds.matching import first_answer, is_unknown, matches, pieces
from calm_lm.evaluation.kinds.short_answer import of_others, run, score
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task

ANSWERS = {
    "China": {"q1": [("花生", "peanuts", 3), ("炸鸡", "fried chicken", 1)], "q2": [("米饭", "rice", 2)]},
    "Spain": {"q1": [("aceitunas", "olives", 4), ("cacahuetes", "peanuts", 1)], "q2": [("pan", "bread", 5)]},
    "UK": {"q1": [("crisps", "crisps", 5)], "q2": []},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three places in the published layout, two questions each, one of them unanswered in one place."""
    for part in ("annotations", "questions"):
        (tmp_path / "blend" / part).mkdir(parents=True)
    for place, questions in ANSWERS.items():
        data = {
            name: {
                "question": "?", "en_question": f"{name} in {place}?", "idks": {"idk": 1, "no-answer": 0},
                "annotations": [
                    {"answers": [local], "en_answers": [english], "count": votes} for local, english, votes in given
                ],
            }
            for name, given in questions.items()
        }  # fmt: skip
        target = tmp_path / "blend" / "annotations" / f"{place}_data.json.gz"
        target.write_bytes(gzip.compress(json.dumps(data).encode()))
        with (tmp_path / "blend" / "questions" / f"{place}_questions.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["", "ID", "Topic", "Source", "Question", "Translation"])
            writer.writerows([[1, name, "Food", "x", "?", f"{name} in {place}?"] for name in questions])
    return tmp_path


def run_with(write, folder: Path, conditions=("neutral",)) -> dict:
    plan = Plan(Wanted(load_task("blend-short")), parse_conditions(conditions), folder, replicates=100)
    return run(Asker(Scripted(write=write), None, silent), plan).to_json()


@pytest.mark.parametrize(
    ("reply", "answer", "same"),
    [
        ("Rice", "rice", True),
        ("the peanuts", "Peanut", True),
        ("fried  chicken!", "chicken", True),  # whole word inside
        ("price", "rice", False),  # the published scorer says yes
        ("team", "tea", False),
        ("rice cakes", "rice cake", True),
        ("chicken", "fried chicken", False),
        ("chicken that is fried", "fried chicken", False),  # not in a row
        ("café", "Cafe", True),
        ("10", "1", False),
        ("10:30", "10.30", True),
        ("花生米", "花生", False),
        ("花生", "花生", True),
        ("Καφές", "καφες", True),
        ("কলম", "কল", False),
        ("ভাত", "ভাত", True),
        ("", "rice", False),
        ("rice", "", False),
        ("...", "!", False),
        ("grandmother's house", "grandmother house", True),
        ("countries", "country", True),
        ("Swiss", "Swi", False),
    ],
)
def test_whole_words_match_and_letters_inside_do_not(reply: str, answer: str, same: bool):
    assert matches(reply, [answer]) is same


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_text_matches_itself_and_a_longer_one_and_never_without_its_words(a: str, b: str):
    assert matches(a, [a]) is bool(pieces(a))
    assert matches(f"{b} {a} {b}", [a]) is bool(pieces(a))
    if matches(a, [b]):
        assert set(pieces(b)) <= set(pieces(a))


@pytest.mark.parametrize(
    ("reply", "first"),
    [
        ("rice, noodles, bread", "rice"),
        ("Answer: rice\nbecause", "rice"),
        ("\n\n- rice or bread", "- rice"),
        ("The most popular drink among children there is milk.", "milk"),
        ("It is milk", "It is milk"),
        ("3.5 hours", "3.5 hours"),
        ("", ""),
        ("?!", ""),
    ],
)
def test_the_first_thing_named_counts(reply: str, first: str):
    assert first_answer(reply) == first


@pytest.mark.parametrize(
    "reply", ["I don't know", "Not sure.", "idk", "I’m not certain", "N/A", "Unknown", "Do not know"]
)
def test_replies_that_do_not_know(reply: str):
    assert is_unknown(reply)
    assert not is_unknown(f"rice, but {reply}")


def test_the_reader_keeps_votes_places_and_spellings(folder: Path):
    questions = {(each.place, each.id): each for each in read(folder / "blend")}
    assert len(questions) == 6
    assert questions["CN", "q1"].answers == (
        PeoplesAnswer(("花生",), ("peanuts",), 3), PeoplesAnswer(("炸鸡",), ("fried chicken",), 1)
    )  # fmt: skip
    assert questions["GB", "q2"].answers == ()
    assert questions["ES", "q1"].text == "q1 in Spain?"
    assert questions["ES", "q1"].unknown == 1
    assert locate(get("blend-short"), folder) == folder / "blend"


def test_damaged_files_are_named(folder: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CalmError, match="E80"):
        read(tmp_path / "empty")
    target = folder / "blend" / "annotations" / "Spain_data.json.gz"
    whole = target.read_bytes()
    for damaged in (whole[:20], b"no gzip", gzip.compress(b"[1]"), gzip.compress(b"{"), gzip.compress(b'{"q1": 3}'),
                    gzip.compress(b'{"q1": {"annotations": [{}], "idks": {}}}')):  # fmt: skip
        target.write_bytes(damaged)
        with pytest.raises(CalmError, match=r"E81.*Spain_data"):
            read(folder / "blend")


def test_a_native_a_stranger_and_somebody_who_lists_everything(folder: Path):
    known = {f"{name} in {place}?": given for place, part in ANSWERS.items() for name, given in part.items()}

    def native(asked: Open) -> list[str]:
        return [known[asked.prompt.user.split("\n")[0]][0][1]]

    told = run_with(native, folder)
    assert told["systems"]["neutral"]["metrics"]["weighted"]["mean"] == 1
    assert told["asked"]["left_out_because_nobody_answered"] == 1
    assert told["asked"]["people_unknown"] == {
        "CN": pytest.approx((1 / 5 + 1 / 3) / 2, abs=1e-4),
        "ES": 0.1667,
        "GB": 0.1667,
    }
    second = run_with(lambda asked: ["fried chicken" if "q1 in China" in asked.prompt.user else "x"], folder)
    score_of = second["systems"]["neutral"]["metrics"]
    assert score_of["weighted"]["by_culture"]["CN"]["value"] == pytest.approx((1 / 3 + 0) / 2)
    assert score_of["accuracy"]["by_culture"]["CN"]["value"] == 0.5
    listing = run_with(lambda asked: ["stones, peanuts, olives, crisps, rice, bread"], folder)
    assert listing["systems"]["neutral"]["metrics"]["accuracy"]["mean"] == 0
    clueless = run_with(lambda asked: ["I don't know"], folder)
    assert clueless["systems"]["neutral"]["figures"]["unknown"]["value"] == 1


def test_the_baseline_is_what_the_others_say(folder: Path):
    questions = read(folder / "blend")
    rows = [each for each in questions if each.answers]
    guessed = dict(zip([(row.place, row.id) for row in rows], of_others(questions, rows), strict=True))
    # for China: Spain's olives 4 and peanuts 1, Britain's crisps 5
    assert guessed["CN", "q1"] == "crisps"
    assert guessed["GB", "q1"] in ("peanuts", "olives")  # 3 + 1 against 4: the first by name
    assert guessed["CN", "q2"] == "bread"
    alone = ShortQuestion("q9", "FR", "Food", "q9?", (PeoplesAnswer(("a",), ("a",), 1),), 0)
    assert of_others([*questions, alone], [alone]) == [""]
    assert score([alone], [""])["accuracy"][0] == 0


def test_a_refusal_is_wrong_and_a_lost_answer_is_no_answer(folder: Path):
    class Lossy(Scripted):
        def write(self, questions: Sequence[Open]) -> list[OpenAnswer]:
            return [
                OpenAnswer((), failed=1) if "Spain" in each.prompt.user else OpenAnswer((), 1) for each in questions
            ]

    plan = Plan(Wanted(load_task("blend-short")), parse_conditions(["neutral"]), folder, replicates=100)
    told = run(Asker(Lossy(), None, silent), plan).to_json()["systems"]["neutral"]
    values = {place: found["value"] for place, found in told["metrics"]["accuracy"]["by_culture"].items()}
    assert values == {"CN": 0, "ES": None, "GB": 0}
    assert told["figures"]["no_answer"]["value"] == 1


def test_a_place_that_was_not_asked_is_named(folder: Path):
    task = load_task("blend-short").model_copy(update={"cultures": ("CN", "FR")})
    plan = Plan(Wanted(task), parse_conditions(["neutral"]), folder)
    with pytest.raises(CalmError, match=r"E84.*FR"):
        run(Asker(Scripted(), None, silent), plan)


def test_the_published_files_are_read(data_dir: Path):
    questions = read(locate(get("blend-short"), data_dir))
    assert {each.place for each in questions} >= {"CN", "x-assam", "US"}
    assert all(each.text for each in questions)
    assert 0 < sum(not each.answers for each in questions) < 300
