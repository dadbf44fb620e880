"""Communities that a user declares: what a country or a language is too coarse for.

A YAML file maps each id to four fields, all of them required:

    x-cape-malay:
      name: Cape Malay people
      scope: Muslim families of the Bo-Kaap in Cape Town, as they describe their own customs
      sources: [interviews of 2024, https://example.org/archive]
      written_by: two members of the community
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calm_lm.culture.ids import check_id, kind
from calm_lm.culture.lines import is_plain_line
from calm_lm.errors import CalmError
from calm_lm.files import disk_errors


@dataclass(frozen=True, slots=True)
class Community:
    """A community of people as its file declares it.

    Attributes:
        id: `x-NAME`.
        name: how a sentence calls its members.
        scope: who is meant, and where the name stops.
        sources: what the declaration rests on, at least one.
        written_by: who wrote it down, and whether they belong to it.
    """

    id: str
    name: str
    scope: str
    sources: tuple[str, ...]
    written_by: str


FIELDS = ("name", "scope", "sources", "written_by")


def load_communities(path: Path) -> dict[str, Community]:
    """Read a file of communities, by id in the order of the file.

    Raises:
        CalmError: F01 for a file that cannot be read, C07 for one that is no YAML in UTF-8, C08 for one that holds no
            communities, C09 for a key that stands twice, C04, C05 or C12 for an id that is no `x-NAME`,
            C10 for an unknown field, C11 for a missing, empty or misshapen one.
    """
    import yaml

    path = Path(path)
    with disk_errors(path):
        data = path.read_bytes()
    try:
        text = data.decode("utf-8")
        value = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, AttributeError, LookupError, RecursionError) as error:
        # the four others are what PyYAML lets through for `2024-99-99`, `!!timestamp x`, `!!bool x` and deep nesting
        reason = " ".join(str(error).split())[:200]
        fix = "write it as YAML in UTF-8, see calm_lm.culture.communities."
        raise CalmError("C07", f"is not readable YAML ({reason}).", file=path, fix=fix) from error
    if not isinstance(value, dict) or not value:
        fix = f"map each x-NAME to its {', '.join(FIELDS)}."
        raise CalmError("C08", "declares no communities.", file=path, fix=fix)
    _refuse_repeats(path, root)
    return {community.id: community for community in _declared(path, value, root)}


def _refuse_repeats(path: Path, node: Any) -> None:
    """YAML keeps the last of two equal keys without a word; here both levels of keys are compared."""
    for mapping in (node, *(below for _, below in node.value if isinstance(below.value, list))):
        seen: set[str] = set()
        for pair in mapping.value:
            if isinstance(pair, tuple):
                key = str(pair[0].value)
                if key in seen:
                    row, fix = pair[0].start_mark.line + 1, "keep one of the two."
                    raise CalmError("C09", "stands twice.", file=path, row=row, field=key, fix=fix)
                seen.add(key)


def _declared(path: Path, value: dict[Any, Any], root: Any) -> Iterator[Community]:
    rows = {str(node.value): node.start_mark.line + 1 for node, _ in root.value}
    for key, fields in value.items():
        row = rows.get(str(key))
        known = check_id(key, file=path, row=row, field="id")
        if kind(known) != "community":
            problem, fix = "is a country or a language already.", "declare only communities, as x-NAME."
            raise CalmError("C12", problem, file=path, row=row, field="id", value=key, fix=fix)
        given = fields if isinstance(fields, dict) else {}
        for name in given:
            if name not in FIELDS:
                near = difflib.get_close_matches(str(name), FIELDS, n=1)
                fix = f"did you mean {near[0]}?" if near else f"use {', '.join(FIELDS)}."
                raise CalmError(
                    "C10", "is not a field of a community.", file=path, row=row, field=f"{known}.{name}", fix=fix
                )
        for name in FIELDS:
            content = given.get(name)
            pieces = content if name == "sources" else [content]
            if not isinstance(pieces, list) or not pieces or not all(map(is_plain_line, map(_trim, pieces))):
                fix = "give a list of at least one source." if name == "sources" else "write a few words, in quotes."
                raise CalmError(
                    "C11",
                    "is missing, empty or no plain line of text.",
                    file=path,
                    row=row,
                    field=f"{known}.{name}",
                    fix=fix,
                )
        yield Community(
            id=known,
            name=given["name"].strip(),
            scope=given["scope"].strip(),
            sources=tuple(source.strip() for source in given["sources"]),
            written_by=given["written_by"].strip(),
        )


def _trim(value: object) -> object:
    return value.strip() if isinstance(value, str) else value
