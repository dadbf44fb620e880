"""A trained CALM run as a model under test: it answers its own labels for its own readers, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from calm_lm.culture.blend import Blend
from calm_lm.errors import UnavailableError
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer, Likelihood, Open, OpenAnswer
from calm_lm.files import sha256_bytes, sha256_file
from calm_lm.lm.protocol import ModelIdentity
from calm_lm.lm.usage import Usage
from calm_lm.model.calm import CalmModel
from calm_lm.stats.arrays import Floats
from calm_lm.training.norm_sources import fingerprint, open_norms
from calm_lm.training.open_run import run_config, seed_folders


class CalmSubject:
    """The model of a run's lowest seed, as `calm predict` uses it.

    Args:
        model: the model.
        title: as a table calls it.
        fingerprint: of its files and of the norm records that it cites.
        settings: what of the way it is asked enters the cache key.

    Attributes:
        labels: what it answers.
        readers: whom it can read for.
        fitted_on: name of the data set it was trained on.
    """

    exact = True

    def __init__(self, model: CalmModel, title: str, fingerprint: str, settings: dict[str, Any]) -> None:
        self.model, self.title, self.settings = model, title, settings
        self.labels, self.readers = model.manifest.labels, model.manifest.readers
        self.fitted_on = model.manifest.provenance.dataset
        self.identity = ModelIdentity(
            name=title, revision=None, fingerprint=fingerprint, languages=model.lm.identity.languages,
            licence=", ".join(model.manifest.provenance.licences),
        )  # fmt: skip

    @classmethod
    def open(cls, run: Path, *, device: str | None = None, offline: bool = False) -> Self:
        """The lowest seed of a run folder, with the norm records it was trained with.

        Args:
            run: the folder.
            device: as torch names it; None takes the one it was trained on.
            offline: ask no hub.

        Raises:
            CalmError: T40, T41 for a folder that is no run; what loading raises.
        """
        folders = seed_folders(run)
        seed = min(folders)
        model = CalmModel.from_pretrained(folders[seed], device=device, local_files_only=offline)
        norms = open_norms(run_config(run).norms)
        model.norms = norms
        parts = [sha256_file(folders[seed] / name) for name in ("config.json", "model.safetensors")]
        if norms is not None:
            parts.append(fingerprint(norms))
        settings = {"seed": seed, "backbone": model.lm.title}
        return cls(model, f"CALM run {run.name}", sha256_bytes(" ".join(parts).encode()), settings)

    @property
    def usage(self) -> Usage:
        """Of the backbone."""
        return self.model.lm.usage

    def classify(self, texts: Sequence[str], readers: Sequence[str | None]) -> Floats:
        """Predicted shares of the labels [N, L] of each text as read by `readers[i]`; vote shares where it has them."""
        blends = [None if reader is None else Blend(((reader, 1.0),)) for reader in readers]
        found = self.model.predict(texts, blends)
        return np.asarray(
            [[(each.vote_shares or each.probabilities)[label] for label in self.labels] for each in found]
        )

    def choose(self, questions: Sequence[Choice]) -> list[ChoiceAnswer]:
        """It answers no questions."""
        raise self._cannot()

    def write(self, questions: Sequence[Open]) -> list[OpenAnswer]:
        """It writes nothing."""
        raise self._cannot()

    def likelihood(self, texts: Sequence[str]) -> list[Likelihood]:
        """It tells no probabilities of texts."""
        raise self._cannot()

    def _cannot(self) -> UnavailableError:
        return UnavailableError(
            "E45", f"this run answers {', '.join(self.labels)} and no other question.", field="MODEL", value=self.title,
            fix="run the task on its backbone, or leave it out.",
        )  # fmt: skip
