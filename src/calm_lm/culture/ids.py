"""Ids of cultures: ISO 3166 countries (`SG`), BCP 47 languages (`en`, `pt-BR`) and communities (`x-NAME`).

Two capitals are a country, two or three small letters a language: `SG` is Singapore, `sg` is Sango. A country is a
convenience of surveys, not a culture; who needs a finer name declares a community.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache, partial
from os import PathLike
from typing import TYPE_CHECKING, Literal

from calm_lm.culture.blend import Blend
from calm_lm.errors import SHOWN, CalmError

if TYPE_CHECKING:
    from calm_lm.culture.communities import Community

KOSOVO = "XK"  # user-assigned in ISO 3166, in CLDR and in most surveys
_COMMUNITY = re.compile(r"x-[a-z0-9]+(?:-[a-z0-9]+)*")
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?", re.IGNORECASE
)
_LONGEST = 64
_ADDITION = re.compile(r" (?:SAR China|\(Burma\))$")  # what CLDR adds to a name that a sentence does not
_TAKES_THE = re.compile(
    r"United|Netherlands|Philippines|Isle of Man|Maldives|Bahamas|Gambia|Comoros|"
    r".*(?:Republic|Islands|Territor(?:y|ies))\b"
)


def check_id(
    culture_id: str,
    *,
    communities: Collection[str] | None = None,
    file: str | PathLike[str] | None = None,
    row: int | None = None,
    field: str | None = None,
) -> str:
    """The canonical form of an id that exists.

    White space around it is dropped and the parts of a longer language tag get their usual case (`pt-br` becomes
    `pt-BR`); the case of a bare code is part of its meaning and stays.

    Args:
        culture_id: the id.
        communities: the declared communities; None checks only the form of `x-NAME`.
        file: where the id was read, for the error.
        row: its line.
        field: its column or key.

    Raises:
        CalmError: C04 for an id that is no country, language or community (the nearest ids are named), C05 for a
            community's name in the wrong form, C06 for a community that is not among `communities`.
    """
    known = culture_id.strip() if isinstance(culture_id, str) else ""
    if known.lower().startswith("x-"):
        if not _COMMUNITY.fullmatch(known) or len(known) > _LONGEST:
            fix = f"write x- and at most {_LONGEST - 2} small letters, digits and single hyphens, as in x-cape-malay."
            problem = "is not the name of a community."
            raise CalmError("C05", problem, file=file, row=row, field=field, value=culture_id, fix=fix)
        if communities is not None and known not in communities:
            near = nearest_ids(known, communities)
            hint = f"did you mean {' or '.join(near)}? Otherwise " if near else ""
            fix = f"{hint}declare it in the communities file (name, scope, sources, written_by)."
            problem = "is a community that no file declares."
            raise CalmError("C06", problem, file=file, row=row, field=field, value=culture_id, fix=fix)
        return known
    if known in countries():
        return known
    tag = _canonical_tag(known)
    if tag is None:
        near = suggest_ids(known)
        hint = f"did you mean {', '.join(f'{each} ({display_name(each)})' for each in near)}? " if near else ""
        fix = f"{hint}Use a country (SG), a language (en, pt-BR), or declare your own community as x-NAME."
        problem = "is not a known culture."
        raise CalmError("C04", problem, file=file, row=row, field=field, value=culture_id, fix=fix)
    return tag


def check_blend(
    blend: Blend,
    *,
    communities: Collection[str] | None = None,
    file: str | PathLike[str] | None = None,
    row: int | None = None,
    field: str | None = None,
) -> Blend:
    """The blend with every id in canonical form; errors as in `check_id`, and C01 where two ids become one."""
    check = partial(check_id, communities=communities, file=file, row=row, field=field)
    return Blend(tuple((check(culture), weight) for culture, weight in blend.parts))


def kind(culture_id: str) -> Literal["country", "language", "community"]:
    """What a canonical id names, by its form."""
    if culture_id.startswith("x-"):
        return "community"
    return "country" if culture_id.isupper() else "language"


def display_name(culture_id: str, communities: Mapping[str, Community] | None = None) -> str:
    """The English name: of a country or language from CLDR, of a community from its file.

    A community that `communities` does not hold is named by its id without `x-`. Source: CLDR through Babel.
    """
    if culture_id.startswith("x-"):
        declared = (communities or {}).get(culture_id)
        return declared.name if declared else culture_id.removeprefix("x-").replace("-", " ")
    plain = countries().get(culture_id) or languages().get(culture_id)
    if plain:
        return plain
    from babel import Locale

    language, *rest = culture_id.split("-")
    names = {**Locale("en").scripts, **Locale("en").territories}
    detail = ", ".join(names.get(part, part) for part in rest)
    return f"{languages().get(language, language)} ({detail})" if detail else language


def place_phrase(culture_id: str, communities: Mapping[str, Community] | None = None) -> str:
    """How a sentence names the culture: `in the Netherlands`, `among speakers of Tamil`, `among Cape Malay`."""
    name = display_name(culture_id, communities)
    if kind(culture_id) == "country":
        return f"in the {name}" if _TAKES_THE.match(name) else f"in {name}"
    return f"among speakers of {name}" if kind(culture_id) == "language" else f"among {name}"


def nearest_ids(text: str, known: Iterable[str]) -> tuple[str, ...]:
    """At most three of the ids `known` that are spelt most like `text`, or whose English names are; best first."""
    labels: dict[str, str] = {}
    for culture_id in sorted(known):
        labels.setdefault(culture_id.casefold(), culture_id)
        labels.setdefault(display_name(culture_id).casefold(), culture_id)
    near = difflib.get_close_matches(text[:SHOWN].casefold(), labels, n=6, cutoff=0.5)
    return tuple(dict.fromkeys(labels[label] for label in near))[:3]


def suggest_ids(text: str) -> tuple[str, ...]:
    """At most three ids that the writer of an unknown one may have meant, the likeliest first.

    Names, demonyms and abbreviations of the gazetteer (`Singapore`, `Singaporean`, `UK`) and three-letter codes
    (`SGP`, `eng`) come before what is merely spelt alike.
    """
    import pycountry

    from calm_lm.culture.lexicon import fold, lexicon

    wanted = text[:SHOWN]
    entry = lexicon().get(fold(wanted))
    meant = [entry.culture] if entry and entry.culture else []
    if len(wanted) == 3:
        country = pycountry.countries.get(alpha_3=wanted.upper())
        language = pycountry.languages.get(alpha_3=wanted.lower())
        meant += [country.alpha_2] if country else []
        meant += [code for code in (getattr(language, "alpha_2", None),) if code in languages()]
    meant += [code for code in (wanted.upper(), wanted.lower()) if code in countries() or code in languages()]
    near = nearest_ids(wanted, [*countries(), *(code for code in languages() if len(code) == 2)])
    return tuple(dict.fromkeys([*meant, *near]))[:3]


@cache
def countries() -> dict[str, str]:
    """English names (CLDR) by ISO 3166 alpha-2 code, with Kosovo's `XK`."""
    import pycountry
    from babel import Locale

    names = Locale("en").territories
    codes = sorted([*(country.alpha_2 for country in pycountry.countries), KOSOVO])
    return {code: _ADDITION.sub("", names.get(code, code)) for code in codes}


@cache
def languages() -> dict[str, str]:
    """English names (CLDR) by BCP 47 language subtag."""
    from babel import Locale

    absent = {"und", "mul", "zxx", "mis", "root"}
    names = Locale("en").languages
    return {code: str(name) for code, name in sorted(names.items()) if "_" not in code and code not in absent}


@cache
def _canonical_tag(text: str) -> str | None:
    """A BCP 47 tag of language, script and region in its usual case, or None. Source: RFC 5646, 2.1.1."""
    import pycountry
    from babel import Locale

    match = _TAG.fullmatch(text)
    if match is None or match["language"].lower() not in languages():
        return None
    language, script, region = match["language"], (match["script"] or "").title(), (match["region"] or "").upper()
    if not (script or region):
        return language if language.islower() else None
    if script and pycountry.scripts.get(alpha_4=script) is None:
        return None
    if region and region not in (Locale("en").territories if region.isdigit() else countries()):
        return None
    return "-".join(filter(None, (language.lower(), script, region)))
