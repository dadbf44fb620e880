"""The question and the options inside a text of MENAValues.

Four ways of writing options occur; all are read here and nowhere else:

    1: Yes, always, 2: Yes, sometimes, 3: Never            Arab Opinion Index
    With '1' being 'Very important' and '4' being 'Not important'.    World Values Survey, all labels or the ends only
    1. Public sector, 2. Private sector        1) ..., or 2) ...
    1 - A stable economy (one a line)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_REQUEST = re.compile(r"\s*Provide a number only\.?", re.IGNORECASE)
_QUOTED = re.compile(r"'(\d+)'\s+(?:being|meaning)\s+'(.+?)'(?=[^\w']|$)", re.DOTALL)
# the sentence, or the part of one, that only names the options
_CLAUSE = re.compile(
    r"[,.]?\s*(?:(?:Please )?(?:indicate|use this scale to indicate)[^.?!']*?,?\s*)?"
    r"\b[Ww]ith\s+(?='\d+'\s+(?:being|meaning)).*?(?=\s+Here is the list|$)",
    re.DOTALL,
)
_MARKERS = (
    re.compile(r"(?:(?<=\s)|(?<=,)|^)(\d+):\s"),
    re.compile(r"(?:(?<=\s)|^)(?:or\s+)?(\d+)\s-\s"),
    re.compile(r"(?:(?<=\s)|^)(?:or\s+)?(\d+)\)\s"),
    re.compile(r"(?:(?<=\s)|^)(?:or\s+)?(\d+)\.\s"),
)


class ReadText(NamedTuple):
    """A question taken apart.

    Attributes:
        text: the question; without its options, unless only the ends are labelled.
        labels: words by code, as far as the text gives them.
        only_ends: the ends of a longer scale are labelled, or nothing is: the options are bare numbers.
        contradicts: all labels are there for fewer codes than the scale has.
    """

    text: str
    labels: Mapping[str, str]
    only_ends: bool
    contradicts: bool = False


def read_question(full: str, codes: range) -> ReadText:
    """Take a question apart.

    Args:
        full: the text as published.
        codes: from the item's `Min` to its `MAX`.
    """
    text = _REQUEST.sub("", full).strip()
    quoted = {code: label.strip(" .") for code, label in _QUOTED.findall(text)}
    if quoted:
        return _from_quoted(text, quoted, codes)
    for marker in _MARKERS:
        labels, start = _enumerated(text, marker)
        if len(labels) >= 2:
            ends = {str(codes[0]), str(codes[-1])}
            if set(labels) == ends and len(codes) > 2:
                return ReadText(_spaced(text), labels, only_ends=True)
            return ReadText(_spaced(text[:start]), labels, only_ends=False)
    return ReadText(_spaced(text), {}, only_ends=True)


def _from_quoted(text: str, labels: Mapping[str, str], codes: range) -> ReadText:
    wanted = {str(code) for code in codes}
    ends = {str(codes[0]), str(codes[-1])}
    if set(labels) == wanted:
        question = _CLAUSE.sub("", text, count=1).strip()
        return ReadText(_spaced(question if question.endswith(("?", ".", "]", "!")) else question + "."), labels, False)
    if set(labels) == ends:
        return ReadText(_spaced(text), labels, only_ends=True)
    return ReadText(_spaced(text), labels, only_ends=False, contradicts=True)


def _enumerated(text: str, marker: re.Pattern[str]) -> tuple[dict[str, str], int]:
    """Labels of the longest rising run of numbers from the first one on, and where it starts."""
    found = list(marker.finditer(text))
    run = [match for at, match in enumerate(found) if all(int(match[1]) > int(other[1]) for other in found[:at])]
    if not run or int(run[0][1]) > 1:
        return {}, 0
    ends = [match.start() for match in run[1:]] + [len(text)]
    labels = {match[1]: text[match.end() : end].strip(" \n,.?") for match, end in zip(run, ends, strict=True)}
    return {code: label for code, label in labels.items() if label}, run[0].start()


def _spaced(text: str) -> str:
    return " ".join(text.split()).strip(" ,:")
