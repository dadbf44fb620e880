"""CALM's own predictions for the rows of a split, one array per seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from calm_lm.data.example import Dataset
from calm_lm.errors import CalmError
from calm_lm.model.calm import CalmModel
from calm_lm.model.views import Views
from calm_lm.training.grounds import Grounds
from calm_lm.training.material import Rows, Vocabulary, build_rows
from calm_lm.training.validation import answer_rows

Floats = npt.NDArray[np.float64]


class Answers(NamedTuple):
    """Predicted shares [N, L] of one seed, those of its drafts, and which rows reflection revised [N]."""

    shares: Floats
    drafts: Floats
    revised: npt.NDArray[np.bool_]


def judged_rows(model: CalmModel, dataset: Dataset, split: str, *, target: str) -> Rows:
    """Rows of a split in the model's vocabulary.

    Raises:
        CalmError: E01 for other labels than the model's, M01 for a reader it does not know.
    """
    if dataset.labels != model.manifest.labels:
        raise CalmError(
            "E01",
            f"the data set's labels are {', '.join(dataset.labels)}, the model answers "
            f"{', '.join(model.manifest.labels)}.",
            field="labels",
            value=dataset.name,
            fix="evaluate on data with the labels the model was trained on.",
        )
    vocabulary = Vocabulary(model.manifest.labels, model.manifest.readers, model.manifest.cultures)
    rows = build_rows(dataset, split, vocabulary, target=target)
    if model.manifest.readers:
        for example in rows.examples:
            model.reader_weights([example.reader])
    return rows


def answer_split(
    model: CalmModel, rows: Rows, views: Views, grounds: Grounds | None, *, readers: Tensor | None = None
) -> Answers:
    """Calibrated shares for every row; `readers` [N, R] replaces the rows' own."""
    answers = answer_rows(model, rows, views, grounds, readers=readers)
    facts = model.manifest.calibration
    temperature = facts.share_temperature or facts.label_temperature
    shares, drafts = ((logits.double() / temperature).softmax(-1).numpy() for logits in (answers.logits, answers.draft))
    return Answers(shares, drafts, answers.revised.numpy())


def other_readers(rows: Rows, seed: int) -> Tensor:
    """Every row read as another reader, drawn at random: the permuted-reader control. [N, R], R above 1."""
    count = rows.readers.size(1)
    shift = torch.randint(1, count, (len(rows.examples),), generator=torch.Generator().manual_seed(seed))
    place = rows.readers.argmax(1)
    wrong = torch.nn.functional.one_hot((place + shift) % count, count).to(rows.readers.dtype)
    return torch.where(rows.readers.sum(1, keepdim=True) > 0, wrong, rows.readers)
