"""Full profiles in plain words: of a place, and of people who are a part of it.

Of a place are told its languages and where its people lie on the cultural map.
Languages come from CLDR. Values come from the user's own copy of the Inglehart-Welzel points, as ordinal phrases by
thirds of all places on the map (after CLCA, arXiv 2504.02953, which words dimensions that way; cut points and wording
are ours). Without that copy the profile has the languages alone, and the report says so.

People who are a part of a place are told by their demographics alone (`respondents.yaml`), each unknown field left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from calm_lm.culture.ids import display_name, kind, languages
from calm_lm.survey.cell import FIELDS, RespondentProfile

FOLDER, POINTS = "iw-cultural-map", "country_coords.json"
PHRASES = (
    ("people there stress economic and physical security more than those of most places",
     "people there give middling weight to self-expression",
     "people there stress self-expression, tolerance and taking part more than those of most places"),
    ("people there hold to religion, family and authority more than those of most places",
     "people there lie between traditional and secular values",
     "people there lean to secular and rational values more than those of most places"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profiles:
    """What may be told of places.

    Attributes:
        points: two coordinates by culture id; empty without the user's copy of the map.
    """

    points: Mapping[str, tuple[float, float]]

    @classmethod
    def read(cls, data_dir: Path | None) -> Profiles:
        """With the cultural map where it lies in the data folder."""
        from calm_lm.survey.sources.iw_map import load

        folder = None if data_dir is None else data_dir / FOLDER
        if folder is None or not (folder / POINTS).is_file():
            return cls({})
        return cls({name: (point.x, point.y) for name, point in load(folder).points.items()})

    def facts(self, culture: str) -> tuple[str, ...]:
        """Plain phrases, most general first; a community has none but its own description."""
        found = [f"their languages are {', '.join(_languages(culture))}"] if _languages(culture) else []
        if culture in self.points:
            table = np.asarray(list(self.points.values()))
            for axis, phrases in enumerate(PHRASES):
                cuts = np.quantile(table[:, axis], [1 / 3, 2 / 3])
                found.append(phrases[int(np.searchsorted(cuts, self.points[culture][axis], side="right"))])
        return tuple(found)


def _languages(culture: str) -> list[str]:
    """English names of a country's official languages (CLDR)."""
    if kind(culture) != "country":
        return [] if kind(culture) == "community" else [display_name(culture)]
    from babel.languages import get_official_languages

    codes = (code.split("_")[0] for code in get_official_languages(culture, de_facto=True))
    return list(dict.fromkeys(languages().get(code, code) for code in codes))


def in_words(profile: RespondentProfile, language: str) -> tuple[str, ...]:
    """What is known of people beside their country, a phrase each; a value without a phrase as `age: 18-24`.

    Raises:
        KeyError: for a language that `phrases.yaml` does not have either.
    """
    words, known = _words()[language], profile.known
    return tuple(
        words[field].get(known[field], f"{words['field'][field]}: {known[field]}") for field in FIELDS if field in known
    )


@cache
def _words() -> dict[str, dict[str, dict[str, str]]]:
    import yaml

    text = (resources.files("calm_lm.evaluation.asking") / "respondents.yaml").read_text("utf-8")
    loaded: dict[str, dict[str, dict[str, str]]] = yaml.safe_load(text)
    return loaded
