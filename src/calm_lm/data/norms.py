"""Norm families: what is done in everyday life, how twelve countries see it, and situations in which it happens.

One YAML file a topic, a list of families. Files are read node by node, every value as the text that stands there
(so that the country `NO` would not become a boolean), and any breach of the layout is refused with its line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from calm_lm.data.splits import normalise_text
from calm_lm.errors import CalmError
from calm_lm.files import disk_errors

NORMS = ("expected", "fine", "out-of-place", "varies")
COUNTRIES = ("AU", "BR", "CN", "DE", "EG", "GB", "IN", "JP", "MX", "NG", "TH", "US")
SITUATIONS = 5  # a family
MOST_BEHAVIOURS = 3
LONGEST = 300  # characters of one text
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Cell:
    """How one country sees one behaviour.

    Attributes:
        norm: one of `NORMS`; `varies` where practice differs inside the country or no public source settles it.
        source: the public document that says so; None only for `varies`.
    """

    norm: str
    source: str | None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One thing people do.

    Attributes:
        name: kebab case, unique in its family.
        says: what is done, as a phrase with a verb in -ing (`leaving a tip`).
        cells: country to its cell, in the order of `COUNTRIES`.
    """

    name: str
    says: str
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Situation:
    """One or two sentences in which a behaviour happens, with no word on the place."""

    behaviour: str
    text: str


@dataclass(frozen=True, slots=True)
class Family:
    """A custom: one to three behaviours and five situations.

    Attributes:
        name: kebab case, unique over all topics.
        topic: the stem of its file.
        behaviours: name to behaviour, in the order of the file.
        situations: in the order of the file.
    """

    name: str
    topic: str
    behaviours: Mapping[str, Behaviour]
    situations: tuple[Situation, ...]


def read_families(folder: Path) -> tuple[Family, ...]:
    """Read every `*.yaml` of a folder, files in the order of their names.

    Raises:
        CalmError: F01 for a file that cannot be read, D90 for one that is no YAML, D91 for a folder without any; with
            file, row and field, D92 for a value of the wrong kind, D93 for a missing, unknown or repeated key, D94 for
            a norm that is none, D95 for a norm without its citation, D96 for a misshapen name, D97 for too few or too
            many behaviours or situations, D98 for a family or a text given twice, D99 for a situation whose behaviour
            is not one of its family.
    """
    paths = sorted(Path(folder).glob("*.yaml"))
    if not paths:
        fix = "give the folder that holds one .yaml file a topic."
        raise CalmError("D91", "holds no norm families.", file=folder, fix=fix)
    read = [pair for path in paths for pair in _read_file(path)]
    _refuse_repeats((family.name, place) for family, place in read)
    _refuse_repeats((normalise_text(s.text), place) for family, place in read for s in family.situations)
    return tuple(family for family, _ in read)


class _Place(NamedTuple):
    """A value in a file: its node, and the key it stands under."""

    file: Path
    node: yaml.Node
    field: str

    def error(self, code: str, problem: str, fix: str, value: str | None = None) -> CalmError:
        row = self.node.start_mark.line + 1
        if value is None:
            return CalmError(code, problem, file=self.file, row=row, field=self.field, fix=fix)
        return CalmError(code, problem, file=self.file, row=row, field=self.field, value=value, fix=fix)

    def wrong_kind(self, wanted: str) -> CalmError:
        return self.error("D92", f"is not {wanted}.", f"write {wanted}.")

    def text(self) -> str:
        """The one line of text that stands here."""
        value = str(self.node.value).strip() if isinstance(self.node, yaml.ScalarNode) else ""
        if not value or len(value) > LONGEST or not value.isprintable():
            raise self.wrong_kind(f"one line of text of at most {LONGEST} characters")
        return value

    def items(self) -> list[_Place]:
        """The items of the list that stands here."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.wrong_kind("a list")
        return [_Place(self.file, node, self.field) for node in self.node.value]

    def pairs(self) -> dict[str, _Place]:
        """The keys and values of the mapping that stands here."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.wrong_kind("keys with values")
        found = [(_Place(self.file, key, self.field).text(), value) for key, value in self.node.value]
        repeated = [name for name, count in Counter(name for name, _ in found).items() if count > 1]
        self._refuse_keys(repeated, "stands twice")
        return {name: _Place(self.file, value, name) for name, value in found}

    def record(self, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, _Place]:
        """The mapping that stands here, which has these keys and no others."""
        found, needed = self.pairs(), tuple(required)
        allowed = (*needed, *optional)
        self._refuse_keys([name for name in found if name not in allowed], f"is none of {', '.join(allowed)}")
        self._refuse_keys([name for name in needed if name not in found], "is missing")
        return found

    def _refuse_keys(self, names: list[str], problem: str) -> None:
        if names:
            fix = "compare with the layout in DATASHEET.md."
            raise self._replace(field=names[0]).error("D93", f"the key {problem}.", fix)


