"""Parts that show one answer: its probabilities, and the reflection that led to it."""

from __future__ import annotations

from collections.abc import Sequence

from calm_lm.culture.blend import Blend
from calm_lm.culture.ids import display_name
from calm_lm.evaluation.pages.kit import Cell, Html, bar, bullets, by_reader, chip, definitions, join, tag, words
from calm_lm.model.answers import Prediction, ReflectionStep


def reader_name(reader: str | None) -> str:
    """A reader as a page says it: `Japan`, or `Japan 50%, United States 50%`."""
    if reader is None:
        return "no reader"
    parts = Blend.parse(reader).parts
    if len(parts) == 1:
        return display_name(reader)
    return ", ".join(f"{display_name(each)} {weight:.0%}" for each, weight in parts)


def outcome(step: ReflectionStep) -> str:
    """What became of a round, in words."""
    if not step.kept:
        return "the second answer is less sure, so the draft stands"
    if step.second == step.draft:
        return "the same label, with the second answer's probability"
    return "the second answer replaces the draft"


def reflection_steps(prediction: Prediction, labels: Sequence[str]) -> Html:
    """Every round as a list of what was asked, on which grounds, and what became of it."""
    if not prediction.reflection:
        return tag("p", join(("Answered without reflection: ", chip(prediction.label, labels))))
    rounds = len(prediction.reflection)
    pairs: list[tuple[str, str]] = []
    for number, step in enumerate(prediction.reflection, start=1):
        which = f" {number}" if rounds > 1 else ""
        pairs += [
            (f"draft{which}", join((chip(step.draft, labels), f" {step.draft_probability:.2f}"))),
            ("asks itself", step.self_prompt),
            ("evidence", evidence(step)),
            (
                "second answer",
                join((chip(step.second, labels), f" {step.second_probability:.2f}, gate {step.gate:.2f}")),
            ),
            ("outcome", outcome(step)),
        ]
    pairs.append(("answer", join((chip(prediction.label, labels), f" {prediction.confidence:.2f}"))))
    return definitions(pairs)


def evidence(step: ReflectionStep) -> Html:
    """The records cited, with weight and source."""
    if not step.evidence:
        return Html("none found")
    cited = bullets(
        join((f"{cited.sentence} ", tag("span", f"{cited.weight:.0%} · {cited.source}", class_="small")))
        for cited in step.evidence
    )
    return join((cited, tag("p", trusted(step), class_="small"))) if step.trust is not None else cited


def trusted(step: ReflectionStep) -> str:
    """How far the records are believed to speak to the text, in words; empty where no vote was fitted."""
    return "" if step.trust is None else f"The model trusts them {step.trust:.0%}."


def shares_table(answers: Sequence[tuple[str, Prediction]], labels: Sequence[str]) -> Html:
    """Probability of each label, one column per reader; predicted vote shares where the model knows them."""
    rows = []
    for label in labels:
        cells = [Cell(chip(label, labels), header=True)]
        for _, answer in answers:
            share = answer.probabilities[label]
            said = join((tag("span", f"{share:.2f}", class_="value" if label == answer.label else None),
                         bar(share, strong=label == answer.label)))  # fmt: skip
            if answer.vote_shares is not None:
                said = join((said, tag("span", f"votes {answer.vote_shares[label]:.2f}", class_="small")))
            cells.append(Cell(said))
        rows.append(cells)
    verdict = [Cell("answer", header=True)]
    verdict += [Cell(words(answer.label) + (" (abstains)" if answer.abstain else "")) for _, answer in answers]
    rows.append(verdict)
    return by_reader("Probability of each label.", "label", [name for name, _ in answers], rows)
