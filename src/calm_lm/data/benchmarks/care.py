"""CARE: questions on everyday culture in Arabic, Chinese and Japanese with a reference answer (arXiv 2504.05154)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calm_lm.data.benchmarks.registry import Benchmark
from calm_lm.data.benchmarks.rows import Rows
from calm_lm.data.tables import find
from calm_lm.errors import CalmError
from calm_lm.files import read_json

FILES = {"Arabic": "ar", "Chinese": "zh", "Japanese": "ja"}
CATEGORIES = ("Cultural commonsense", "Cultural entities", "Literacy", "Opinion", "Social norms")
_FIELDS = ("question", "answer", "culture_type", "geographic_scope")


@dataclass(frozen=True, slots=True)
class CareItem:
    """A question with its reference answer, in one language.

    Attributes:
        id: language and number from 1, as in the file.
        language: BCP 47.
        category: one of `CATEGORIES`.
        scope: how widely the answer holds, as published.
        question: as published.
        answer: the reference.
    """

    id: str
    language: str
    category: str
    scope: str
    question: str
    answer: str


def read(folder: Path) -> tuple[CareItem, ...]:
    """All items of the languages whose file lies in `folder`.

    Args:
        folder: holds `Arabic-test.json`, `Chinese-test.json`, `Japanese-test.json`, or some of them.

    Raises:
        CalmError: E82 for a folder with none, E83 for an item that is not as published, F02 for what is no JSON.
    """
    found: list[CareItem] = []
    for name, language in FILES.items():
        path = find(folder, f"{name}-test.json")
        if path is not None:
            items = read_json(path)
            if not isinstance(items, list):
                raise _wrong(path, 1, None, items)
            found += [_item(value, language, path, number) for number, value in enumerate(items, start=1)]
    if not found:
        raise CalmError(
            "E82", "holds no test file of CARE.", file=folder,
            fix="take the folder `data` of the repository Guochry/CARE.",
        )  # fmt: skip
    return tuple(found)


def _item(value: object, language: str, path: Path, number: int) -> CareItem:
    if not isinstance(value, dict):
        raise _wrong(path, number, None, value)
    for field in _FIELDS:
        if not isinstance(value.get(field), str) or not value[field].strip():
            raise _wrong(path, number, field, value.get(field))
    if value["culture_type"] not in CATEGORIES:
        raise _wrong(path, number, "culture_type", value["culture_type"])
    question, answer, category, scope = (value[field].strip() for field in _FIELDS)
    return CareItem(f"{language}-{number}", language, category, scope, question, answer)


def _wrong(path: Path, number: int, field: str | None, value: object) -> CalmError:
    return CalmError(
        "E83", "is no item as CARE publishes them.", file=path, row=number, field=field, value=value,
        fix=f"give {', '.join(_FIELDS)} as texts, the type one of {', '.join(CATEGORIES)}.",
    )  # fmt: skip


def load(folder: Path) -> Rows[Any]:
    """As the registry takes it; errors as in `read`."""
    return Rows[Any](CareItem, read(folder))


BENCHMARK = Benchmark(
    name="care",
    title="CARE",
    licence="MIT",
    citation="Guo, Naous, Wakaki, Nishimura, Mitsufuji, Ritter, Xu. CARE. arXiv 2504.05154. 2025.",
    offensive=False,
    folder="care-test",
    signs=("*-test.json",),
    load=load,
    obtain="take Arabic-test.json, Chinese-test.json and Japanese-test.json of the repository Guochry/CARE.",
)
