"""CrowS-Pairs: sentence pairs that differ in the group they speak of (Nangia and others, EMNLP 2020)."""

from __future__ import annotations

from pathlib import Path

from calm_lm.data.benchmarks.registry import Benchmark
from calm_lm.data.benchmarks.rows import Rows, SentencePair, read_benchmark
from calm_lm.data.tables import Row
from calm_lm.errors import CalmError

KINDS = (
    "age", "disability", "gender", "nationality", "physical-appearance", "race-color", "religion",
    "sexual-orientation", "socioeconomic",
)  # fmt: skip
_FILE = "crows_pairs_anonymized.csv"


def load(folder: Path) -> Rows[SentencePair]:
    """Read `crows_pairs_anonymized.csv`; writers and annotators are not read.

    Raises:
        CalmError: D08 for a pair of one sentence, D10 to D25 and E52 for a malformed file.
    """
    columns = ("sent_more", "sent_less", "stereo_antistereo", "bias_type")
    table = read_benchmark(folder, (_FILE, f"data/{_FILE}"), columns, secret=True)
    return Rows(SentencePair, tuple(_pair(row) for row in table.rows))


def _pair(row: Row) -> SentencePair:
    more, less = row.text("sent_more").strip(), row.text("sent_less").strip()
    if more == less:
        raise CalmError(
            "D08", "the two sentences are the same.", fix="take the file as published.", **row.place("sent_less")
        )
    direction = row.choice("stereo_antistereo", {name: name for name in ("stereo", "antistereo")})
    return SentencePair(str(row.number), more, less, direction, row.choice("bias_type", {kind: kind for kind in KINDS}))


BENCHMARK = Benchmark(
    name="crows-pairs",
    title="CrowS-Pairs",
    licence="CC-BY-SA-4.0",
    citation="Nangia, Vania, Bhalerao, Bowman. CrowS-Pairs: A Challenge Dataset for Measuring Social Biases in Masked "
    "Language Models. EMNLP 2020.",
    offensive=True,
    folder="crows-pairs",
    signs=(f"{_FILE}*", f"data/{_FILE}*"),
    load=load,
    obtain=f"take data/{_FILE} from the repository nyu-mll/crows-pairs.",
)
