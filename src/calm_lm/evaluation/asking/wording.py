"""How an item becomes a prompt: framing, place, options under labels, in several orders and label styles.

What differs between places stands first and what differs between questions last, so that a model computes a place's
part once. The sentences stand in `phrases.yaml`, by language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import product

import numpy as np

from calm_lm.culture.ids import display_name, kind
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.asking.profile import in_words
from calm_lm.evaluation.asking.question import Choice, Prompt, Style
from calm_lm.survey.cell import Cell

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FIRST_OF_TWO_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Place:
    """Whom a question is about, as far as it is told.

    Attributes:
        id: culture id.
        facts: what is known of the respondents, in plain words, for the full profile.
        norms: norm records as sentences.
        cell: a part of its people, for the full profile; their demographics are then told in place of the facts, which
            are the same for all of the place and would hide what the demographics bring.
    """

    id: str
    facts: tuple[str, ...] = ()
    norms: tuple[str, ...] = ()
    cell: Cell | None = None

    @property
    def name(self) -> str:
        """The culture id, with what narrows its people: `EG`, or `EG, sex=female`."""
        return self.id if self.cell is None else self.cell.name


@dataclass(frozen=True, slots=True)
class Presentation:
    """A label style and an order of the options."""

    style: Style
    order: tuple[int, ...]


def presentations(
    n_options: int, count: int, *, ordinal: bool, bare: bool = False, seed: int = 0
) -> list[Presentation]:
    """`count` different presentations that balance orders and label styles.

    Ordered answers are listed from one end or from the other; unordered ones in seeded orders, each with its reverse.
    The first two differ in both order and style, so two are already balanced. No answer may begin another ("1" and
    "10"), or its probability would hold the other's: numbers get leading zeros, and a bare scale of ten has letters.

    A limit: the letters "I" (from nine options on) and "A" are words too, and a sentence that begins with one counts
    for it. On seven bare ten-point items of MENAValues (neutral, and as a person from Egypt; both orders) the embedded
    model goes on with a word in 0.33 of the probability of "I", 0.13 of "J", 0.05 of "A", under 0.01 of "B" and "C".
    "I" held 0.074 of the options' probability, so 0.024 of it are sentences; orders from both ends share that between
    two options. The labels stay because the figures published with this project were measured with them.

    Args:
        n_options: how many options.
        count: how many presentations; fewer are returned where there are not so many.
        ordinal: keep neighbours beside each other.
        bare: the options are numbers themselves, to be answered as they are.
        seed: of the orders.
    """
    forward = tuple(range(n_options))
    orders = [forward, forward[::-1]]
    if not ordinal:
        rng = np.random.default_rng([seed, n_options])
        drawn = (tuple(rng.permutation(n_options).tolist()) for _ in range(count))
        orders += [order for one in drawn for order in (one, one[::-1])]
    styles: tuple[Style, ...] = ("letters", "numbers")
    if bare:
        styles = ("words",) if n_options < FIRST_OF_TWO_DIGITS else ("letters",)
    if n_options > len(LETTERS):
        styles = ("numbers",)
    pairs = [(orders[i % len(orders)], styles[i % len(styles)]) for i in range(2)]
    pairs += [(order, style) for order, style in product(dict.fromkeys(orders), styles)]
    return [Presentation(style, order) for order, style in dict.fromkeys(pairs)][:count]


def choice(
    question_id: str,
    text: str,
    options: Sequence[str],
    condition: Condition,
    place: Place | None,
    shown: Presentation,
) -> Choice:
    """One presentation of a question.

    Args:
        question_id: shared by all presentations of one question and place.
        text: the question, in the condition's language.
        options: their texts, in the question's own order.
        condition: how it is asked.
        place: whom it is about; None only where the condition names no culture.
        shown: label style and order.

    Raises:
        CalmError: E34 for a language without sentences here, E36 for a condition that needs a place and has none.
    """
    phrases = phrases_of(condition.language)
    labels = _labels(shown, len(options))
    if shown.style == "words":
        said = ", ".join(options[i] for i in shown.order)
        listed, rule = "", phrases["words"].format(options=said)
    else:
        listed = "\n".join(f"{labels[i]}. {options[i]}" for i in shown.order) + "\n\n"
        rule = phrases[shown.style]
    prompt = Prompt(user=f"{text}\n\n{listed}{rule}", setting=setting(condition, place))
    return Choice(question_id, prompt, tuple(options), labels, shown.order, condition.reasoning, condition.language)


def setting(condition: Condition, place: Place | None) -> str:
    """What is said before the question about who answers and where; empty for the neutral one."""
    if not condition.names_culture:
        return ""
    if place is None:
        raise CalmError("E36", "this condition needs a place.", field="place", value=condition.name, fix="name one.")
    phrases = phrases_of(condition.language)
    name = place_name(place.id, condition.language)
    framing = "place" if condition.framing == "neutral" else condition.framing
    if condition.culture == "profile" and place.cell is not None:
        who = "; ".join(in_words(place.cell.profile, condition.language))
        return phrases[f"{framing}_of"].format(place=name, who=who)
    lines = [phrases[framing].format(place=name)]
    if condition.culture == "profile" and place.facts:
        about = "observed" if condition.framing == "observer" else "profile"
        lines.append(phrases[about].format(facts="; ".join(place.facts)))
    if condition.culture == "norms" and place.norms:
        lines += [phrases["norms"].format(place=name), *(f"- {norm}" for norm in place.norms)]
    return "\n".join(lines)


def place_name(culture: str, language: str) -> str:
    """A culture's name in a language (CLDR), the English one where CLDR has none."""
    if language == "en" or kind(culture) != "country":
        return display_name(culture)
    from babel import Locale

    return str(Locale.parse(language, sep="-").territories.get(culture, display_name(culture)))


@cache
def _all_phrases() -> dict[str, dict[str, str]]:
    import yaml

    text = (resources.files("calm_lm.evaluation.asking") / "phrases.yaml").read_text("utf-8")
    loaded: dict[str, dict[str, str]] = yaml.safe_load(text)
    return loaded


def phrases_of(language: str) -> dict[str, str]:
    """The sentences around a question in a language.

    Raises:
        CalmError: E34 for one that is not there.
    """
    known = _all_phrases()
    if language not in known:
        raise CalmError(
            "E34", "the sentences around a question are not written in this language.", field="language",
            value=language, fix=f"use {', '.join(sorted(known))}, or add it to evaluation/asking/phrases.yaml.",
        )  # fmt: skip
    return known[language]


def _labels(shown: Presentation, n_options: int) -> tuple[str, ...]:
    """Label of each option in the question's own order; the first one listed is A or 1."""
    if shown.style == "words":
        return ("",) * n_options
    labels = [""] * n_options
    for place, option in enumerate(shown.order):
        labels[option] = LETTERS[place] if shown.style == "letters" else str(place + 1).zfill(len(str(n_options)))
    return tuple(labels)
