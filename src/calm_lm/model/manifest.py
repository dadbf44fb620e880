"""What a saved model says of itself: `config.json`, checked field by field when it is read back."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from calm_lm.data.example import Role
from calm_lm.lm.protocol import ModelIdentity
from calm_lm.model.config import BackboneConfig, ModelConfig, Sizes


class Weights(BaseModel):
    """Which pretrained weights the numbers belong to (see `lm.protocol.ModelIdentity`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    revision: str | None = None
    fingerprint: str = Field(pattern="^[0-9a-f]{64}$")
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

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    label_temperature: float = Field(1.0, ge=1e-3, le=1e3)
    share_temperature: float | None = Field(None, ge=1e-3, le=1e3)
    abstain_below: float = Field(0.0, ge=0, le=1)
    abstain_target: float | None = Field(None, ge=0, le=1)
    coverage: float | None = Field(None, ge=0, le=1)
    culture_temperature: float = Field(0.1, ge=1e-3, le=1e3)


class Provenance(BaseModel):
    """Where the training rows come from."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dataset: str
    rows: int = Field(ge=0)
    licences: tuple[str, ...]
    citation: str = ""
    files: dict[str, str] = Field(default_factory=dict)
    offensive: bool = False
    notes: tuple[str, ...] = ()


class CalmManifest(BaseModel):
    """Everything but the tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    library: Literal["calm-lm"] = "calm-lm"
    format: int = Field(1, ge=1, le=1)
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

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for field, size in (("labels", "n_labels"), ("readers", "n_readers"), ("cultures", "n_cultures")):
            names: tuple[str, ...] = getattr(self, field)
            if len(names) != getattr(self.sizes, size):
                raise ValueError(f"{field} and sizes.{size} must count the same")
            if len(set(names)) != len(names) or not all(name and name.isprintable() for name in names):
                raise ValueError(f"{field} must be different, printable and not empty")
        if self.positive >= max(1, len(self.labels)):
            raise ValueError("positive must be the place of a label")
        if not (self.backbone.sentence is None) == (self.sentence_weights is None) == (self.sizes.d_sentence == 0):
            raise ValueError("backbone.sentence, sentence_weights and sizes.d_sentence must come together")
        return self
