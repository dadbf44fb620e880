"""The model card that is saved with every model."""

from __future__ import annotations

import json

from calm_lm.data.licences import gate
from calm_lm.model.manifest import CalmManifest

CARE = """\
Scores estimate how a few recruited annotators from a place labelled a text. They are not a nation's view, and a
country is a convenience of surveys, not a culture. Do not use them to infer a person's ethnicity, faith or
nationality, nor for hiring, policing, credit or migration."""


def model_card(manifest: CalmManifest) -> str:
    """Markdown with YAML metadata: what it is, what it was trained on, what it must not be used for."""
    facts = manifest.provenance
    licences = ", ".join(facts.licences) or "undeclared"
    terms = "".join(f"- {line}\n" for line in gate(facts.licences, accept=True))
    readers = ", ".join(manifest.readers) or "none (culture-blind, or the culture is in the text)"
    notes = "".join(f"- {note}\n" for note in facts.notes)
    calibration = manifest.calibration
    abstains = (
        f"It abstains below a probability of {calibration.abstain_below:.3f}, where the answers kept on validation "
        f"rows ({calibration.coverage:.0%}) reached an accuracy of {calibration.abstain_target:.0%}."
        if calibration.abstain_target is not None and calibration.coverage is not None
        else "No abstention threshold was fitted."
    )
    lora = manifest.backbone.adapt_layers
    stages = "linear probe and stages" if manifest.model.probe else "stages"
    trained = f"{stages} over a frozen backbone"
    if lora is not None:
        trained = f"{stages}, and LoRA on layers {lora[0] + 1} to {lora[1]}"
    return f"""\
---
library_name: calm-lm
license: other
license_name: see-training-data
tags: [calm, culture, text-classification]
base_model: {json.dumps(manifest.backbone_weights.name)}
---

# CALM on {facts.dataset}

A culturally self-aware classifier made with calm-lm, an independent and unofficial reimplementation of CALM
(Culturally Self-Aware Language Models, NeurIPS 2025) from public descriptions. Not affiliated with its authors.

| | |
| --- | --- |
| labels | {_cell(", ".join(manifest.labels) or "none")} |
| readers | {readers} |
| backbone | {_cell(manifest.backbone_weights.name)}, fingerprint {manifest.backbone_weights.fingerprint[:16]} |
| licence of the backbone | {_cell(manifest.backbone_weights.licence)} |
| trained | {trained} |
| training data | {_cell(facts.dataset)}, {facts.rows} rows |
| licences of the training data | {_cell(licences)} |
| citation of the data | {_cell(facts.citation or "none given")} |

## Care

{CARE}

{"The training texts are offensive." if facts.offensive else ""}

## Licences of the training data

{terms or "Nothing beyond attribution."}

## Calibration

{abstains}

## Notes on the data

{notes or "None."}
"""


def _cell(text: str) -> str:
    """One cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")
