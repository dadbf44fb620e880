"""One text read by several cultures, with everything that led to each answer, as one page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from calm_lm.culture.dimensions import DIMENSIONS
from calm_lm.culture.ids import display_name
from calm_lm.evaluation.pages.kit import (
    Cell,
    Html,
    bar,
    by_reader,
    chip,
    join,
    page,
    paragraphs,
    section,
    table,
    tag,
    verdict,
    words,
)
from calm_lm.evaluation.pages.traces import reader_name, reflection_steps, shares_table
from calm_lm.model.answers import Inspection
from calm_lm.model.card import CARE

NAMELESS = (
    "The names of dimensions are labels; nothing trains an expert to mean its dimension. Cluster and expert numbers "
    "have no meaning of their own: they say what the model treats alike."
)


def differences(inspections: Sequence[Inspection]) -> tuple[str, ...]:
    """What is not the same between the readers, in sentences; empty for one reader."""
    if len(inspections) < 2:
        return ()
    names = [reader_name(each.prediction.reader) for each in inspections]
    said = [_answers(inspections, names), _probabilities(inspections, names), _gates(inspections, names)]
    apart = [d for d in inspections[0].chosen if any(a.chosen[d] != b.chosen[d] for a, b in pairwise(inspections))]
    said.append(
        f"Other experts answer in {', '.join(apart)}." if apart else "The same experts answer in every dimension."
    )
    changed = [
        name for name, each in zip(names, inspections, strict=True) if each.prediction.draft != each.prediction.label
    ]
    said.append(
        f"Reflection changed the answer for {' and '.join(changed)}." if changed else "Reflection changed no answer."
    )
    return tuple(said)


def _answers(inspections: Sequence[Inspection], names: Sequence[str]) -> str:
    labels = [each.prediction.label for each in inspections]
    if len(set(labels)) == 1:
        return f"All answers are the same: {words(labels[0])}."
    return "The answers differ: " + ", ".join(f"{words(a)} for {n}" for a, n in zip(labels, names, strict=True)) + "."


def _probabilities(inspections: Sequence[Inspection], names: Sequence[str]) -> str:
    by_label = {
        label: [each.prediction.probabilities[label] for each in inspections]
        for label in inspections[0].prediction.probabilities
    }
    label = max(by_label, key=lambda name: max(by_label[name]) - min(by_label[name]))
    return f"Probabilities are farthest apart on {words(label)}: {_ends(by_label[label], names)}."


def _gates(inspections: Sequence[Inspection], names: Sequence[str]) -> str:
    by_dimension = {d: [each.dimensions[d] for each in inspections] for d in inspections[0].dimensions}
    dimension = max(by_dimension, key=lambda name: max(by_dimension[name]) - min(by_dimension[name]))
    return f"The dimension gate differs most on {dimension}: {_ends(by_dimension[dimension], names)}."


def _ends(values: Sequence[float], names: Sequence[str]) -> str:
    high, low = values.index(max(values)), values.index(min(values))
    return f"{values[high]:.2f} for {names[high]}, {values[low]:.2f} for {names[low]}"


def inspection_page(text: str, inspections: Sequence[Inspection], labels: Sequence[str]) -> str:
    """The whole page.

    Args:
        text: what was read.
        inspections: one per reader, of the same text and model.
        labels: what an answer may be.
    """
    found = differences(inspections)
    parts = {
        "answers": ("Answers", _answers_part(text, inspections, labels, found)),
        "tokens": ("Tokens and clusters", _tokens(inspections[0])),
        "routing": ("Experts", _routing(inspections)),
        "identity": ("Identity", _identity(inspections)),
        "reflection": ("Reflection", _reflection(inspections, labels)),
    }
    readers = " · ".join(reader_name(each.prediction.reader) for each in inspections)
    count = "one reader" if len(inspections) == 1 else f"{len(inspections)} readers"
    return page(
        "CALM inspection",
        kicker=f"calm inspect · {readers}",
        heading=f"One text, {count}",
        lede="What the model saw in the text, which parts of it answered, and how the answer came about.",
        notices=(CARE,),
        sections=parts,
    )


def _answers_part(text: str, inspections: Sequence[Inspection], labels: Sequence[str], found: Sequence[str]) -> Html:
    readers = [(reader_name(each.prediction.reader), each.prediction) for each in inspections]
    parts: list[str] = [tag("blockquote", text), shares_table(readers, labels)]
    if found:
        parts.append(verdict(found[0], found[1:]))
    inferred = {each.prediction.inferred for each in inspections if each.prediction.inferred is not None}
    parts += [
        tag("p", f"The text is taken to speak of or from {display_name(i.culture)} ({i.confidence:.2f}).")
        for i in inferred
    ]
    return section("answers", "Answers", *parts)


def _tokens(inspection: Inspection) -> Html:
    legend = paragraphs(
        "Underlined tokens name a culture. Below each token: its heaviest cluster in the explicit channel (left) and "
        "in the latent channel (right). Clusters are those of the text and the same for every reader.",
        class_="soft",
    )
    named = sum(token.explicit for token in inspection.tokens)
    count = tag("p", f"{named} of {len(inspection.tokens)} tokens name a culture.")
    items = []
    for token in inspection.tokens:
        shown = token.token.strip() or "·"
        mark = tag("span", " (names a culture)", class_="hidden") if token.explicit else ""
        word = tag("span", join((shown, mark)), class_="token named" if token.explicit else "token")
        pair = join((_cluster("explicit", token.cluster_explicit), _cluster("latent", token.cluster_latent)))
        items.append(tag("li", join((word, tag("span", pair, class_="pair")))))
    return section("tokens", "Tokens and clusters", legend, count, tag("ul", join(items), class_="tokens"))


def _cluster(channel: str, number: int) -> Html:
    said = tag("span", f" {channel} cluster ", class_="hidden")
    return tag("span", join((said, str(number))), class_=f"k{number % 6}", title=f"{channel} cluster {number}")


def _routing(inspections: Sequence[Inspection]) -> Html:
    described = {d.name: d.description for d in DIMENSIONS}
    rows = []
    for dimension in inspections[0].dimensions:
        name = join((dimension, tag("span", described.get(dimension, ""), class_="small")))
        cells = [Cell(name, header=True)]
        for each in inspections:
            gate = each.dimensions[dimension]
            chosen = each.chosen[dimension]
            experts = join(_expert(i, share, i in chosen) for i, share in enumerate(each.experts[dimension]))
            weight = join(
                (tag("span", f"{gate:.2f}", class_="value"), tag("span", " weight", class_="hidden"), bar(gate))
            )
            cells.append(Cell(join((weight, tag("div", experts, class_="experts")))))
        rows.append(cells)
    names = [reader_name(each.prediction.reader) for each in inspections]
    caption = "Each dimension's weight in the gate, and below it the router's probability of each expert; ● answered."
    parts = (tag("p", NAMELESS, class_="soft"), by_reader(caption, "dimension", names, rows))
    return section("routing", "Which experts answered", *parts)


def _expert(number: int, share: float, chosen: bool) -> Html:
    mark = tag("span", "●" if chosen else "○", title=f"expert {number + 1}{' answered' if chosen else ''}")
    said = join((mark, f" {share:.2f}"))
    return tag(
        "span",
        join((tag("span", said, class_="strong" if chosen else None), bar(share, strong=chosen))),
        class_="small",
    )


def _identity(inspections: Sequence[Inspection]) -> Html:
    rows = []
    for each in inspections:
        cells = (
            Cell(reader_name(each.prediction.reader), header=True), Cell(f"{each.identity_shift:.3f}"),
            Cell(f"{each.identity_cosine:.3f}"),
        )  # fmt: skip
        rows.append((cells, None))
    caption = (
        "Shift: length of what culture added to the backbone's state, relative to that state. Cosine: between the two."
    )
    return section("identity", "How far culture moved the state", table(caption, ["reader", "shift", "cosine"], rows))


def _reflection(inspections: Sequence[Inspection], labels: Sequence[str]) -> Html:
    cards = []
    for each in inspections:
        answer = each.prediction
        heading = tag("h3", reader_name(answer.reader))
        verdict = "The draft stands." if answer.draft == answer.label else "Reflection changed the answer."
        silent = (
            tag("p", join(("Not sure enough to answer: ", chip("abstains", ["abstains"])))) if answer.abstain else ""
        )
        cards.append(
            tag("article", join((heading, tag("p", verdict), silent, reflection_steps(answer, labels))), class_="card")
        )
    return section("reflection", "Reflection, side by side", tag("div", join(cards), class_="grid"))
