"""How the question about a labelled text is put, by data set. The wordings are ours; labels are answered in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from calm_lm.data.example import Example


class Wording(NamedTuple):
    """What is said around a text.

    Attributes:
        kind: what the text is called.
        question: asked after it; may name a tag of the row in braces.
        answers: words for the labels, in their order.
    """

    kind: str
    question: str
    answers: tuple[str, ...]

    def ask(self, example: Example) -> str:
        """The text with its question."""
        return f"{self.kind}: {example.text}\n\n{self.question.format(**dict(example.tags))}"


_RIGHT = Wording("Question and answer", "Is the answer right?", ("No", "Yes"))
_GENERALISES = Wording(
    "Sentence", 'Does the sentence generalise about people called "{identity}" as "{attribute}"?', ("No", "Yes")
)
_WORDINGS = {
    "blend": _RIGHT,
    "crehate": Wording("Post", "Is this post hate speech?", ("No", "Yes")),
    "culturalbench-hard": _RIGHT,
    "emgsd": Wording("Sentence", "Does the sentence express a stereotype?", ("No", "Yes")),
    "genil": _GENERALISES,
    "genil-languages": _GENERALISES,
    "seegull": Wording("Group and attribute", "Is it a stereotype that the group is like this?", ("No", "Yes")),
}


def wording_of(dataset: str, labels: Sequence[str]) -> Wording:
    """A data set's own wording, else one made of the labels' names."""
    names = tuple(label.replace("_", " ") for label in labels)
    return _WORDINGS.get(dataset) or Wording("Text", "Which label fits the text?", names)
