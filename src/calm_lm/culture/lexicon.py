"""The names that count as an explicit mention of a culture: kept libraries first, our own short lists over them.

pycountry and Babel (CLDR) know countries, their official names, and languages; the text files in `gazetteer/`
add demonyms, groups, faiths, festivals, dishes and places. Where both know a name, ours stands.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

Kind = Literal["country", "demonym", "language", "group", "religion", "festival", "food", "place"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FOLDER = Path(__file__).parent / "gazetteer"
_LINE = re.compile(r"(?:(?P<culture>[A-Z]{2}|[a-z]{2,3}): )?(?P<one>[^/]*?)(?: / (?P<many>[^/]+))?")


class Entry(NamedTuple):
    """One name of the gazetteer.

    Attributes:
        surface: the name as it is usually written.
        kind: what it names; None for an expression that contains a name and means something else (`guinea pig`).
        culture: the country or language it belongs to, None where it belongs to several or to no country.
        family: names of one family can stand for each other in a sentence (`believer`, `believer plural`).
        lower: whether the name also counts when its first letter is small.
        swap: whether it is one of the family's replacements in identity swaps.
    """

    surface: str
    kind: Kind | None
    culture: str | None
    family: str
    lower: bool
    swap: bool = False


def fold(surface: str) -> str:
    """The key of a name: case folded, typographic apostrophes made plain, white space and hyphens made one space."""
    return re.sub(r"[\s\-]", " ", surface.casefold().replace("’", "'"))


@cache
def lexicon() -> dict[str, Entry]:
    """All names by folded key; in the order of `own_entries`, then libraries."""
    entries: dict[str, Entry] = {}
    for entry in (*own_entries(), *country_entries(), *language_entries()):
        entries.setdefault(fold(entry.surface), entry)
    for entry in list(entries.values()):
        entries.setdefault(fold(_without_accents(entry.surface)), entry)
    return entries


def own_entries() -> Iterator[Entry]:
    """The names of the package's lists; a name of several words, and any listed under `lower`, needs no capital."""
    for path in sorted(FOLDER.glob("*.txt")):
        kind: Kind | None = None
        family, lower = "", False
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line or line.startswith("#"):
                continue
            if line.startswith("["):
                first, family, *flags = line.strip("[]").split()
                kind = next((known for known in KINDS if known == first), None)
                lower = "lower" in flags
                continue
            match = _LINE.fullmatch(line)
            assert match is not None, f"{path.name}: {line}"
            for names, form in ((match["one"], family), (match["many"] or "", f"{family} plural")):
                for name in filter(None, names.split(", ")):
                    surface = name.removeprefix("*")
                    free = lower or not _is_one_word(surface)
                    yield Entry(surface, kind, match["culture"], form, free, swap=name != surface)


def country_entries() -> Iterator[Entry]:
    """Countries by their ISO 3166 short, common and official names and their CLDR names."""
    import pycountry
    from babel import Locale

    territories = Locale("en").territories
    for country in pycountry.countries:
        names = {country.name, getattr(country, "common_name", ""), getattr(country, "official_name", "")}
        names.add(territories.get(country.alpha_2, ""))
        names |= {name.partition(",")[0] for name in names if not name.startswith(("Korea", "Congo", "Virgin"))}
        names |= {name.partition("(")[0] for name in names}
        names |= {name.replace("&", "and") for name in names} | {name.replace("Saint ", "St. ") for name in names}
        for name in sorted(filter(None, map(str.strip, names))):
            if "," not in name and "(" not in name:
                yield Entry(name, "country", country.alpha_2, "name", not _is_one_word(name))


def language_entries() -> Iterator[Entry]:
    """Languages that have a two-letter ISO 639 code, by their CLDR names in English."""
    from babel import Locale

    for code, name in sorted(Locale("en").languages.items()):
        if len(code) == 2:
            yield Entry(name, "language", code, "name", lower=not _is_one_word(name))


def _is_one_word(surface: str) -> bool:
    return len(fold(surface).split()) == 1


def _without_accents(surface: str) -> str:
    decomposed = unicodedata.normalize("NFKD", surface)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
