"""A user's own table as a data set: which column is what, and every row checked before it is used.

Labels are compared as text without white space around them; whole numbers and booleans read as `1`, `true`.
Votes are a JSON object of label to count, or counts in the order of the labels with a bar between (`3|2`).
A culture cell is an id (`SG`), a blend (`SG=0.5,AU=0.5`) or empty. The other cells are text or whole numbers.
The cell `nan` is a missing number that was written out, never a value; the language of that code is `nan-TW`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from hashlib import blake2b
from pathlib import Path

from calm_lm.culture.blend import Blend
from calm_lm.data.cells import (
    Cultures,
    read_cell,
    read_label,
    read_name,
    read_split,
    read_text,
    read_votes,
)
from calm_lm.data.example import Dataset, Example, Role
from calm_lm.data.licences import UNDECLARED
from calm_lm.data.records import Record, read_records
from calm_lm.data.splits import grouped_split, normalise_text
from calm_lm.errors import CalmError, show
from calm_lm.files import disk_errors, sha256_file

FEW_ROWS = 20  # a culture with fewer is named in the notes
MOST_LABELS = 256

Report = Callable[[CalmError], None]


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of a user's file; None where there is no such column.

    Attributes:
        text: the text.
        label: what was said of it; may be empty in a row that has votes.
        culture: whose culture is involved, in the role given to `read_table`.
        votes: how many people gave each label.
        id: unique name of the row; the line number where absent.
        group: what must stay on one side of a split; the text where absent.
        split: train, valid (or validation, val, dev) or test; cut by group 70/10/20 where absent.
    """

    text: str
    label: str
    culture: str | None = None
    votes: str | None = None
    id: str | None = None
    group: str | None = None
    split: str | None = None

    def named(self) -> list[str]:
        """The columns that must be in the file, each once."""
        return list(dict.fromkeys(name for part in fields(self) if (name := getattr(self, part.name)) is not None))


@dataclass(frozen=True, slots=True)
class Draft:
    """A row whose cells are each in order, before the label set of the file is known."""

    row: int
    text: str
    label: str | None
    votes: dict[str, int] | tuple[int, ...] | None
    culture: Blend | None
    id: str
    group: str | None
    split: str | None


def read_table(path: Path, columns: Columns, *, labels: Sequence[str] | None = None, role: Role = "reader") -> Dataset:
    """Read a user's CSV, TSV, JSONL or Parquet file.

    Args:
        path: the file; its stem names the data set.
        columns: which column is what.
        labels: the label set in order, the last one counted as positive; the sorted distinct labels of the
            file where absent (by number where all are whole numbers).
        role: whose culture the culture column holds.

    Raises:
        CalmError: the first mistake in the file (D50 to D83, C01 to C03 and unknown ids), with its place.
    """

    def stop(problem: CalmError) -> None:
        raise problem

    return build_dataset(Path(path), columns, labels=labels, role=role, report=stop)


def build_dataset(path: Path, columns: Columns, *, labels: Sequence[str] | None, role: Role, report: Report) -> Dataset:
    """Read a user's file and hand every problem to `report`; the data set holds the rows without one."""
    try:
        given = None if labels is None else _check_labels(labels)
    except CalmError as problem:
        report(problem)
        given = None
    drafts: list[Draft] = []
    seen = 0
    for draft in read_drafts(path, columns):
        seen += 1
        if isinstance(draft, CalmError):
            report(draft)
        else:
            drafts.append(draft)
    try:
        if not seen:
            raise CalmError("D73", "holds no rows.", file=path, fix="write at least one row below the header.")
        names = given or (_infer_labels(path, columns, drafts) if drafts else ())
    except CalmError as problem:
        report(problem)
        names, drafts = (), []
    kept: list[tuple[Draft, int | None, tuple[int, ...] | None]] = []
    for draft in drafts:
        try:
            kept.append((draft, *_resolve(path, columns, draft, names)))
        except CalmError as problem:
            report(problem)
    return _assemble(path, columns, names, role, kept)


def read_drafts(path: Path, columns: Columns) -> Iterator[Draft | CalmError]:
    """Each row of the file as a `Draft`, or as the first problem of that row."""
    ids: dict[str, int] = {}
    cultures = Cultures()
    for record in read_records(path, columns.named()):
        if isinstance(record, CalmError):
            yield record
            continue
        try:
            draft = _read_draft(path, columns, record, cultures)
            if draft.id in ids:
                raise CalmError(
                    "D71",
                    f"the id stands in row {ids[draft.id]} already.",
                    file=path,
                    row=draft.row,
                    field=columns.id,
                    value=draft.id,
                    fix="give each row an id of its own; name what several readers judged with --group.",
                )
            ids[draft.id] = draft.row
            yield draft
        except CalmError as problem:
            yield problem


def _read_draft(path: Path, columns: Columns, record: Record, cultures: Cultures) -> Draft:
    read = partial(read_cell, path, record)
    label, votes = read(columns.label, read_label), read(columns.votes, read_votes)
    if label is None and votes is None:
        raise CalmError(
            "D66",
            "the row has neither a label nor votes.",
            file=path,
            row=record.row,
            field=columns.label,
            value=record.cells[columns.label],
            fix="write a label, or remove the row.",
        )
    return Draft(
        row=record.row,
        text=read(columns.text, read_text),
        label=label,
        votes=votes,
        culture=read(columns.culture, cultures.read),
        id=read(columns.id, read_name) or str(record.row),
        group=read(columns.group, read_name),
        split=read(columns.split, read_split),
    )


