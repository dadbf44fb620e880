"""One labelled text, whose culture is told apart three ways, and the data sets made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from calm_lm.culture.blend import Blend

Role = Literal["reader", "about", "author"]


@dataclass(frozen=True, slots=True)
class Example:
    """A text, what was said of it, and whose culture is involved.

    Attributes:
        text: the text as published.
        id: unique within its data set.
        group: what must stay on one side of a split (the post, the question, the source page); rows that
            share a text share a group.
        label: index into the data set's `labels`, or None where only votes or nothing is known.
        votes: how many people gave each label, in the order of `labels`; None where unknown.
        reader: whose judgement the label is.
        about: the groups and places the text speaks of.
        author: who wrote or answered.
        source: the part of the data set it comes from.
        licence: SPDX id of the row's licence, or `undeclared`.
        tags: further facts used for slices of a table, as (name, value) pairs: `("resource", "high")`.
    """

    text: str
    id: str
    group: str
    label: int | None
    votes: tuple[int, ...] | None = None
    reader: Blend | None = None
    about: Blend | None = None
    author: Blend | None = None
    source: str = ""
    licence: str = "undeclared"
    tags: tuple[tuple[str, str], ...] = ()

    def culture(self, role: Role) -> Blend | None:
        """The blend of one role."""
        return {"reader": self.reader, "about": self.about, "author": self.author}[role]

    def tag(self, name: str) -> str | None:
        """The value of one tag, or None."""
        return dict(self.tags).get(name)


class Slice(NamedTuple):
    """A part of the rows that is judged by itself too: those whose `tag` has one of `values`."""

    name: str
    tag: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Examples by split, with all a run needs to know about where they come from.

    Attributes:
        name: registered name, or the stem of the user's file.
        labels: label names; `Example.label` and `Example.votes` follow this order.
        positive: index of the label that precision, recall and AUROC speak of.
        splits: `train`, `valid`, `test` (or fewer) to examples; a split that was not given is absent.
        contrast: which culture the contrastive window groups by, None turns the window off.
        offensive: mask texts in terminals, pages and errors.
        licences: SPDX ids of everything in it.
        citation: one line.
        files: path as published to sha256, of the files that were read.
        notes: what a user must know (dropped rows with counts, substitutes named as such).
        slices: parts of the rows that results are given for as well.
    """

    name: str
    labels: tuple[str, ...]
    positive: int
    splits: dict[str, tuple[Example, ...]]
    contrast: Role | None
    offensive: bool = False
    licences: tuple[str, ...] = ()
    citation: str = ""
    files: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    slices: tuple[Slice, ...] = ()

    def __iter__(self) -> Iterator[Example]:
        for rows in self.splits.values():
            yield from rows

    def cultures(self, role: Role) -> tuple[str, ...]:
        """Sorted ids that occur in one role, over all splits."""
        return tuple(sorted({c for row in self for c, _ in getattr(row.culture(role), "parts", ())}))
