"""UniVaR value QA: language models' answers to value-eliciting questions (Cahyawijaya and others, 2024).

The layout of the user's copy is the one the authors' evaluation script reads (repository HLTCHKUST/UniVaR):
`value_prism`, `pvqrr`, `globe` and `wvs`, directly or in `data/`, each with `qa_translated/<model>.csv`, whose columns
are `question`, `answer` and `lang` (an ISO 639-3 code; question and answer are already translated to English). Their
non-value control `lima` is not loaded.

There is no label: the author, an answer's language, and the tag `model` are what the contrastive window and a probe
group by. Rows without an answer are dropped with their count. A (model, language) pair outside the authors' list of
pairs they trained on goes to `test` as a whole, tagged `seen: no`. Our choice, not theirs: 80/10/10 by a hash of the
question for the others (the authors sample answers, so that a question may stand on both sides).
"""

from __future__ import annotations

from pathlib import Path

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset, Example
from calm_lm.data.groups import hash_share
from calm_lm.data.registry import Source
from calm_lm.data.tables import Row, read_table
from calm_lm.errors import CalmError

SURVEYS = ("value_prism", "pvqrr", "globe", "wvs")
# ISO 639-3 code as published -> BCP 47 id
LANGUAGES = {
    "arb": "ar",
    "bul": "bg",
    "deu": "de",
    "eng": "en",
    "fin": "fi",
    "fra": "fr",
    "hat": "ht",
    "hin": "hi",
    "ind": "id",
    "ita": "it",
    "jpn": "ja",
    "kor": "ko",
    "pes": "fa",
    "por": "pt",
    "quy": "quy",
    "ron": "ro",
    "rus": "ru",
    "spa": "es",
    "swe": "sv",
    "swh": "sw",
    "tgl": "tl",
    "tha": "th",
    "tur": "tr",
    "vie": "vi",
    "zho": "zh",
    "zsm": "ms",
}
_EUROPEAN = ("deu", "eng", "fra", "ita", "spa")
# the (model, language) pairs the authors trained on
SEEN = {
    "aya-101": (*_EUROPEAN, "arb", "hin", "ind", "jpn", "tur", "vie", "zho"),
    "Mixtral-8x7B-Instruct-v0.1": _EUROPEAN,
    "SeaLLM-7B-v2": ("eng", "ind", "vie", "zho"),
    "bloomz-rlhf": ("arb", "eng", "fra", "hin", "ind", "spa", "vie", "zho"),
    "chatglm3-6b": ("eng", "zho"),
    "Nous-Hermes-2-Mixtral-8x7B-DPO": _EUROPEAN,
    "SOLAR-10.7B-Instruct-v1.0": ("eng",),
    "Mistral-7B-Instruct-Aya-101": _EUROPEAN,
}
VALID_FROM, TEST_FROM = 0.8, 0.9
LICENCE = "undeclared"
CITATION = (
    "Cahyawijaya, Chen, Bang, Khalatbari, Wilie, Ji, Ishii, Fung. High-Dimension Human Value Representation in Large "
    "Language Models. arXiv 2404.07900, 2024."
)


def load(folder: Path) -> Dataset:
    """Read every `qa_translated/*.csv` of the four surveys.

    Raises:
        CalmError: D36 when there is none, D10 to D25 for a malformed file.
    """
    paths = {
        survey: sorted(path for at in ("", "data/") for path in folder.glob(f"{at}{survey}/qa_translated/*.csv"))
        for survey in SURVEYS
    }
    tables = {
        survey: [read_table(path, ("question", "answer", "lang")) for path in found] for survey, found in paths.items()
    }
    if not any(tables.values()):
        raise CalmError("D36", "holds no answers of UniVaR.", file=folder, fix=SOURCE.obtain)
    splits: dict[str, list[Example]] = {"train": [], "valid": [], "test": []}
    unanswered = 0
    for survey, row in ((survey, row) for survey, read in tables.items() for table in read for row in table.rows):
        if not row["answer"].strip():
            unanswered += 1
            continue
        example = _example(survey, row)
        share = hash_share(example.group) if example.tag("seen") == "yes" else 1.0
        splits["train" if share < VALID_FROM else "valid" if share < TEST_FROM else "test"].append(example)
    notes = ["no labels: train with the contrastive window, judge with a k-NN or linear probe on (model, language)."]
    if unanswered:
        notes.append(f"{unanswered} rows without an answer dropped.")
    return Dataset(
        name="univar",
        labels=(),
        positive=0,
        splits={split: tuple(rows) for split, rows in splits.items() if rows},
        contrast="author",
        licences=(LICENCE,),
        citation=CITATION,
        files={table.path.relative_to(folder).as_posix(): table.sha256 for read in tables.values() for table in read},
        notes=tuple(notes),
    )


def _example(survey: str, row: Row) -> Example:
    model, code = row.file.name.removesuffix(".csv"), row["lang"]
    language = row.choice("lang", LANGUAGES)
    question = row.text("question").strip()
    return Example(
        text=f"Q: {question} A: {row['answer'].strip()}",
        id=f"{survey}/{model}:{row.number}",
        group=f"{survey}: {question}",
        label=None,
        author=Blend.of(language),
        source=survey,
        licence=LICENCE,
        tags=(("model", model), ("survey", survey), ("seen", "yes" if code in SEEN.get(model, ()) else "no")),
    )


SOURCE = Source(
    name="univar",
    title="UniVaR value QA",
    summary="about a million English (question, answer) pairs of 15 language models asked in 25 languages.",
    licence=LICENCE,
    citation=CITATION,
    offensive=False,
    contrast="author",
    folder="univar",
    signs=tuple(f"{at}{survey}/qa_translated/*.csv" for at in ("", "data/") for survey in SURVEYS),
    load=load,
    obtain=(
        "download the authors' value-eliciting QA, linked from their repository HLTCHKUST/UniVaR, and put value_prism, "
        "pvqrr, globe and wvs, each with qa_translated/<model>.csv, into a folder named univar."
    ),
)
