"""The questions behind the ten items of the cultural map, and the mean answers that place a group on it.

Eight items are asked as they are: the bundled paraphrases of public survey questions, with their codes as options, so
that no published prompt's rule of how to answer stands against ours. The two indices cannot be asked; our choice:

    Y002  the two most important of four aims: P(first = i) * P(second = j | first = i), coded pair by pair
    Y003  each of four qualities, yes or no: P(independence) + P(determination) - P(religious faith) - P(obedience)

Respondents pick up to five of eleven qualities; a yes or no to each leaves out that picks compete.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from calm_lm.stats.arrays import Floats
from calm_lm.survey.inglehart_welzel import ITEMS, MapPoint, Projection, post_materialism, project_means
from calm_lm.survey.item import Option, SurveyItem
from calm_lm.survey.sources.bundled import bundled_codebook

AIMS = {
    1: "Keeping order in the country",
    2: "Giving people more say in what the government decides",
    3: "Fighting rising prices",
    4: "Protecting freedom of speech",
}
QUALITIES = {
    "independence": (1, "independence"),
    "determination": (1, "determination and perseverance"),
    "religious_faith": (-1, "religious faith"),
    "obedience": (-1, "obedience"),
}
FIRST = "Y002-first"
_INDICES = ("Y002", "Y003")
_YES, _NO = Option("1", "Yes"), Option("0", "No")


@cache
def map_questions() -> tuple[SurveyItem, ...]:
    """All that is asked: eight items, the first aim, the second given each first one, four qualities."""
    paraphrased = {item.id: item for item in bundled_codebook("ivs.yaml").items}
    direct = [paraphrased[item] for item in ITEMS if item not in _INDICES]
    first = _aims(FIRST, "Which of these aims should be the most important for the country in the next ten years?")
    second = [
        _aims(
            second_aim(aim),
            f"The most important aim for the country in the next ten years was said to be this: {text}. "
            "Which aim should be the next most important?",
            without=aim,
        )
        for aim, text in AIMS.items()
    ]
    qualities = [
        SurveyItem(
            id=quality(name),
            text=f"Is this a quality that it is especially important for children to learn at home: {text}?",
            options=(_YES, _NO),
            scale="nominal",
            source="paraphrase",
        )
        for name, (_, text) in QUALITIES.items()
    ]
    return (*direct, first, *second, *qualities)


def second_aim(first: int) -> str:
    """Id of the question for the second aim after a first one."""
    return f"Y002-after-{first}"


def quality(name: str) -> str:
    """Id of the question about a quality."""
    return f"Y003-{name}"


def map_means(shares: Mapping[str, Floats | None]) -> dict[str, float] | None:
    """Mean answer to each of the ten items, or None where a question has no valid answer.

    Args:
        shares: over the options of each of `map_questions()`, in their order; None without a valid answer. A second
            aim counts only as far as its first was picked.
    """
    given = {item: np.asarray(each, dtype=np.float64) for item, each in shares.items() if each is not None}
    if any(question.id not in given for question in map_questions()):
        return None
    means = {}
    for question in map_questions():
        if question.id in ITEMS:
            means[question.id] = float(given[question.id] @ np.asarray([float(code) for code in question.codes]))
    means["Y002"] = sum(
        float(given[FIRST][at] * share) * _index(first, second)
        for at, first in enumerate(AIMS)
        for second, share in zip((aim for aim in AIMS if aim != first), given[second_aim(first)], strict=True)
    )
    means["Y003"] = sum(sign * float(given[quality(name)][0]) for name, (sign, _) in QUALITIES.items())
    return means


def map_point(projection: Projection, shares: Mapping[str, Floats | None]) -> MapPoint | None:
    """The point of a group from its answers to `map_questions()`; None where one has no valid answer."""
    means = map_means(shares)
    return None if means is None else project_means(projection, means)


def _aims(name: str, text: str, without: int | None = None) -> SurveyItem:
    options = tuple(Option(str(aim), said) for aim, said in AIMS.items() if aim != without)
    return SurveyItem(id=name, text=text, options=options, scale="nominal", source="paraphrase")


def _index(first: int, second: int) -> int:
    coded = post_materialism(first, second)
    assert coded is not None
    return coded
