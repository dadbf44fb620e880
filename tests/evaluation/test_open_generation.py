"""Open generation: symbols from texts, and planted writers whose leaks, marks and sameness must show."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scripted import Scripted, silent

from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Open
from calm_lm.evaluation.kinds.generation import run
from calm_lm.evaluation.kinds.generation_figures import Text, Texts, leak, own_symbols
from calm_lm.evaluation.kinds.symbols import candidates, is_marked
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task

PLACES = ("BR", "JP", "NG")
NAMES = {"Brazil": "BR", "Japan": "JP", "Nigeria": "NG"}
DISHES = {"BR": "feijoada", "JP": "okonomiyaki", "NG": "jollof rice"}
BOTH = parse_conditions(["neutral", "neutral+country"])


def plan_of(*, samples: int = 3, conditions=BOTH, items: int = 3) -> Plan:
    task = load_task("everyday-generation").model_copy(update={"cultures": PLACES})
    return Plan(Wanted(task, items, samples=samples), conditions, replicates=200)


def place_in(asked: Open) -> str | None:
    return next((place for name, place in NAMES.items() if name in asked.prompt.setting), None)


def told_by(write, **changes) -> dict:
    told = run(Asker(Scripted(write=write), None, silent), plan_of(**changes)).to_json()
    json.dumps(told, allow_nan=False)
    return told


def test_candidates_are_runs_of_content_words_and_their_words():
    assert candidates("My neighbour makes Jollof rice, and a soup.") == {"jollof rice", "jollof", "rice", "soup"}
    assert candidates("She wears a blue silk kimono") == {"blue silk kimono", "blue", "silk", "kimono"}
    assert candidates("The Japanese neighbour from Japan likes it") == set()  # what the prompt said
    assert candidates("Name the dishes: dishes, ramen", asked="Name the dishes.") == {"ramen"}
    assert candidates("One 1984 x2 of it's") == set()


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("a traditional soup", True),
        ("Typically, they eat soup", True),
        ("feijoada (a stew of beans)", True),
        ("Sushi is a kind of rice dish", True),
        ("a soup (2)", False),
        ("a soup with nontraditional herbs", False),
        ("They trade in dishes", False),
        ("", False),
    ],
)
def test_marks(text: str, marked: bool):
    assert is_marked(text) is marked


def test_a_writer_that_serves_one_places_dish_to_nobody_has_that_default():
    def write(asked: Open) -> list[str]:
        place = place_in(asked)
        dish = DISHES[place or "JP"]
        return [f"They cook {dish} with plain water."] * asked.samples

    told = told_by(write)["systems"]
    assert told["neutral"]["detail"]["leak"] == {"BR": 0, "JP": 1, "NG": 0}
    assert told["neutral"]["detail"]["default_culture"] == "JP"
    assert told["neutral"]["figures"]["leak_evenness"]["value"] == 0
    symbols = told["neutral+country"]["detail"]["symbols"]
    assert told["neutral"]["detail"]["leaked"] == 27
    assert symbols["JP"] == [["okonomiyaki", 9]]
    assert ["jollof rice", 9] in symbols["NG"]
    assert not any("water" in name for held in symbols.values() for name, _ in held)  # everybody's


def test_an_even_writer_has_no_default_and_a_longer_symbol_counts_once():
    turn = {"at": 0}

    def write(asked: Open) -> list[str]:
        if place := place_in(asked):
            return [f"They cook {DISHES[place]}."] * asked.samples
        texts = []
        for _ in range(asked.samples):
            texts.append(f"They cook {DISHES[PLACES[turn['at'] % 3]]}.")
            turn["at"] += 1
        return texts

    told = told_by(write)["systems"]["neutral"]
    assert told["detail"]["leak"] == pytest.approx(dict.fromkeys(PLACES, 1 / 3))
    assert told["figures"]["leak_evenness"]["value"] == pytest.approx(1)


def test_marks_are_counted_by_place_and_only_where_they_are():
    told = told_by(lambda asked: [("Traditional soup." if place_in(asked) == "NG" else "Soup.")] * asked.samples)
    score = told["systems"]["neutral+country"]["metrics"]["marked"]
    assert {place: value["value"] for place, value in score["by_culture"].items()} == {"BR": 0, "JP": 0, "NG": 1}
    assert score["worst_culture"] == "NG"
    assert told["systems"]["neutral+country"]["figures"]["markedness_gap"]["value"] == 1
    assert told["systems"]["neutral"]["metrics"]["marked"]["mean"] == 0


def test_places_written_alike_are_as_far_apart_as_shuffled_ones():
    def write(asked: Open) -> list[str]:
        rng = np.random.default_rng(list(f"{asked.prompt.setting}{asked.prompt.user}".encode()))
        words = ["apple", "bread", "cheese", "dates", "eggs", "figs"]
        return [", ".join(rng.choice(words, 2)) for _ in range(asked.samples)]

    told = told_by(write, samples=12)["systems"]
    ours = told["neutral+country"]["figures"]["symbol_distinctness"]["value"]
    low, high = told["shuffled-places"]["figures"]["symbol_distinctness"]["interval"]
    assert low - 0.02 <= ours <= high + 0.02
    own = told_by(lambda asked: [f"{place_in(asked)}ish soup"] * asked.samples)["systems"]
    assert own["neutral+country"]["figures"]["symbol_distinctness"]["value"] > 0.7
    assert own["shuffled-places"]["figures"]["symbol_distinctness"]["value"] < 0.6


def test_diversity_is_one_for_words_that_never_come_back_and_none_for_one():
    counter = iter("abcdefghijklmnopqrstuvwxyz" * 100)
    fresh = told_by(lambda asked: [f"x{next(counter) * 3}y" for _ in range(asked.samples)], samples=2)["systems"]
    same = told_by(lambda asked: ["soup"] * asked.samples)["systems"]
    assert fresh["neutral+country"]["figures"]["symbol_diversity"]["value"] > 0.9
    assert same["neutral+country"]["figures"]["symbol_diversity"]["value"] == 0


def test_a_writer_without_words_has_no_figures_and_no_crash():
    told = told_by(lambda asked: [""] * asked.samples)["systems"]
    assert told["neutral"]["metrics"]["marked"]["mean"] is None
    assert told["neutral"]["figures"]["leak_evenness"]["value"] is None
    assert told["neutral+country"]["figures"]["symbol_diversity"]["value"] is None


def test_conditions_are_completed_and_amounts_of_text_are_equal():
    subject = Scripted(write=lambda asked: ["soup"] * asked.samples)
    told = run(Asker(subject, None, silent), plan_of(conditions=parse_conditions(["persona+country"]))).to_json()
    assert set(told["systems"]) == {"neutral", "persona+country", "shuffled-places"}
    free = sum(asked.samples for asked in subject.asked if place_in(asked) is None)
    assert free == sum(asked.samples for asked in subject.asked if place_in(asked)) == 27


def test_nobodys_words_leak_nothing():
    texts = tuple(Text(f"t/{at}", place, "", frozenset({"soup"}), ("soup",)) for at in range(3) for place in PLACES)
    corpus = Texts(PLACES, texts)
    assert all(math.isnan(share) for share in leak(corpus, corpus))
    assert own_symbols(corpus) == {place: [] for place in PLACES}