def _read_file(path: Path) -> Iterator[tuple[Family, _Place]]:
    with disk_errors(path):
        data = path.read_bytes()
    try:
        root = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
        if root is None:
            raise yaml.YAMLError("it is empty")
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        problem = f"is not readable YAML ({' '.join(str(error).split())})."
        raise CalmError("D90", problem, file=path, fix="restore the file, or mend the line it names.") from error
    whole = _Place(path, root, "family")
    places = whole.items()
    if not places:
        raise whole.wrong_kind("a list of families")
    for place in places:
        yield _family(place, topic=path.stem), place


def _family(place: _Place, topic: str) -> Family:
    given = place.record(("family", "behaviours", "situations"))
    named = given["behaviours"].pairs()
    _check_number(given["behaviours"], len(named), 1, MOST_BEHAVIOURS)
    behaviours = {name: _behaviour(name, at) for name, at in named.items()}
    situations = tuple(_situation(at, behaviours) for at in given["situations"].items())
    _check_number(given["situations"], len(situations), SITUATIONS, SITUATIONS)
    for name in behaviours:
        # with two behaviours each keeps a situation for training when another is held out
        _check_number(
            named[name], sum(s.behaviour == name for s in situations), 2 if len(named) == 2 else 1, SITUATIONS
        )
    return Family(_name(given["family"], given["family"].text()), topic, behaviours, situations)


def _behaviour(name: str, place: _Place) -> Behaviour:
    given = place.record(("says", "cells"))
    cells = given["cells"].record(COUNTRIES)
    return Behaviour(
        _name(place, name), given["says"].text(), {country: _cell(cells[country]) for country in COUNTRIES}
    )


def _cell(place: _Place) -> Cell:
    given = place.record(("norm",), optional=("source",))
    norm = given["norm"].text()
    if norm not in NORMS:
        raise given["norm"].error("D94", "is not a norm.", f"write {', '.join(NORMS[:-1])} or {NORMS[-1]}.", norm)
    if norm != "varies" and "source" not in given:
        raise place.error(
            "D95", f"'{norm}' stands here without its citation.", "name the public source, or write varies."
        )
    return Cell(norm, given["source"].text() if "source" in given else None)


def _situation(place: _Place, behaviours: Mapping[str, Behaviour]) -> Situation:
    given = place.record(("behaviour", "text"))
    behaviour = given["behaviour"].text()
    if behaviour not in behaviours:
        fix = f"write {' or '.join(behaviours)}."
        raise given["behaviour"].error("D99", "is no behaviour of this family.", fix, behaviour)
    return Situation(behaviour, given["text"].text())


def _name(place: _Place, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise place.error("D96", "is no name in kebab case.", "write small letters, digits and single hyphens.", name)
    return name


def _check_number(place: _Place, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise place.error("D97", f"has {number} entries, not {wanted}.", "add or remove some.")


def _refuse_repeats(named: Iterable[tuple[str, _Place]]) -> None:
    first: dict[str, _Place] = {}
    for value, place in named:
        if value in first:
            fix = f"keep it, or the first one in {first[value].file.name}."
            raise place.error("D98", "is given twice.", fix, value)
        first[value] = place
