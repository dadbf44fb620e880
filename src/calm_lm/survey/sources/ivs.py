"""Integrated Values Surveys: the trend file of EVS and WVS as CSV, which a user gets under its own terms.

Read are `S003` (country, ISO numeric), `S017` (weight), `S002VS` (wave), `S020` (year) and the ten items of the
Inglehart-Welzel map. Each wave of a country is a distribution of its own, dated, so that a later wave can be held out.
A `codebook.yaml` beside the CSV adds or replaces items.
"""

from __future__ import annotations

from pathlib import Path

from calm_lm.survey.codebook import Codebook, read_codebook
from calm_lm.survey.instrument import Survey
from calm_lm.survey.microdata import survey_with_cells
from calm_lm.survey.people import People, read_people
from calm_lm.survey.registry import SurveySource
from calm_lm.survey.sources.bundled import bundled_codebook, one_file

PERSON = "S007_01"
PATTERNS = ("*[Ii]ntegrated_[Vv]alues_[Ss]urvey*.csv", "[Ii][Vv][Ss]*.csv")


def load(folder: Path) -> Survey:
    """Read the CSV; errors as in `cut`."""
    return cut(folder, ())


def cut(folder: Path, by: tuple[str, ...]) -> Survey:
    """Read the CSV, with the cells of groups that the codebook names (`sex`, `age`).

    Raises:
        CalmError: V53 for two CSV files, V45 to V48 for a codebook, V49 to V52 for the CSV.
    """
    notes = "Texts are paraphrases of ours. Y002 and Y003 are indices computed by the survey; they cannot be asked."
    return survey_with_cells(one_file(folder, PATTERNS), _codebook(folder), by=by, notes=notes)


def people(folder: Path) -> People:
    """Its respondents, by `S007_01`, the number that EVS and WVS share; errors as in `cut`."""
    return read_people(one_file(folder, PATTERNS), _codebook(folder), usual=PERSON)


def _codebook(folder: Path) -> Codebook:
    bundled, own = bundled_codebook("ivs.yaml"), folder / "codebook.yaml"
    return read_codebook(own, base=bundled) if own.is_file() else bundled


SOURCE = SurveySource(
    name="ivs",
    title="Integrated Values Surveys",
    summary="EVS and WVS since 1981, ten items of the Inglehart-Welzel map by country and wave; you bring the CSV.",
    licence="WVS and EVS terms",
    citation=bundled_codebook("ivs.yaml").citation,
    folder="ivs",
    signs=PATTERNS,
    load=load,
    cut=cut,
    people=people,
    obtain="build the Integrated Values Surveys from the trend files of EVS and WVS as their sites describe, save it "
    "as CSV (Integrated_values_surveys_1981-2022.csv) and put it there; it may not be passed on.",
)
