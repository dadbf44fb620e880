"""Culture ids for the names of places and peoples that benchmarks print."""

from __future__ import annotations

import re
import unicodedata

from calm_lm.culture.lexicon import fold, lexicon


def place_of(name: str) -> str:
    """The country that a name or demonym stands for, else a community's id made of the name.

    `Hong Kong` gives `HK`, `south_korea` gives `KR`, `Welsh` (a people of no country of ISO 3166) gives `x-welsh`.

    Args:
        name: in English; underscores count as spaces.
    """
    plain = name.replace("_", " ").strip()
    entry = lexicon().get(fold(plain))
    if entry is not None and entry.culture is not None and entry.culture.isupper() and len(entry.culture) == 2:
        return entry.culture
    ascii_name = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode().lower()
    return f"x-{re.sub('[^a-z0-9]+', '-', ascii_name).strip('-') or 'unnamed'}"