def _check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    names = tuple(label.strip() for label in labels)
    if len(set(names)) != len(names) or not 2 <= len(names) <= MOST_LABELS or not all(names):
        raise CalmError(
            "D79",
            f"a label set has 2 to {MOST_LABELS} different names.",
            field="labels",
            value=",".join(names),
            fix="name each label once, the positive one last: --labels no,yes.",
        )
    return names


def _infer_labels(path: Path, columns: Columns, drafts: Sequence[Draft]) -> tuple[str, ...]:
    found = {draft.label for draft in drafts if draft.label is not None}
    if not 2 <= len(found) <= MOST_LABELS:
        raise CalmError(
            "D81",
            f"the file has {len(found)} different labels; from 2 to {MOST_LABELS} are read.",
            file=path,
            row=drafts[0].row,
            field=columns.label,
            value=", ".join(sorted(found)[:10]),
            fix="name the label column with --label, or the whole label set with --labels no,yes.",
        )
    numeric = all(_is_whole(label) for label in found)
    return tuple(sorted(found, key=(lambda label: (int(label), label)) if numeric else (lambda label: (0, label))))


def _is_whole(label: str) -> bool:
    digits = label.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 20


def _resolve(
    path: Path, columns: Columns, draft: Draft, labels: tuple[str, ...]
) -> tuple[int | None, tuple[int, ...] | None]:
    """Label and votes of a row as positions in the label set."""
    if draft.label is not None and draft.label not in labels:
        raise CalmError(
            "D84",
            "the label is not in the label set.",
            file=path,
            row=draft.row,
            field=columns.label,
            value=draft.label,
            fix=f"use one of {_listed(labels)}.",
        )
    votes = draft.votes
    if votes is not None and (set(votes) - set(labels) if isinstance(votes, dict) else len(votes) != len(labels)):
        raise CalmError(
            "D69",
            "the votes do not fit the label set.",
            file=path,
            row=draft.row,
            field=columns.votes,
            value=votes,
            fix=f"count votes for {_listed(labels)}, or name the whole label set with --labels.",
        )
    counts = tuple(votes.get(label, 0) for label in labels) if isinstance(votes, dict) else votes
    return None if draft.label is None else labels.index(draft.label), counts


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(map(show, labels[:12])) + (f" and {len(labels) - 12} more" if len(labels) > 12 else "")


def _assemble(
    path: Path,
    columns: Columns,
    labels: tuple[str, ...],
    role: Role,
    kept: Sequence[tuple[Draft, int | None, tuple[int, ...] | None]],
) -> Dataset:
    groups, joined = _join_groups([draft for draft, _, _ in kept])
    examples = [
        Example(
            text=draft.text,
            id=draft.id,
            group=group,
            label=label,
            votes=votes,
            source=path.stem,
            licence=UNDECLARED,
            reader=draft.culture if role == "reader" else None,
            about=draft.culture if role == "about" else None,
            author=draft.culture if role == "author" else None,
        )
        for (draft, label, votes), group in zip(kept, groups, strict=True)
    ]
    if columns.split is None:
        splits = grouped_split(examples)
    else:
        sides = [draft.split for draft, _, _ in kept]
        splits = {
            name: tuple(row for row, side in zip(examples, sides, strict=True) if side == name)
            for name in ("train", "valid", "test")
            if name in sides
        }
    rows = Counter(culture for row in examples for culture, _ in getattr(row.culture(role), "parts", ()))
    sha256 = {}
    if path.is_file():
        with disk_errors(path):
            sha256 = {path.name: sha256_file(path)}
    return Dataset(
        name=path.stem,
        labels=labels,
        positive=max(len(labels) - 1, 0),
        splits=splits,
        contrast=role if len(rows) > 1 else None,
        licences=(UNDECLARED,),
        files=sha256,
        notes=tuple(_notes(columns, role, rows, joined)),
    )


def _notes(columns: Columns, role: Role, rows: Mapping[str, int], joined: int) -> Iterator[str]:
    if len(rows) < 2:
        yield f"{'one culture' if rows else 'no culture'} in the file: the contrastive window is off."
    for culture, count in sorted(rows.items()):
        if count < FEW_ROWS:
            yield f"{role} {culture} has {count} rows, fewer than {FEW_ROWS}: what is measured for it says little."
    if joined:
        yield f"{joined} groups share a text with another group and were joined to it."
    if columns.split is None:
        yield "no split column: groups were divided 70/10/20 by a hash of their name."


def _join_groups(drafts: Sequence[Draft]) -> tuple[list[str], int]:
    """The group of each row, and how many named groups were joined to another because they share a text."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            parent[name] = name = parent[above]
        return name

    first: dict[str, str] = {}
    names: list[str] = []
    for draft in drafts:
        text = blake2b(normalise_text(draft.text).encode("utf-8"), digest_size=12).hexdigest()
        names.append(text if draft.group is None else draft.group)
        low, high = sorted((root(names[-1]), root(first.setdefault(text, names[-1]))))
        parent[high] = low
    roots = [root(name) for name in names]
    return roots, len(set(names)) - len(set(roots))
