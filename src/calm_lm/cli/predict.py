"""`calm predict`: how a culture reads a text, or every row of a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from calm_lm.cli import options
from calm_lm.errors import CalmError


def predict(
    model: Annotated[Path, typer.Argument(help="A run folder or a saved model.")],
    texts: Annotated[list[str] | None, typer.Argument(help="Texts to read.")] = None,
    culture: Annotated[
        list[str] | None, typer.Option("--culture", help="Reader: SG, or SG=0.5,AU=0.5; repeat for several.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--in", help="Own table instead of texts.", show_default=False)] = None,
    out: Annotated[Path | None, typer.Option("--out", help="JSONL file to write.", show_default=False)] = None,
    text: options.Text = "text",
    culture_column: Annotated[
        str | None, typer.Option(help="Column of the reader in --in.", show_default=False)
    ] = None,
    rounds: Annotated[bool, typer.Option("--reflection/--no-reflection", help="Write every round to --out.")] = True,
) -> None:
    """Predict labels and vote shares for readers."""
    if bool(texts) == (file is not None):
        raise CalmError("R06", "give texts or a file, one of them.", fix='calm predict RUN --culture SG "text"')
    from calm_lm.cli.display import console
    from calm_lm.training.norm_sources import open_norms
    from calm_lm.training.open_run import open_model, run_config

    readers = [options.parse_culture(each) for each in culture or ["none"]]
    if file is not None:
        from calm_lm.data.unlabelled import read_unlabelled

        rows = read_unlabelled(file, text, culture_column)
        pairs = (
            [(row.text, row.reader) for row in rows] if culture_column else [(r.text, c) for r in rows for c in readers]
        )
    else:
        pairs = [(each, reader) for each in texts or [] for reader in readers]
    calm = open_model(model)
    if (model / "config.yaml").is_file():
        calm.norms = open_norms(run_config(model).norms)
    answers = calm.predict([t for t, _ in pairs], [r for _, r in pairs])
    if out is not None:
        import json

        from calm_lm.files import write_text

        lines = []
        for (each, _), answer in zip(pairs, answers, strict=True):
            record = {"text": each} | asdict(answer)
            if not rounds:
                record.pop("reflection")
            lines.append(json.dumps(record, ensure_ascii=False, allow_nan=False))
        write_text(out, "\n".join(lines) + "\n")
        console().print(f"Wrote {len(lines)} predictions to {out}.", markup=False)
        return
    screen = console()
    shown = None
    for (each, _), answer in zip(pairs, answers, strict=True):
        if each != shown:
            screen.print(each, style="bold", markup=False)
            shown = each
        screen.print(_line(answer), markup=False)


def _line(answer: object) -> str:
    from calm_lm.culture.blend import Blend
    from calm_lm.culture.ids import display_name
    from calm_lm.model.answers import Prediction

    assert isinstance(answer, Prediction)
    single = Blend.parse(answer.reader).single if answer.reader else None
    who = "no reader" if answer.reader is None else (display_name(single) if single else answer.reader)
    line = f"  {who}: {answer.label.replace('_', ' ')} ({answer.confidence:.2f})"
    if answer.vote_shares is not None:
        shares = ", ".join(f"{name.replace('_', ' ')} {share:.2f}" for name, share in answer.vote_shares.items())
        line += f"; predicted votes {shares}"
    if answer.inferred is not None:
        line += f"; speaks of or from {answer.inferred.culture} ({answer.inferred.confidence:.2f})"
    if answer.draft != answer.label:
        line += f"; draft was {answer.draft.replace('_', ' ')}"
    return line + ("; abstains" if answer.abstain else "")
