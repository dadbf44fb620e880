"""The communicative dimensions along which experts are grouped.

The names are labels in logs and traces. Nothing trains an expert to mean its dimension, and no country has a
value here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension of how people communicate.

    Attributes:
        id: its name in configurations and traces.
        name: its name in a sentence.
        low: what communication is like at one end.
        high: and at the other.
        description: one sentence.
        source: where the concept was introduced.
    """

    id: str
    name: str
    low: str
    high: str
    description: str
    source: str


CONTEXT = Dimension(
    id="context",
    name="context",
    low="low context: the words carry the message",
    high="high context: setting, relationship and silence carry it",
    description="How much of a message is left to what the people involved already share.",
    source="Hall, E. T. (1976). Beyond Culture. Anchor Press.",
)
DIRECTNESS = Dimension(
    id="directness",
    name="directness",
    low="indirect: intent is hinted at",
    high="direct: intent is said outright",
    description="How openly speakers state wishes, refusals and disagreement.",
    source="Gudykunst, W. B. & Ting-Toomey, S. (1988). Culture and Interpersonal Communication. Sage.",
)
HIERARCHY = Dimension(
    id="hierarchy",
    name="hierarchy",
    low="small power distance: people are addressed as equals",
    high="large power distance: rank shapes who says what, and how",
    description="How far unequal power is expected and shown in speech.",
    source="Hofstede, G. (2001). Culture's Consequences, 2nd edition. Sage.",
)
SELF_CONSTRUAL = Dimension(
    id="self-construal",
    name="self-construal",
    low="independent: the self stands apart from others",
    high="interdependent: the self is part of its relationships",
    description="Whether people describe themselves by what is their own or by the groups they belong to.",
    source="Markus, H. R. & Kitayama, S. (1991). Culture and the self. Psychological Review 98(2), 224-253.",
)

DIMENSIONS: tuple[Dimension, ...] = (CONTEXT, DIRECTNESS, HIERARCHY, SELF_CONSTRUAL)
