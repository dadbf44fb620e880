"""World Values Survey wave 7: the CSV of respondents as published, which a user gets under its own terms.

Read are `B_COUNTRY_ALPHA` (ISO alpha-3), `W_WEIGHT`, `A_YEAR` and the columns of the codebook. The bundled codebook
holds paraphrases of 64 items (`wvs7.yaml`), those behind the Inglehart-Welzel map among them; a `codebook.yaml` or
`codebook.csv` beside the CSV takes its place. Such a codebook is checked against the numbers of options that are known
(`SKELETON`). Codes -1, -2 and -5 are missing, -3 and -4 were not asked and do not count among the people asked.
"""

from __future__ import annotations

from pathlib import Path

from calm_lm.errors import CalmError
from calm_lm.survey.codebook import Codebook, read_codebook
from calm_lm.survey.instrument import Survey
from calm_lm.survey.microdata import survey_with_cells
from calm_lm.survey.people import People, read_people
from calm_lm.survey.registry import SurveySource
from calm_lm.survey.sources.bundled import bundled_codebook, one_file

PERSON = "D_INTERVIEW"
PATTERN = "*WVS_Cross-National_Wave_7*.csv"
CODEBOOKS = ("codebook.yaml", "codebook.csv")

# first and last question, number of valid options; a question is absent where we are not sure of its list of answers
SKELETON = (
    (1, 6, 4), (7, 26, 2), (27, 32, 4), (43, 45, 3), (46, 46, 4), (47, 47, 5), (48, 50, 10), (51, 55, 4), (57, 57, 2),
    (58, 89, 4), (90, 90, 10), (94, 105, 3), (106, 110, 10), (112, 112, 10), (120, 120, 10), (122, 129, 3),
    (131, 138, 4),
    (142, 143, 4), (144, 145, 2), (146, 148, 4), (149, 151, 2), (152, 157, 4), (158, 164, 10), (165, 168, 2),
    (169, 170, 4), (174, 175, 2), (176, 195, 10), (196, 199, 4), (201, 208, 5), (209, 220, 3), (224, 234, 4),
    (235, 239, 4), (240, 240, 10), (250, 252, 10), (253, 259, 4),
)  # fmt: skip
_FROM_ZERO = (94, 122)  # members of organisations, and effects of immigration: codes 0 to 2
_NOMINAL = (152,)  # aims of the country and of the respondent


def load(folder: Path) -> Survey:
    """Read the CSV; errors as in `cut`."""
    return cut(folder, ())


def cut(folder: Path, by: tuple[str, ...]) -> Survey:
    """Read the CSV with the codebook beside it, or with the bundled paraphrases, and with the cells of its groups.

    Bundled groups (the bands of age, income and education are ours): `sex`, `age`, `education`, `employment`,
    `income`, `marital_status`, `religion`, `settlement`. People whose value has no name there fall into no cell.

    Raises:
        CalmError: V53 for two CSV files, V54 for a codebook with another number of options than the survey has, V45 to
            V48 for a codebook, V49 to V52 for the CSV.
    """
    notes = "Where an item's source is 'paraphrase', its text is ours and not the questionnaire's."
    return survey_with_cells(one_file(folder, (PATTERN,)), _codebook(folder), by=by, notes=notes)


def people(folder: Path) -> People:
    """Its respondents, by `D_INTERVIEW`; errors as in `cut`."""
    return read_people(one_file(folder, (PATTERN,)), _codebook(folder), usual=PERSON)


def _codebook(folder: Path) -> Codebook:
    return wvs7_codebook(next((folder / name for name in CODEBOOKS if (folder / name).is_file()), None))


def wvs7_codebook(path: Path | None = None) -> Codebook:
    """The bundled codebook, or a user's for the same columns.

    Raises:
        CalmError: as `load`.
    """
    bundled = bundled_codebook("wvs7.yaml")
    if path is None:
        return bundled
    codebook = read_codebook(path, base=bundled)
    known = {f"Q{number}": size for first, last, size in SKELETON for number in range(first, last + 1)}
    for item in codebook.items:
        size = known.get(codebook.columns[item.id])
        if size is not None and size != len(item.options):
            raise CalmError(
                "V54",
                f"has {len(item.options)} options, the survey {size}.",
                file=path,
                field=item.id,
                value=", ".join(item.codes),
                fix="give every valid answer, and declare the others missing codes.",
            )
    return codebook


def codebook_template() -> str:
    """YAML with the known ids and numbers of options, for a user to fill with the texts of the questionnaire."""
    lines = ["items:"]
    for first, last, size in SKELETON:
        low = 0 if first in _FROM_ZERO else 1
        scale = "nominal" if size == 2 or first in _NOMINAL else "ordinal"
        for number in range(first, last + 1):
            lines += [f"  Q{number}:", '    text: ""', f"    options: {low}..{low + size - 1}", f"    scale: {scale}"]
    return "\n".join(lines) + "\n"


SOURCE = SurveySource(
    name="wvs7",
    title="World Values Survey, wave 7",
    summary="About 97,000 respondents of 66 countries and territories, with weights; you bring the CSV.",
    licence="WVS terms",
    citation=bundled_codebook("wvs7.yaml").citation,
    folder="wvs7",
    signs=(PATTERN,),
    load=load,
    cut=cut,
    people=people,
    obtain="download the CSV of wave 7 (WVS_Cross-National_Wave_7_csv_...) from the survey's own site after its form, "
    "and put it there; it may not be passed on.",
)
