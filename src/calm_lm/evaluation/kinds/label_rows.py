"""Rows of tasks about labelled texts: which are judged, what people said of them, and how a model is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from calm_lm.culture.norms import NormStore
from calm_lm.data.example import Dataset, Example
from calm_lm.errors import CalmError, UnavailableError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.asking.pool import Pooled
from calm_lm.evaluation.kinds.closed import Conditions, Question, ask, fitting, shares_of
from calm_lm.evaluation.kinds.label_wordings import wording_of
from calm_lm.evaluation.kinds.run_rows import classify_rows, run_of
from calm_lm.evaluation.table import EVERYONE
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class LabelRows:
    """Judged rows, one for each text and reader.

    Attributes:
        data: all of the data set in the languages asked; base rates count no other.
        examples: the rows [N].
        units: what each row belongs to when texts are sampled; all readers of a text share one.
        cultures: by which the score is told [N].
        shares: what part of the people gave each label [N, L]; the label alone where votes are unknown.
        labels: commonest label [N], -1 where people are divided evenly.
        weights: how many rows of the data set each row stands for, where texts were sampled by label [N].
    """

    data: Dataset
    examples: tuple[Example, ...]
    units: tuple[str, ...]
    cultures: tuple[str, ...]
    shares: Floats
    labels: Ints
    weights: Floats

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def groups(self) -> list[str]:
        """What is redrawn together: the post, the question, near-identical sentences."""
        return [each.group for each in self.examples]

    @property
    def have_company(self) -> Bools:
        """Rows of texts that another reader judged too [N]: only these can be read as somebody else."""
        _, place, count = np.unique(np.asarray(self.units), return_inverse=True, return_counts=True)
        read = np.asarray([each.reader is not None for each in self.examples])
        found: Bools = read & (count[place] > 1)
        return found


def one_text(example: Example) -> str:
    """What rows of one text and question share: they differ in the reader alone."""
    return example.id if example.reader is None else example.id.rpartition("/")[0]


def choose_rows(data: Dataset, plan: Plan, unit: Callable[[Example], str] = one_text) -> LabelRows:
    """Texts of the task's split, sampled over the parts that the setting `by` names, with all their readers.

    Rows that say in the tag `language` that they are in another language than the plan's are left out.

    Settings: `split`, `by` (`label`, `about`, a tag, or several joined by +), `culture` (`reader`, `about`, `language`,
    or `everyone`), `asks`
    (`about`: a prompt may name the place a text is about), `reader_is_about` (a reader who is anybody of that place).

    Args:
        data: what to sample from.
        plan: how many, and the task's settings.
        unit: what is sampled together.

    Raises:
        CalmError: E61 for a split that is not there, E40 for no row.
    """
    settings = plan.task.settings
    split = settings.get("split", "test")
    if split not in data.splits:
        raise CalmError(
            "E61", f"has no split of this name; there are {', '.join(data.splits) or 'none'}.", field="settings.split",
            value=split, fix="name one of them in the task, or add its file to the data folder.",
        )  # fmt: skip
    units: dict[str, list[Example]] = {}
    spoken = {
        name: tuple(each for each in rows if language_of(each, plan) in plan.asked_in)
        for name, rows in data.splits.items()
    }
    there = spoken[split]
    for example in there:
        units.setdefault(unit(example), []).append(example)
    by = settings.get("by", "label")
    chosen = plan.sample(list(units), lambda name: _part(units[name][0], by))
    examples = [example for name in chosen for example in units[name]]
    role = settings.get("culture", "everyone")
    if plan.task.cultures is not None:
        examples = [each for each in examples if _culture(each, role) in plan.task.cultures]
    if not examples:
        raise CalmError("E62", "there is no such row.", field="cultures", value=plan.task.cultures, fix="name others.")
    shares = np.stack([_shares(each, len(data.labels)) for each in examples])
    labels = np.asarray([-1 if each.label is None else each.label for each in examples], dtype=np.int64)
    return LabelRows(
        data=replace(data, splits=spoken),
        examples=tuple(examples),
        units=tuple(unit(each) for each in examples),
        cultures=tuple(_culture(each, role) for each in examples),
        shares=shares,
        labels=labels,
        weights=_weights(there, examples, by) if "label" in by.split("+") else np.ones(len(examples)),
    )


def language_of(example: Example, plan: Plan) -> str:
    """The language of a text: its own where the data tell it, else that of the task."""
    return example.tag("language") or plan.asked_in[0]


def ask_rows(
    asker: Asker, rows: LabelRows, plan: Plan, norms: NormStore | None
) -> tuple[list[tuple[Condition, list[Pooled]]], Conditions]:
    """Answers along the rows under every condition that fits, from a trained run or a model that is asked.

    A run that answers these labels is not asked in words: it classifies, for nobody in particular where the condition
    names no place. A run of other labels says itself that it cannot (E45).
    """
    model = run_of(asker, rows.data)
    if model is not None:
        _refuse_routed(asker, rows, plan)
        return classify_rows(asker, model, rows.examples, plan)
    readers = [_reader(example, plan.task.settings) for example in rows.examples]
    nobody = all(reader is None for reader in readers)
    conditions = fitting(plan, no_place="its labels have no reader that a prompt could name" if nobody else None)
    wording = wording_of(rows.data.name, rows.data.labels)
    questions = [
        Question(one_text(example), wording.ask(example), wording.answers, reader, language_of(example, plan))
        for example, reader in zip(rows.examples, readers, strict=True)
    ]
    return [(each, ask(asker, questions, each, plan, norms)) for each in conditions.used], conditions


def texts_of(rows: LabelRows) -> tuple[tuple[str, str], ...]:
    """Id and text of everything that is asked about, each once."""
    return tuple({one_text(each): each.text for each in rows.examples}.items())


def probabilities(asker: Asker, answers: Sequence[Pooled], plan: Plan, languages: Sequence[str], n: int) -> Floats:
    """Answers as shares [N, L], `nan` where none is valid.

    Where answers were sampled, half a sample is added to every label (our choice, after Jeffreys), or a label that a
    few samples miss would count as impossible.

    Args:
        asker: who was asked.
        answers: along the rows.
        plan: how many presentations.
        languages: of the rows, by which it is known who answered.
        n: how many labels there are.
    """
    shares = shares_of(answers, n)
    speakers = [asker.speakers.of(each) for each in languages]
    samples = [0 if each.exact else int(each.settings.get("samples", 1)) for each in speakers]
    drawn = plan.wanted.presentations * np.asarray(samples, dtype=np.float64)[:, None]
    smooth: Floats = np.where(drawn > 0, (shares * drawn + 0.5) / (drawn + 0.5 * n), shares)
    return smooth


def _refuse_routed(asker: Asker, rows: LabelRows, plan: Plan) -> None:
    """A run classifies all rows of a table itself: no part of them can be asked of another model.

    Raises:
        UnavailableError: E73.
    """
    routed = sorted({each for row in rows.examples if asker.speakers.other(each := language_of(row, plan))})
    if routed:
        raise UnavailableError(
            "E73", "a trained run classifies these rows itself, and another model was named for their language.",
            field="--language-model", value=", ".join(routed), fix="leave the route out, or ask the other model alone.",
        )  # fmt: skip


def _part(example: Example, by: str) -> str:
    if "+" in by:
        return "/".join(_part(example, each) for each in by.split("+"))
    if by == "label":
        return str(example.label)
    if by == "about":
        return str(example.about)
    return example.tag(by) or example.source


def _culture(example: Example, role: str) -> str:
    if role == "everyone":
        return EVERYONE
    if role == "language":
        return example.tag("language") or EVERYONE
    blend = example.reader if role == "reader" else example.about
    return EVERYONE if blend is None else str(blend)


def _reader(example: Example, settings: Mapping[str, object]) -> str | None:
    """Whom a prompt may name: the reader, or where the reader is only "people there", the place spoken of.

    Where nobody's judgement is known (`asks: about`), the place that the statement is about.
    """
    if settings.get("asks") == "about":
        return None if example.about is None else example.about.single
    if example.reader is None:
        return None
    reader = example.reader.single
    if reader == settings.get("reader_is_about") and example.about is not None:
        return example.about.single
    return reader


def _shares(example: Example, n_labels: int) -> Floats:
    """Vote shares, the label alone where votes are unknown, and even shares where nothing is."""
    counts: Floats = np.ones(n_labels)
    if example.votes is not None:
        counts = np.asarray(example.votes, dtype=np.float64)
    elif example.label is not None:
        counts = np.eye(n_labels)[example.label]
    shares: Floats = counts / counts.sum()
    return shares


def _weights(everything: Sequence[Example], chosen: Sequence[Example], by: str) -> Floats:
    """Rows of the data set per row judged, by the parts that were sampled, scaled to a mean of one."""
    there, here = (Counter(_part(each, by) for each in rows) for rows in (everything, chosen))
    weights = np.asarray([there[_part(each, by)] / here[_part(each, by)] for each in chosen], dtype=np.float64)
    scaled: Floats = weights / weights.mean()
    return scaled
