"""How a report's page writes what stands in JSON: numbers with sensible digits, names of cultures, clean text."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from calm_lm.culture.ids import display_name

UNDEFINED = "not defined"
LONGEST_TEXT, LONGEST_NAME = 1_200, 120
# Cc: control; Cs: half a character that UTF-8 cannot hold; the others turn or hide the text around them.
HARMFUL = {"Cc", "Cs"}
TURNING = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C, 0xFEFF, 0xFFFE, 0xFFFF}


def clean(value: Any) -> Any:
    """A report with every text, names of fields too, freed of what a page cannot hold; nothing is changed in place."""
    if isinstance(value, str):
        return clean_text(value, LONGEST_TEXT)
    if isinstance(value, Mapping):
        return _clean_names(value)
    if isinstance(value, list | tuple):
        return [clean(each) for each in value]
    return value


def _clean_names(value: Mapping[Any, Any]) -> dict[str, Any]:
    """Two names that become one stay two, so that no line of a table is lost."""
    cleaned: dict[str, Any] = {}
    for name, content in value.items():
        shown = clean_text(str(name), LONGEST_NAME)
        while shown in cleaned:
            shown += "′"
        cleaned[shown] = clean(content)
    return cleaned


def clean_text(text: str, longest: int) -> str:
    """Control characters and turned or halved ones become `�`, line ends a space; cut with an ellipsis."""
    if text.isascii() and text.isprintable() and len(text) <= longest:
        return text
    shown = "".join(
        " " if each in "\t\r\n" else "�" if unicodedata.category(each) in HARMFUL or ord(each) in TURNING else each
        for each in text[: longest + 1]
    )
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def finite(value: Any) -> float | None:
    """A number, or None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e300 else None


def number(value: Any) -> str:
    """A score as a reader needs it: 0.352, 1.47, 23.1, 1,270; `not defined` for null."""
    known = finite(value)
    if known is None:
        return UNDEFINED
    size = abs(known)
    if size >= 1000:
        shown = f"{known:,.0f}" if size < 1e9 else f"{known:.3g}"
    elif size >= 100:
        shown = f"{known:.0f}"
    elif size >= 10:
        shown = f"{known:.1f}"
    elif size >= 1:
        shown = f"{known:.2f}"
    elif size == 0 or size >= 0.001:
        shown = f"{known:.3f}"
    else:
        shown = f"{known:.2g}"
    return shown.replace("-", "−")


def count(value: Any) -> str:
    """A whole number."""
    known = finite(value)
    return UNDEFINED if known is None else f"{known:,.0f}"


def signed(value: Any) -> str:
    """A difference, with its sign."""
    known = finite(value)
    return number(known) if known is None or known <= 0 else f"+{number(known)}"


def share(value: Any) -> str:
    """A share as a percentage."""
    known = finite(value)
    if known is None:
        return UNDEFINED
    return (
        f"{100 * known:.1f}\N{NO-BREAK SPACE}%"
        if 0 < known < 0.1 or 0.9 < known < 1
        else f"{100 * known:.0f}\N{NO-BREAK SPACE}%"
    )


def chance(value: Any) -> str:
    """A p value."""
    known = finite(value)
    if known is None:
        return UNDEFINED
    return "< 0.001" if known < 0.001 else f"{known:.3f}"


def ends(interval: Any) -> tuple[float, float] | None:
    """Both ends of an interval, or None where one is missing."""
    if not isinstance(interval, Sequence) or isinstance(interval, str) or len(interval) != 2:
        return None
    low, high = finite(interval[0]), finite(interval[1])
    return None if low is None or high is None else (low, high)


def between(interval: Any) -> str:
    """An interval as `0.307 to 0.464`, or nothing."""
    found = ends(interval)
    return "" if found is None else f"{number(found[0])} to {number(found[1])}"


def duration(seconds: Any) -> str:
    """Seconds, or minutes and hours where these say more."""
    known = finite(seconds)
    if known is None:
        return UNDEFINED
    if known < 120:
        return f"{known:.1f}\N{NO-BREAK SPACE}s" if known < 10 else f"{known:.0f}\N{NO-BREAK SPACE}s"
    minutes = round(known / 60)
    return f"{minutes}\N{NO-BREAK SPACE}min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


@cache
def culture_name(culture: str) -> str:
    """The English name of a culture; an id that is none is its own name. A group's is `Egypt, sex female`."""
    place, group = _parts(culture)
    try:
        return display_name(place) + group
    except (KeyError, ValueError, LookupError):  # an id of a user's data that no list has
        return place + group


def culture_and_id(culture: str) -> str:
    """`Egypt (EG)`, or `Egypt (EG), sex female`."""
    place, group = _parts(culture)
    name = culture_name(place)
    return (name if name == place else f"{name} ({place})") + group


def _parts(culture: str) -> tuple[str, str]:
    """The id of a place, and of a group in it (`EG, sex=female`) what is added to the place's name."""
    place, comma, group = culture.partition(", ")
    if not comma or "=" not in group:
        return culture, ""
    return place, comma + group.replace("=", " ").replace("_", " ")


def counted(number_: int, one: str, many: str | None = None) -> str:
    """`1 survey`, `2 surveys`."""
    return f"{number_:,} {one if number_ == 1 else many or one + 's'}"


def plainly(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:]))) if names else ""
