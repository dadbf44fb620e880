"""What CALM says about one text, as data a user can read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvidenceCited:
    """A norm record that entered a reflection: its sentence, where it is documented, its share of the evidence."""

    sentence: str
    source: str
    weight: float


@dataclass(frozen=True, slots=True)
class ReflectionStep:
    """One round: what the model asked itself, on which grounds, and what became of its answer.

    Attributes:
        self_prompt: the prompt, in words.
        dimensions: the communicative dimensions it names.
        draft, draft_probability: the answer before, and how sure it was.
        second, second_probability: the answer after calibration.
        kept: the second answer replaced the draft.
        gate: how far the gate opened, 0 to 1.
        cosine: similarity of the state before and after; 1 means nothing moved.
        trust: how far the vote of cited norms counts, 0 to 1; None where none is cited, and without a fitted vote.
        evidence: the norm records cited, empty without a norm source.
    """

    self_prompt: str
    dimensions: tuple[str, ...]
    draft: str
    draft_probability: float
    second: str
    second_probability: float
    kept: bool
    gate: float
    cosine: float
    trust: float | None = None
    evidence: tuple[EvidenceCited, ...] = ()


@dataclass(frozen=True, slots=True)
class InferredCulture:
    """A culture the model inferred because none was given, with calibrated confidence."""

    culture: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """How one reader's culture reads one text.

    Attributes:
        reader: the blend as text, None for no reader.
        label: the most probable label.
        probabilities: label to calibrated probability.
        vote_shares: label to predicted share of people, None where the model never saw votes.
        abstain: the model is not sure enough to answer (threshold fitted on validation).
        draft: the label before reflection.
        reflection: every round.
        inferred: the culture spoken of or speaking, where the model infers one.
    """

    reader: str | None
    label: str
    probabilities: dict[str, float]
    vote_shares: dict[str, float] | None
    abstain: bool
    draft: str
    reflection: tuple[ReflectionStep, ...]
    inferred: InferredCulture | None = None

    @property
    def confidence(self) -> float:
        """Probability of the label."""
        return self.probabilities[self.label]


@dataclass(frozen=True, slots=True)
class TokenTrace:
    """One token: its text, whether it names a culture, its heaviest cluster in each channel."""

    token: str
    explicit: bool
    cluster_explicit: int
    cluster_latent: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """All that led to one prediction.

    Attributes:
        prediction: the answer.
        tokens: the text's tokens.
        dimensions: communicative dimension to its weight in the gate.
        experts: dimension to its router probabilities over experts.
        chosen: dimension to the experts that answered.
        identity_shift: length of what culture added to the backbone's state, relative to that state.
        identity_cosine: cosine between the backbone's state and the identity.
    """

    prediction: Prediction
    tokens: tuple[TokenTrace, ...]
    dimensions: dict[str, float]
    experts: dict[str, tuple[float, ...]]
    chosen: dict[str, tuple[int, ...]]
    identity_shift: float
    identity_cosine: float
