"""How each data set's question is put to a language model, and by which words it may answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """A question with its answers.

    Attributes:
        kind: what the text is called.
        question: asked after the text.
        answers: words for the labels, in their order.
    """

    kind: str
    question: str
    answers: tuple[str, ...]

    def prompt(self, text: str, person: str, order: Sequence[int]) -> str:
        """The prompt up to the answer; `order` lists the labels, `person` names a country or is empty."""
        options = ", ".join(self.answers[label] for label in order[:-1]) + f" or {self.answers[order[-1]]}"
        setting = f"You are a person from {person}. Answer as most people there would.\n" if person else ""
        return f"{setting}{self.kind}: {text}\nQuestion: {self.question} Answer with {options}.\nAnswer:"


_TRUTH = Wording("Statement", "Is the statement true?", ("false", "true"))
_STEREOTYPE = Wording("Sentence", "Does the sentence express a stereotype?", ("no", "yes"))
WORDINGS = {
    "blend": _TRUTH,
    "crehate": Wording("Post", "Is this post hate speech?", ("no", "yes")),
    "cultureatlas": _TRUTH,
    "demo": Wording("Situation", "How is this seen here?", ("expected", "fine", "out of place", "varying")),
    "emgsd": _STEREOTYPE,
}


def wording_of(dataset: str, labels: Sequence[str]) -> Wording:
    """A data set's own wording where there is one that fits its labels, else one made of the labels' names."""
    known = WORDINGS.get(dataset)
    if known is not None and len(known.answers) == len(labels):
        return known
    return Wording("Text", "Which label fits the text?", tuple(label.replace("_", " ") for label in labels))
