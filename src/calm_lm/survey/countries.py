"""The countries of surveys: their labels and codes as CALM's ids.

Surveys name places in their own way ("S. Korea", "Palest. ter.", the numbers of ISO 3166 with some of their own), and
ask in places that are no country of ISO 3166. Those get a community's id (`x-northern-ireland`). A label that is not
known is an error, never a guess.
"""

from __future__ import annotations

import re
from functools import cache
from os import PathLike
from typing import Literal

from calm_lm.culture.ids import KOSOVO, countries, suggest_ids
from calm_lm.errors import CalmError

Coding = Literal["label", "alpha2", "alpha3", "numeric"]

NORTHERN_IRELAND = "x-northern-ireland"
NORTHERN_CYPRUS = "x-northern-cyprus"
SERBIA_AND_MONTENEGRO = "x-serbia-and-montenegro"

# labels of Pew, of the World Values Survey and of the Arab Opinion Index that are no English name of CLDR
_LABELS = {
    "bosnia herzegovina": "BA",
    "bosnia and herzegovina": "BA",
    "britain": "GB",
    "great britain": "GB",
    "uk": "GB",
    "czech rep": "CZ",
    "czech republic": "CZ",
    "hong kong": "HK",
    "hong kong sar": "HK",
    "ivory coast": "CI",
    "macao": "MO",
    "macau": "MO",
    "macau sar": "MO",
    "macao sar": "MO",
    "macedonia": "MK",
    "myanmar": "MM",
    "burma": "MM",
    "northern cyprus": NORTHERN_CYPRUS,
    "northern ireland": NORTHERN_IRELAND,
    "palest ter": "PS",
    "palestine": "PS",
    "palestinian territories": "PS",
    "republic of korea": "KR",
    "korea south": "KR",
    "s korea": "KR",
    "russian federation": "RU",
    "s africa": "ZA",
    "serbia and montenegro": SERBIA_AND_MONTENEGRO,
    "taiwan roc": "TW",
    "turkey": "TR",
    "turkiye": "TR",
    "us": "US",
    "usa": "US",
    "viet nam": "VN",
}
# codes of the EVS and WVS trend files beside those of ISO 3166
_ALPHA3 = {"NIR": NORTHERN_IRELAND, "XKX": KOSOVO, "XKO": KOSOVO}
_NUMERIC = {197: NORTHERN_CYPRUS, 891: SERBIA_AND_MONTENEGRO, 909: NORTHERN_IRELAND, 915: KOSOVO}


def find_country(value: str, coding: Coding = "label") -> str | None:
    """The id of a survey's country, or None where the value is not known.

    Args:
        value: as it stands in the file.
        coding: `label` an English name, `alpha2` or `alpha3` the letters of ISO 3166, `numeric` its number.
    """
    import pycountry

    text = value.strip()
    if coding == "label":
        return _by_label().get(_folded(text))
    if coding == "alpha2":
        return {"NIR": NORTHERN_IRELAND}.get(text) or (text if text in countries() else None)
    if coding == "alpha3":
        entry = pycountry.countries.get(alpha_3=text) if re.fullmatch("[A-Z]{3}", text) else None
        return _ALPHA3.get(text) or (entry.alpha_2 if entry else None)
    if not re.fullmatch(r"\d{1,4}(?:\.0+)?", text):
        return None
    number = int(float(text))
    entry = pycountry.countries.get(numeric=f"{number:03d}")
    return _NUMERIC.get(number) or (entry.alpha_2 if entry else None)


def country_id(
    value: str,
    coding: Coding = "label",
    *,
    file: str | PathLike[str] | None = None,
    row: int | None = None,
    field: str | None = None,
) -> str:
    """The id of a survey's country.

    Raises:
        CalmError: V33 for a value that is not known.
    """
    found = find_country(value, coding)
    if found is None:
        near = suggest_ids(value)
        raise CalmError(
            "V33",
            "is no country that surveys are known to name.",
            file=file,
            row=row,
            field=field,
            value=value,
            fix=f"did you mean {' or '.join(near)}? Otherwise give it a community's id."
            if near
            else "write the English name or the ISO 3166 code.",
        )
    return found


def _folded(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.replace("ü", "u")).casefold().split())


@cache
def _by_label() -> dict[str, str]:
    return {**{_folded(name): code for code, name in countries().items()}, **_LABELS}
