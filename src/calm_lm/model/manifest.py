"""What a saved model says of itself: `config.json`, checked field by field when it is read back."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from calm_lm.data.example import Role
from calm_lm.lm.protocol import ModelIdentity
from calm_lm.model.config import BackboneConfig, ModelConfig, Sizes

FORMAT = 1


class Weights(BaseModel):
    """Which pretrained weights the numbers belong to (see `lm.protocol.ModelIdentity`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    revision: str | None = None
    fingerprint: str
    languages: tuple[str, ...] = ()
    licence: str = "undeclared"

    @classmethod
    def of(cls, identity: ModelIdentity) -> Weights:
        """The same facts in the form that is saved."""
        return cls(
            name=identity.name,
            revision=identity.revision,
            fingerprint=identity.fingerprint,
            languages=tuple(identity.languages),
            licence=identity.licence,
        )


class CalibrationFacts(BaseModel):
    """What was fitted on validation rows after training.

    Attributes:
        label_temperature: divides logits before the softmax that gives label probabilities.
        share_temperature: the same for predicted vote shares; None where no votes were seen.
        abstain_below: answers with a lower top probability abstain.
        abstain_target: accuracy the kept validation answers reach.
        coverage: share of validation answers that were kept.
        culture_temperature: divides the cosine to class means before the softmax that infers a culture.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label_temperature: float = Field(1.0, gt=0)
    share_temperature: float | None = Field(None, gt=0)
    abstain_below: float = Field(0.0, ge=0, le=1)
    abstain_target: float | None = None
    coverage: float | None = None
    culture_temperature: float = Field(0.1, gt=0)


class Provenance(BaseModel):
    """Where the training rows come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    rows: int = Field(ge=0)
    licences: tuple[str, ...]
    citation: str = ""
    files: dict[str, str] = Field(default_factory=dict)
    offensive: bool = False
    notes: tuple[str, ...] = ()


class CalmManifest(BaseModel):
    """Everything but the tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: Literal["calm-lm"] = "calm-lm"
    format: Literal[1] = FORMAT
    model: ModelConfig
    sizes: Sizes
    backbone: BackboneConfig
    backbone_weights: Weights
    sentence_weights: Weights | None
    labels: tuple[str, ...]
    positive: int = Field(ge=0)
    readers: tuple[str, ...]
    cultures: tuple[str, ...]
    contrast: Role | None
    calibration: CalibrationFacts = Field(default_factory=CalibrationFacts)
    provenance: Provenance
