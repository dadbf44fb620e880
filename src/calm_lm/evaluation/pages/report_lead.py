"""What a report comes to in plain words: computed from paired differences, also where the model loses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from calm_lm.evaluation.pages.report_text import counted, culture_and_id, number, plainly
from calm_lm.evaluation.pages.report_views import Standing, TaskView

RANDOM = ("uniform", "chance")
SURVEY_WORDS: dict[Standing, str] = {
    "behind": "further from people than answering at random on",
    "ahead": "closer to people than answering at random on",
    "level": "not told apart from answering at random on",
}
OTHER_WORDS: dict[Standing, str] = {
    "behind": "worse than answering at random on", "ahead": "better than answering at random on",
    "level": "not told apart from answering at random on",
}  # fmt: skip
STANDS: dict[Standing, str] = {"ahead": "the model is ahead", "behind": "the model is behind",
                               "level": "the two are not told apart"}  # fmt: skip
CAUTION = (
    "Read from the 95 % interval of each difference by itself; which differences outlast Holm's correction for their "
    "number stands with every task."
)


class Lead(NamedTuple):
    """One sentence, and what it rests on."""

    sentence: str
    details: tuple[str, ...]


def lead(tasks: Sequence[TaskView]) -> Lead:
    """The verdict of a report.

    A system is ahead or behind when the whole 95 % interval of the paired difference says so. The model stands with its
    best condition, chosen after the fact: that can only flatter it.
    """
    surveys = [task for task in tasks if task.kind == "survey"]
    others = [task for task in tasks if task.kind != "survey"]
    noun = "other task" if surveys else "task"
    found = (_against_random(surveys, SURVEY_WORDS, "survey"), _against_random(others, OTHER_WORDS, noun))
    parts = [said for said in found if said]
    if parts:
        sentence = f"Even in its best condition the model is {'; and '.join(parts)}."
        if all("further" not in part and "worse" not in part for part in parts):
            sentence = f"In its best condition the model is {'; and '.join(parts)}."
    elif any(task.best("model") is not None for task in tasks):
        sentence = "The scores were not compared with answering at random, so they say little by themselves."
    else:
        sentence = "Nothing was measured that a verdict could rest on."
    details = [
        CAUTION if parts else "", _best_baseline(tasks), _country_prompt(tasks), *map(_worst_place, tasks),
        *map(_noise, tasks),
    ]  # fmt: skip
    return Lead(sentence, tuple(each for each in details if each))


def _against_random(tasks: Sequence[TaskView], said: dict[Standing, str], noun: str) -> str:
    """`further from people than answering at random on 2 of 2 surveys`, the worst news first."""
    found: list[Standing] = []
    for task in tasks:
        best = task.best("model")
        known = [] if best is None else [task.standing(best.name, name) for name in RANDOM]
        found += [each for each in known if each is not None][:1]
    order: tuple[Standing, ...] = ("behind", "level", "ahead")
    counts = [(each, found.count(each)) for each in order if each in found]
    if not counts:
        return ""
    first, *rest = [f"{said[each]} {count}" for each, count in counts]
    return ", ".join([f"{first} of {counted(len(found), noun)}", *rest])


def _best_baseline(tasks: Sequence[TaskView]) -> str:
    """How the best condition stands to the best baseline of each task."""
    found: dict[Standing, list[str]] = {"ahead": [], "behind": [], "level": []}
    for task in tasks:
        best, rival = task.best("model"), task.best("baseline")
        standing = None if best is None or rival is None else task.standing(best.name, rival.name)
        if standing is not None and rival is not None:
            found[standing].append(f"{task.title} ({rival.title})")
    parts = [f"{STANDS[each]} on {plainly(names)}" for each, names in found.items() if names]
    return f"Beside the best baseline of each task: {'; '.join(parts)}." if parts else ""


def _country_prompt(tasks: Sequence[TaskView]) -> str:
    """Whether telling the model the country helped."""
    pair = ("neutral+country", "neutral")
    found = [each for task in tasks if task.is_own(*pair) and (each := task.standing(*pair)) is not None]
    if not found:
        return ""
    helped, harmed = found.count("ahead"), found.count("behind")
    changed = f"helps on {helped} and harms on {harmed} of {counted(len(found), 'task')}"
    unclear = len(found) - helped - harmed
    return f"Naming the country in the prompt {changed}" + (f"; {unclear} cannot be told." if unclear else ".")


def _worst_place(task: TaskView) -> str:
    best = task.best("model")
    if best is None or best.headline is None or best.headline.worst_culture is None or len(task.cultures) < 2:
        return ""
    score = best.headline
    return (
        f"{task.title}: best condition {best.title}, mean {number(score.value)}, worst in "
        f"{culture_and_id(str(score.worst_culture))} at {number(score.worst)}."
    )


def _noise(task: TaskView) -> str:
    people, best = task.best("people"), task.best("model")
    if people is None or best is None or people.headline is None or best.headline is None:
        return ""
    return (
        f"{task.title}: {people.title} scores {number(people.headline.value)}, the model at its best "
        f"{number(best.headline.value)}."
    )
