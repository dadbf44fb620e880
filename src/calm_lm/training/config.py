"""One typed configuration of a run, the same from YAML, the command line and Python."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from calm_lm.model.config import BackboneConfig, ModelConfig, setting


class LossWeights(BaseModel):
    """Weights of the terms of the objective. The paper names the terms; every weight is ours."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    task: float = setting(1.0, "cross-entropy of draft and target", ge=0)
    contrast: float = setting(0.1, "contrastive window, each channel; 0 turns it off", ge=0)
    decouple: float = setting(0.05, "squared cosines between the three views", ge=0)
    balance: float = setting(0.01, "load balance of the experts", ge=0)
    dispatch: float = setting(0.01, "sparse dispatch of the experts", ge=0)
    reflect: float = setting(0.1, "second answer and its drift", ge=0)

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if not any((self.task, self.contrast, self.decouple, self.balance, self.dispatch)):
            raise ValueError("at least one weight besides reflect must be above 0")
        return self


class TrainConfig(BaseModel):
    """How the trained parts are fitted; the defaults are the preset `paper`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    learning_rate: float = setting(3e-5, "AdamW's step size", origin="paper", gt=0)
    lora_learning_rate: float = setting(3e-5, "step size of LoRA's matrices", gt=0)
    weight_decay: float = setting(0.01, "AdamW's decay, not on biases and norms", origin="paper", ge=0)
    warmup: float = setting(0.1, "share of the steps with a linearly rising step size", origin="paper", ge=0, le=1)
    batch_rows: int = setting(64, "anchor rows of a batch; their positives come on top", origin="paper", ge=2)
    epochs: float = setting(10.0, "passes over the training texts", gt=0)
    balance: float = setting(0.5, "culture balance of the sampler: 0 as they come, 1 all alike", ge=0, le=1)
    target: Literal["shares", "labels"] = setting("shares", "vote shares where votes exist, or hard labels")
    weights: LossWeights = Field(default_factory=LossWeights)
    settle: float = setting(0.1, "first share of the steps without task loss (channels and routers settle)", ge=0, lt=1)
    reflect_from: float = setting(0.5, "share of the steps after which reflection is trained", ge=0, le=1)
    clip: float = setting(1.0, "largest gradient norm", gt=0)
    patience: int = setting(3, "evaluations without gain before stopping; 0 never stops early", ge=0)
    evaluations: int = setting(10, "validations during a run, evenly spaced", ge=1)
    checkpoint_every: int = setting(200, "steps between checkpoints", ge=1)
    neighbours: int = setting(5, "similar texts a positive is drawn from", ge=1)


class RunConfig(BaseModel):
    """Everything that decides a run, and so everything that is saved with it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    preset: Literal["paper", "small"] = Field("small", description="the preset the values started from")
    backbone: BackboneConfig = Field(default_factory=BackboneConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)
    norms: str | None = Field(None, description="norm records reflection may cite: `bundled`, or a JSONL file")
    rows: int | None = Field(None, ge=8, description="train on a stratified sample of about that many rows")
    readers: bool = Field(True, description="whether the reader enters the model; false is culture-blind CALM")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.model.reflection and self.train.weights.reflect:
            raise ValueError("train.weights.reflect must be 0 when model.reflection is off")
        return self
