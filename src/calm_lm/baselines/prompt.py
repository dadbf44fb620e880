"""Asking the pretrained model outright, with or without the reader's country. Nothing is trained.

What is compared are the log-probabilities of the labels' words after the prompt, averaged over the orders in which
the prompt lists them. One temperature is fitted on validation texts, so cross-entropies can be compared; it never
changes which label is the most probable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from calm_lm.baselines.backbone import untouched
from calm_lm.baselines.predictor import Predictor, temperature_on
from calm_lm.baselines.protocol import BaselineInput
from calm_lm.baselines.wordings import Wording, wording_of
from calm_lm.culture.ids import display_name
from calm_lm.stats.arrays import Floats
from calm_lm.training.material import Rows

CALIBRATION_ROWS = 200  # validation rows asked for the temperature; asking takes a whole pass of the backbone
PROMPTS_AT_ONCE = 64


def fit_prompt(given: BaselineInput, seed: int) -> Predictor:
    """The question alone."""
    return _fit("prompt", given, with_country=False)


def fit_prompt_country(given: BaselineInput, seed: int) -> Predictor:
    """The question put to a person from the reader's country."""
    return _fit("prompt-country", given, with_country=True)


def _fit(name: str, given: BaselineInput, *, with_country: bool) -> Predictor:
    asker = _Asker(given, wording_of(given.dataset.name, given.vocabulary.labels), with_country)
    valid = None if given.valid is None else _some(given.valid, CALIBRATION_ROWS)
    return Predictor(name, 0, 1, temperature_on(asker.logits, valid), asker.logits)


@dataclass(frozen=True, slots=True)
class _Asker:
    given: BaselineInput
    wording: Wording
    with_country: bool

    def logits(self, rows: Rows) -> Floats:
        """Mean log-probabilities over the orders, [N, L]; each prompt is asked once, however many rows share it."""
        texts = self._cut(rows.texts)
        whom = [self._whom(weights) for weights in rows.readers]
        asked = [(texts[text], person) for text, person in zip(rows.text_of.tolist(), whom, strict=True)]
        different = list(dict.fromkeys(asked))
        answers: dict[tuple[str, str], Tensor] = {}
        with untouched(self.given.pretrained.lm, self.given.config.backbone):
            for start in range(0, len(different), PROMPTS_AT_ONCE):
                chunk = different[start : start + PROMPTS_AT_ONCE]
                answers.update(zip(chunk, self._ask(chunk), strict=True))
                self.given.progress("asking the backbone", start + len(chunk), len(different))
        logits: Floats = torch.stack([answers[key] for key in asked]).double().numpy()
        return logits

    def _ask(self, asked: Sequence[tuple[str, str]]) -> list[Tensor]:
        labels = range(len(self.wording.answers))
        orders = [[(label + turn) % len(labels) for label in labels] for turn in labels]
        prompts = [self.wording.prompt(text, person, order) for text, person in asked for order in orders]
        options = [f" {answer}" for answer in self.wording.answers]
        found = self.given.pretrained.lm.score_options(prompts, [options] * len(prompts))
        return list(torch.stack([scores.sums for scores in found]).view(len(asked), len(orders), -1).mean(1))

    def _whom(self, weights: Tensor) -> str:
        """The reader's country (of a blend the largest share's), empty for nobody."""
        if not self.with_country or float(weights.sum()) == 0:
            return ""
        return display_name(self.given.vocabulary.readers[int(weights.argmax())])

    def _cut(self, texts: Sequence[str]) -> list[str]:
        """As much of each text as CALM reads."""
        cut: list[str] = []
        for start in range(0, len(texts), 256):
            chunk = texts[start : start + 256]
            ends = self.given.views.tokens.get(chunk).spans[..., 1].amax(1).tolist()
            cut += [text[:end] for text, end in zip(chunk, ends, strict=True)]
        return cut


def _some(rows: Rows, count: int) -> Rows:
    """Evenly spaced rows, at most `count`."""
    at = torch.linspace(0, len(rows.examples) - 1, min(count, len(rows.examples))).round().long()
    return replace(
        rows, examples=tuple(rows.examples[i] for i in at.tolist()), text_of=rows.text_of[at], readers=rows.readers[at],
        shares=rows.shares[at], known=rows.known[at], labels=rows.labels[at], votes=rows.votes[at],
        cultures=rows.cultures[at],
    )  # fmt: skip
