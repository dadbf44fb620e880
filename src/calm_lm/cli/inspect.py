"""`calm inspect`: what led to an answer, for several cultures side by side, in the terminal and as one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calm_lm.cli import options
from calm_lm.cli.display import bar, heading
from calm_lm.errors import CalmError

if TYPE_CHECKING:
    from rich.console import Console

    from calm_lm.culture.blend import Blend
    from calm_lm.model.answers import Inspection, ReflectionStep, TokenTrace

BAR = 6  # characters of a full bar


def inspect(
    model: Annotated[Path, typer.Argument(help="A run folder or a saved model.")],
    text: Annotated[str, typer.Argument(help="The text to read.")],
    culture: Annotated[
        list[str] | None, typer.Option("--culture", help="Reader: SG, or SG=0.5,AU=0.5; repeat to compare.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write one page to this file.", show_default=False)
    ] = None,
    json: options.Json = None,
) -> None:
    """Show tokens, clusters, experts, identity and reflection behind an answer."""
    readers = _readers(culture or ["none"])
    from calm_lm.cli.display import console
    from calm_lm.evaluation.pages.inspection import inspection_page
    from calm_lm.files import write_json, write_text
    from calm_lm.training.norm_sources import open_norms
    from calm_lm.training.open_run import open_model, run_config

    calm = open_model(model)
    if (model / "config.yaml").is_file():
        calm.norms = open_norms(run_config(model).norms)
    found = calm.compare(text, readers)
    show_inspections(console(), text, found)
    if json is not None:
        write_json(json, {"model": str(model), "text": text, "inspections": [asdict(each) for each in found]})
    if html is not None:
        write_text(html, inspection_page(text, found, calm.manifest.labels))
        console().print(f"Page: {html}", style="bold", markup=False)


def _readers(cultures: Sequence[str]) -> list[Blend | None]:
    """The readers to compare, each once.

    Raises:
        CalmError: E21 for a culture given twice, and what `parse_culture` raises.
    """
    readers: list[Blend | None] = []
    for given in cultures:
        reader = options.parse_culture(given)
        if reader in readers:
            raise CalmError("E21", "was given twice.", field="--culture", value=given, fix="name each reader once.")
        readers.append(reader)
    return readers


def show_inspections(screen: Console, text: str, inspections: Sequence[Inspection]) -> None:
    """Everything of the page, as tables."""
    from calm_lm.evaluation.pages.inspection import NAMELESS, differences
    from calm_lm.evaluation.pages.traces import reader_name

    names = [reader_name(each.prediction.reader) for each in inspections]
    screen.print(f"“{text}”", style="italic", markup=False)
    heading(screen, "Answers")
    screen.print(_answers(names, inspections))
    for line in differences(inspections):
        screen.print(f"• {line}", markup=False)
    heading(
        screen, "Tokens, with their cluster in the explicit (e) and the latent (l) channel; «tokens» name a culture"
    )
    for line in _glosses(inspections[0].tokens, screen.width):
        screen.print(line)
    heading(screen, "Experts: weight of each dimension, then each expert's probability (● answered)")
    screen.print(_experts(names, inspections))
    screen.print(NAMELESS, style="dim", markup=False)
    heading(screen, "Identity: what culture added to the backbone's state")
    for name, each in zip(names, inspections, strict=True):
        screen.print(f"{name}: shift {each.identity_shift:.3f}, cosine {each.identity_cosine:.3f}", markup=False)
    heading(screen, "Reflection")
    screen.print(_reflections(names, inspections))


def _grid(first: str, names: Sequence[str]) -> Any:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    grid.add_column(Text(first))
    for name in names:
        grid.add_column(Text(name), overflow="fold")
    return grid


def _answers(names: Sequence[str], inspections: Sequence[Inspection]) -> Any:
    from rich.text import Text

    grid = _grid("", names)
    for label in inspections[0].prediction.probabilities:
        cells = []
        for each in inspections:
            share, best = each.prediction.probabilities[label], each.prediction.label == label
            line = f"{share:.2f} {bar(share, BAR)}"
            if each.prediction.vote_shares is not None:
                line += f" votes {each.prediction.vote_shares[label]:.2f}"
            cells.append(Text(line, "bold" if best else ""))
        grid.add_row(Text(label.replace("_", " ")), *cells)
    grid.add_row(Text("answer"), *(Text(_said(each), "bold") for each in inspections))
    return grid


def _said(inspection: Inspection) -> str:
    answer = inspection.prediction
    return answer.label.replace("_", " ") + (" (abstains)" if answer.abstain else "")


def _glosses(tokens: Sequence[TokenTrace], width: int) -> list[Any]:
    """Tokens in lines of at most `width` columns, with the numbers of their clusters below them."""
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    lines: list[tuple[Text, str, str]] = []
    for token in tokens:
        word = " ".join(token.token.split()) or "·"
        shown = f"«{word}»" if token.explicit else word
        size = max(cell_len(shown), 2) + 1
        if not lines or lines[-1][0].cell_len + size > width:
            lines.append((Text("   "), "e  ", "l  "))
        top, explicit, latent = lines[-1]
        top.append(set_cell_size(shown, size), "bold yellow" if token.explicit else "")
        lines[-1] = (
            top,
            explicit + str(token.cluster_explicit).ljust(size),
            latent + str(token.cluster_latent).ljust(size),
        )
    return [part for top, explicit, latent in lines for part in (top, Text(explicit, "cyan"), Text(latent, "magenta"))]


def _experts(names: Sequence[str], inspections: Sequence[Inspection]) -> Any:
    from rich.text import Text

    grid = _grid("", names)
    for dimension in inspections[0].dimensions:
        cells = []
        for each in inspections:
            gate, chosen = each.dimensions[dimension], each.chosen[dimension]
            experts = [f"{'●' if i in chosen else '○'}{p:.2f}" for i, p in enumerate(each.experts[dimension])]
            cells.append(Text.assemble((f"{gate:.2f} {bar(gate, BAR)}", "bold"), "\n", " ".join(experts)))
        grid.add_row(Text(dimension), *cells)
    return grid


def _reflections(names: Sequence[str], inspections: Sequence[Inspection]) -> Any:
    from rich.text import Text

    from calm_lm.evaluation.pages.traces import outcome

    grid = _grid("", names)
    for number in range(max(len(each.prediction.reflection) for each in inspections)):
        steps = [r[number] if number < len(r := each.prediction.reflection) else None for each in inspections]
        rows = {
            "draft": [s and f"{s.draft.replace('_', ' ')} {s.draft_probability:.2f}" for s in steps],
            "asks": [s and s.self_prompt for s in steps],
            "evidence": [s and _evidence(s) for s in steps],
            "second": [
                s and f"{s.second.replace('_', ' ')} {s.second_probability:.2f}, gate {s.gate:.2f}" for s in steps
            ],
            "outcome": [s and outcome(s) for s in steps],
        }
        for name, cells in rows.items():
            grid.add_row(Text(name), *(Text(cell or "") for cell in cells))
    grid.add_row(
        Text("answer"), *(Text(f"{_said(each)} {each.prediction.confidence:.2f}", "bold") for each in inspections)
    )
    return grid


def _evidence(step: ReflectionStep) -> str:
    from calm_lm.evaluation.pages.traces import trusted

    cited = [f"{each.sentence} [{each.source}]" for each in step.evidence]
    return "\n".join([*cited, trusted(step)]).rstrip() if cited else "none found"
