"""What the licences of training data ask of a model made from them.

Ids are SPDX ids. An id this page does not know is treated as undeclared: a licence nobody has read gives no
permission. The gate stands between a run and its publication; it is a reminder, not legal advice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from calm_lm.errors import CalmError

UNDECLARED = "undeclared"
Terms = Literal["permissive", "share-alike", "non-commercial", "no-derivatives", "undeclared"]

_PERMISSIVE = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "CDLA-Permissive-1.0",
        "CDLA-Permissive-2.0",
        "ISC",
    }
    | {"MIT", "ODC-By-1.0", "OGL-UK-3.0", "PDDL-1.0", "Unlicense"}
)
_SHARE_ALIKE = re.compile(r"(A|L)?GPL-\d\.\d(-only|-or-later)?|ODbL-1\.0|CDLA-Sharing-1\.0|MPL-2\.0|EUPL-1\.[12]")
_CREATIVE_COMMONS = re.compile(r"CC-BY(?P<nc>-NC)?(?P<rest>-SA|-ND)?-\d\.\d(-[A-Z]{2,3})?")


def terms_of(licence: str) -> frozenset[Terms]:
    """What one SPDX id, or an expression of several, asks for.

    An expression (`MIT AND CC-BY-SA-4.0`, `A OR B`) gets the terms of all its parts: the stricter reading.

    Example:
        >>> sorted(terms_of("CC-BY-NC-SA-4.0"))
        ['non-commercial', 'share-alike']
    """
    parts = re.split(r"\s+(?:AND|OR|WITH)\s+|[()]", licence)
    return frozenset(term for part in parts if part.strip() or len(parts) == 1 for term in _terms(part.strip()))


def _terms(licence: str) -> set[Terms]:
    if licence in _PERMISSIVE:
        return {"permissive"}
    if _SHARE_ALIKE.fullmatch(licence):
        return {"share-alike"}
    if licence == "PolyForm-Noncommercial-1.0.0":
        return {"non-commercial"}
    found = _CREATIVE_COMMONS.fullmatch(licence)
    if found is None:
        return {"undeclared"}
    terms: set[Terms] = set()
    if found["nc"]:
        terms.add("non-commercial")
    if found["rest"]:
        terms.add("share-alike" if found["rest"] == "-SA" else "no-derivatives")
    return terms or {"permissive"}


def gate(licences: Iterable[str], *, accept: bool) -> tuple[str, ...]:
    """Say what the licences of training data ask for, and stop a publication they do not allow for.

    Saving calls it with `accept=True` and shows the warnings; pushing passes the user's `--accept-licence`.

    Args:
        licences: SPDX ids of everything that trained the model; none at all counts as undeclared.
        accept: the user has read the terms and takes them upon themselves.

    Returns:
        One line per licence that asks for more than attribution, in the order of the ids.

    Raises:
        CalmError: D80 when `accept` is false and data are non-commercial, without derivatives or undeclared.
    """
    terms = {licence: terms_of(licence) for licence in sorted(set(licences)) or [UNDECLARED]}
    blocking: set[Terms] = {"non-commercial", "no-derivatives", "undeclared"}
    for licence, asked in terms.items():
        if asked & blocking and not accept:
            raise CalmError(
                "D80",
                f"data under this licence ({', '.join(sorted(asked))}) may not be published in a model as they are.",
                field="licence",
                value=licence,
                fix="train without those data, or read the terms and pass --accept-licence.",
            )
    return tuple(_warning(licence, asked) for licence, asked in terms.items() if asked != {"permissive"})


def _warning(licence: str, asked: frozenset[Terms]) -> str:
    meaning = {
        "non-commercial": "no commercial use",
        "share-alike": "what derives from it carries the same licence",
        "no-derivatives": "no derived works",
        "undeclared": "no known permission to use or publish it",
    }
    return f"{licence}: " + "; ".join(meaning[term] for term in sorted(asked) if term in meaning)
