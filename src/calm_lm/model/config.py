"""The shape of a CALM network, each field with where its value comes from.

`origin` tells three kinds apart: `paper` (stated in the paper's text or quoted from it), `third party` (a
reading note by others), `ours` (not stated in the sources consulted; our engineering choice). `calm config
show` prints it beside every field, and `presets.py` holds the two named shapes.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Origin = Literal["paper", "third party", "ours"]


def setting(default: Any, description: str, *, origin: Origin = "ours", **bounds: Any) -> Any:
    """A pydantic field that carries its description and the origin of its default."""
    return Field(default, description=description, json_schema_extra={"origin": origin}, **bounds)


class ModelConfig(BaseModel):
    """Widths, counts and switches of the network; the defaults are the preset `paper`.

    Raises:
        pydantic.ValidationError: for an unknown field, a value out of bounds, or heads that do not divide
            the width; the command line turns it into one `CalmError` naming the field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    width: int = setting(
        512, "working width d of all stages after the heads, the experts' hidden size", origin="paper", ge=8, le=65_536
    )
    mlp_hidden: int = setting(512, "hidden size of the two-layer projection heads", origin="paper", ge=8, le=65_536)
    dropout: float = setting(0.1, "dropout inside the projection heads", origin="paper", ge=0, lt=1)
    n_clusters: int = setting(5, "clusters K per cultural channel", origin="paper", ge=1, le=1_024)
    cluster_hidden: int = setting(256, "hidden size of the cluster heads", origin="paper", ge=4, le=65_536)
    gumbel_start: float = setting(1.0, "Gumbel-softmax temperature at the first step", origin="paper", ge=0.01)
    gumbel_end: float = setting(0.2, "Gumbel-softmax temperature at the last step (cosine)", origin="paper", ge=0.01)
    alignment_heads: int = setting(8, "heads of the latent-to-explicit cross-attention", origin="paper", ge=1)
    n_dimensions: int = setting(4, "communicative dimensions C", origin="ours", ge=1, le=4)
    n_experts: int = setting(4, "experts per communicative dimension", origin="paper", ge=1, le=1_024)
    top_k: int = setting(2, "experts that answer per dimension and example", origin="paper", ge=1)
    expert_layers: int = setting(2, "transformer layers of an expert", origin="paper", ge=1, le=64)
    expert_heads: int = setting(8, "attention heads of an expert", origin="ours", ge=1)
    expert_ff: int = setting(2048, "feed-forward width of an expert", origin="paper", ge=8, le=262_144)
    expert_dropout: float = setting(0.1, "dropout on what an expert's sublayers add", origin="ours", ge=0, lt=1)
    contrast_temperature: float = setting(0.07, "NT-Xent temperature", origin="paper", ge=0.001)
    profile_tokens: int = setting(
        4, "learned tokens that carry the reader's profile into the heads", origin="ours", ge=1, le=1_024
    )
    noise: bool = setting(True, "Gumbel noise on clusters and noise on routers while training", origin="paper")
    reader_dropout: float = setting(0.1, "share of training rows read with no reader at all", origin="ours", ge=0, lt=1)
    view_dropout: float = setting(0.5, "dropout on what the answer head reads", origin="ours", ge=0, lt=1)
    probe: bool = setting(True, "add to a logistic regression on the backbone's views, else start from nothing")
    explicit_salience: bool = setting(True, "pool the explicit channel over tokens that name a culture", origin="ours")
    channels: Literal["both", "explicit", "latent"] = setting("both", "cultural channels in use", origin="paper")
    cross_attention: bool = setting(True, "align clusters by attention, else by their mean", origin="paper")
    fusion: bool = setting(True, "fuse the identity state with the backbone's states", origin="paper")
    reflection: bool = setting(True, "answer twice: draft, then calibrated by the self-prompt", origin="third party")
    reflection_rounds: int = setting(
        2, "rounds of reflection at prediction (one in training)", origin="ours", ge=1, le=16
    )
    stop_cosine: float = setting(
        0.99, "stop when reflection moves the state less than this cosine", origin="ours", gt=0, le=1
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.width % self.alignment_heads or self.width % self.expert_heads:
            raise ValueError("width must be a multiple of alignment_heads and of expert_heads")
        if self.top_k > self.n_experts:
            raise ValueError("top_k must not exceed n_experts")
        if self.gumbel_end > self.gumbel_start:
            raise ValueError("gumbel_end must not exceed gumbel_start")
        return self


class Sizes(BaseModel):
    """What the network meets from outside: set by the backbone and the data, never by hand."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    d_model: int = Field(ge=1, le=1_048_576, description="width of the backbone's states")
    d_sentence: int = Field(ge=0, le=1_048_576, description="width of the sentence view, 0 without one")
    n_labels: int = Field(ge=0, le=65_536, description="labels to answer with; 0 trains the contrastive window alone")
    n_readers: int = Field(ge=0, le=65_536, description="reader cultures with a profile of their own")
    n_cultures: int = Field(ge=0, le=1_048_576, description="cultures the contrastive window tells apart")
    evidence: bool = Field(False, description="whether reflection reads norm records")


class BackboneConfig(BaseModel):
    """Which language model is read, where, and which of its layers may adapt.

    `read_layer` feeds the stages, `inject_layer` receives the identity state when text is generated, and
    `adapt_layers` (first, last; LoRA) never reach above `read_layer`, whose later layers are not run at all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = setting(
        "embedded", "`embedded`, a hub name or a local folder (the paper's is Qwen/Qwen3-32B)", max_length=1_024
    )
    revision: str | None = setting(None, "commit on the hub")
    dtype: Literal["float32", "bfloat16", "float16"] = setting("float32", "precision of the backbone")
    device: str = setting("cpu", "torch device of the backbone")
    read_layer: int | None = setting(None, "layer whose states CALM reads; None takes 16 of 30, in proportion", ge=1)
    inject_layer: int | None = setting(None, "layer that receives the identity when generating; None is the last", ge=1)
    adapt_layers: tuple[int, int] | None = setting(None, "LoRA on the layers after the first up to the last number")
    lora_rank: int = setting(8, "rank of LoRA", ge=1, le=4_096)
    lora_alpha: int = setting(16, "scale of LoRA", ge=1, le=65_536)
    lora_dropout: float = setting(0.05, "dropout of LoRA", ge=0, lt=1)
    lora_targets: tuple[str, ...] = setting(("q_proj", "k_proj", "v_proj", "o_proj"), "projections that LoRA adapts")
    sentence: str | None = setting(
        "embedded", "sentence encoder whose embedding joins as a view; None for none", max_length=1_024
    )
    max_length: int = setting(128, "tokens of a text that are read", ge=8, le=1_048_576)
    local_files_only: bool = setting(False, "never ask the hub")

    @model_validator(mode="after")
    def _adapt_below_read(self) -> Self:
        if self.adapt_layers is not None:
            first, last = self.adapt_layers
            if not 0 <= first < last <= 10_000:
                raise ValueError("adapt_layers must be (first, last) with first < last")
            if self.read_layer is not None and last > self.read_layer:
                raise ValueError("adapt_layers must not reach above read_layer")
        return self

    def layer_to_read(self, n_layers: int) -> int:
        """The read layer for a backbone of `n_layers`."""
        return self.read_layer if self.read_layer is not None else max(1, round(n_layers * 16 / 30))
