"""Country names as tables of published figures write them, to culture ids: exact names only, never the nearest.

What is no country (a part of one, a group of several) keeps its figures under a community's id, so that nobody takes
them for the country's.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from calm_lm.errors import CalmError
from calm_lm.survey.countries import NORTHERN_IRELAND, country_id

_NAMES = {
    "Bolivia (Plurinational State of)": "BO",
    "Bosnia": "BA",
    "China, Hong Kong SAR": "HK",
    "China, Macao SAR": "MO",
    "Dominican Rep": "DO",
    "Iran (Islamic Republic of)": "IR",
    "Kyrgyz Rep": "KG",
    "Macedonia Rep": "MK",
    "Slovak Rep": "SK",
    "Trinidad and Tobago": "TT",
    "U.S.A.": "US",
    "United States of America": "US",
    "Venezuela (Bolivarian Republic of)": "VE",
    # no countries
    "Africa East": "x-africa-east",
    "Africa West": "x-africa-west",
    "Arab countries": "x-arab-countries",
    "Belgium French": "x-belgium-french",
    "Belgium Netherl": "x-belgium-dutch",
    "Canada French": "x-canada-french",
    "Germany East": "x-germany-east",
    "North Ireland": NORTHERN_IRELAND,
    "South Africa white": "x-south-africa-white",
    "Switzerland French": "x-switzerland-french",
    "Switzerland German": "x-switzerland-german",
}


def new_country(name: str, seen: Collection[str], *, file: Path, field: str, row: int | None = None) -> str:
    """The id of a published name that has not been seen.

    Args:
        name: as published, beside what `survey.countries` knows.
        seen: ids that stand in the table already.
        file: where it stands, for errors.
        field: column or key.
        row: line, where the format has lines.

    Raises:
        CalmError: V33 for a name that is not known, V81 for a country that stands there twice.
    """
    culture = _NAMES.get(name.strip()) or country_id(name, file=file, row=row, field=field)
    if culture in seen:
        raise CalmError(
            "V81", f"the country ({culture}) stands there twice.", file=file, row=row, field=field, value=name,
            fix="keep one of them.",
        )  # fmt: skip
    return culture
