"""A quiz for people in two parallel forms: one before they learn about a place, one after.

After the human study of CulturePark (arXiv 2405.15145), with what it lacks here put in: forms that are matched item
by item, teaching texts that hold none of their answers, instructions with consent, and a key that can be scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from calm_lm.culture.ids import display_name
from calm_lm.data.benchmarks.blend_short import ShortQuestion
from calm_lm.errors import CalmError
from calm_lm.evaluation.kinds.matching import matches, pieces
from calm_lm.files import write_json, write_text

SCHEMA = "calm-quiz/1"
OPTIONS = 4
LETTERS = "ABCD"
INSTRUCTIONS = """# Instructions

Read this page to every participant, or let them read it, before the first form.

- Taking part is voluntary. You may stop at any time, without a reason and without any disadvantage.
- We ask what is usual in everyday life in several places. Nobody knows all of it; guessing is fine.
- "Usual" means what about five people of a place answered when they were asked. Not everybody there would agree.
- Write down the code you were given, never your name. Answers are kept under the code alone, for this study only.
- First you answer form 1. Then you read the teaching pages, or take part in the lesson. Then you answer form 2.
- Please use no book, telephone or other help, and do not talk about the questions until everybody has finished.

I have read this and agree to take part.     Code: ____________     Date: ____________

For whoever runs the study: let half of the participants begin with `form-2.md`, so that a difference between the
forms cannot pass for learning; a group that learns nothing in between shows what answering twice does by itself. Ask
whoever is responsible where you are whether the study needs an ethical review.
"""


@dataclass(frozen=True, slots=True)
class QuizItem:
    """A question with one right option.

    Attributes:
        id: unique.
        culture: culture id of the place it is about.
        topic: forms are matched by place and topic.
        text: the question.
        options: four.
        answer: index of the right one.
    """

    id: str
    culture: str
    topic: str
    text: str
    options: tuple[str, ...]
    answer: int

    @property
    def fact(self) -> str:
        """The question with its right answer, as a teaching text has it."""
        return f"{self.text} {self.options[self.answer]}."


@dataclass(frozen=True, slots=True)
class Kit:
    """Two forms, the i-th items of which are of one place and topic, and what is taught in between."""

    first: tuple[QuizItem, ...]
    second: tuple[QuizItem, ...]
    lessons: tuple[QuizItem, ...]

    def lesson_for(self, item: QuizItem, most: int) -> tuple[QuizItem, ...]:
        """At most `most` facts on the item's place and topic."""
        kin = [each for each in self.lessons if (each.culture, each.topic) == (item.culture, item.topic)]
        return tuple(kin[:most])


def quiz_items(questions: Sequence[ShortQuestion], seed: int = 0) -> list[QuizItem]:
    """Four-option items from short answers: the place's commonest answer among commonest ones of other places.

    An answer that anybody of the place gave is no wrong option, and no two options are one answer in other words as
    far as whole words tell. Questions with fewer than three such are left out.
    """
    by_id: dict[str, list[ShortQuestion]] = {}
    for question in questions:
        by_id.setdefault(question.id, []).append(question)
    found = []
    for question in questions:
        here = [text for answer in question.answers for text in (*answer.english, *answer.local)]
        if not question.answers or not question.answers[0].english or not question.text:
            continue
        options = [question.answers[0].english[0]]
        others = [each for each in by_id[question.id] if each.place != question.place]
        rng = np.random.default_rng([seed, *f"{question.id}/{question.place}".encode()])
        for place in rng.permutation(len(others)).tolist():
            top = others[place].answers[0].english[:1] if others[place].answers else ()
            if len(options) < OPTIONS and top and not _same(top[0], [*here, *options]):
                options.append(top[0])
        if len(options) == OPTIONS:
            order = rng.permutation(OPTIONS).tolist()
            found.append(
                QuizItem(f"{question.id}/{question.place}", question.place, question.topic, question.text,
                         tuple(options[at] for at in order), order.index(0))
            )  # fmt: skip
    return found


def build_kit(items: Iterable[QuizItem], k: int, seed: int = 0) -> Kit:
    """Two forms of `k` items and the lessons that are left.

    Items are paired within place and topic; pairs are taken from all of these in turn. A third of each group at least
    stays for teaching.

    Raises:
        CalmError: E87 for fewer than `k` pairs.
    """
    rng = np.random.default_rng(seed)
    groups: dict[tuple[str, str], list[QuizItem]] = {}
    for item in sorted(items, key=lambda item: item.id):
        groups.setdefault((item.culture, item.topic), []).append(item)
    mixed = {name: [group[at] for at in rng.permutation(len(group)).tolist()] for name, group in groups.items()}
    names = [sorted(mixed)[at] for at in rng.permutation(len(mixed)).tolist()]
    room = {name: len(mixed[name]) // 3 for name in names}
    pairs: list[tuple[QuizItem, QuizItem]] = []
    while len(pairs) < k and any(room.values()):
        for name in names:
            if room[name] and len(pairs) < k:
                pairs.append((mixed[name].pop(), mixed[name].pop()))
                room[name] -= 1
    if k < 1 or len(pairs) < k:
        raise CalmError(
            "E87", f"there are items for {len(pairs)} matched pairs only.", field="k", value=k,
            fix="ask for 1 to that many, or bring more items of one place and topic.",
        )  # fmt: skip
    taught = {(item.culture, item.topic) for item, _ in pairs}
    lessons = [item for name in sorted(mixed) if name in taught for item in mixed[name]]
    first, second = zip(*pairs, strict=True)
    return Kit(first, second, tuple(lessons))


def write_kit(kit: Kit, folder: Path, *, source: str, licence: str) -> None:
    """Write instructions, two forms, teaching pages and the key (`key.json`) into a folder.

    Args:
        kit: what to write.
        folder: made where it does not exist.
        source: whom the items are from; stands on the forms.
        licence: of the items; the forms carry it on.
    """
    note = f"Items: {source}. Licence: {licence}."
    write_text(folder / "instructions.md", INSTRUCTIONS)
    write_text(folder / "form-1.md", _form("Form 1", kit.first, note))
    write_text(folder / "form-2.md", _form("Form 2", kit.second, note))
    write_text(folder / "teaching.md", _pages(kit, note))
    forms = {name: [asdict(item) for item in form] for name, form in (("1", kit.first), ("2", kit.second))}
    write_json(folder / "key.json", {"schema": SCHEMA, "source": source, "licence": licence, "forms": forms})


def _form(title: str, items: Sequence[QuizItem], note: str) -> str:
    lines = [f"# {title}", "", "Code: ____________", "", "Choose one answer to each question.", ""]
    for number, item in enumerate(items, start=1):
        lines += [f"**{number}.** {item.text}", ""]
        lines += [*(f"- {letter}. {option}" for letter, option in zip(LETTERS, item.options, strict=True)), ""]
    return "\n".join([*lines, note, ""])


def _pages(kit: Kit, note: str) -> str:
    lines = ["# What people answered", ""]
    for culture in sorted({item.culture for item in kit.lessons}):
        lines += [f"## {display_name(culture)}", ""]
        lines += [*(f"- {item.fact}" for item in kit.lessons if item.culture == culture), ""]
    return "\n".join([*lines, note, ""])


def _same(answer: str, others: Sequence[str]) -> bool:
    """Whether one holds the other in whole words; those without a word in common are sorted out first, for speed."""
    said = set(pieces(answer))
    near = [each for each in others if not said.isdisjoint(pieces(each))]
    return not said or any(matches(answer, [each]) or matches(each, [answer]) for each in near)
