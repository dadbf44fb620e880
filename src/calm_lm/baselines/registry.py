"""All baselines by name and by group."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import partial
from typing import get_args

from calm_lm.baselines.blind import fit_blind
from calm_lm.baselines.features import View
from calm_lm.baselines.linear import fit_tfidf, fit_view
from calm_lm.baselines.lookup import fit_lookup
from calm_lm.baselines.lora import fit_lora_heads, fit_lora_tag
from calm_lm.baselines.majority import fit_majority, fit_majority_reader
from calm_lm.baselines.mlp import fit_mlp
from calm_lm.baselines.nearest import fit_nearest
from calm_lm.baselines.prompt import fit_prompt, fit_prompt_country
from calm_lm.baselines.protocol import Baseline, BaselineInput, Group, Need
from calm_lm.errors import CalmError

_LACKING: dict[Need, str] = {
    "sentence": "the run has no sentence view",
    "readers": "the training rows have no reader, so it would be the baseline without one",
    "adapt_layers": "the run adapts no layers",
    "head": "the backbone has no language-model head",
    "norms": "the run has no norm records",
}


def _view(name: str, what: str, view: View, *needs: Need, by_reader: bool = False) -> Baseline:
    fit = partial(fit_view, name=name, view=view, readers="readers" in needs, by_reader=by_reader)
    return Baseline(name, "demo" if by_reader else "frozen", what, False, fit, frozenset(needs))


_READERS: frozenset[Need] = frozenset({"readers"})
_LORA: frozenset[Need] = frozenset({"adapt_layers"})
_HEAD: frozenset[Need] = frozenset({"head"})
_BASELINES = (
    Baseline("majority", "frozen", "label shares of the training rows", False, fit_majority),
    Baseline("majority-reader", "frozen", "each reader's label shares", False, fit_majority_reader, _READERS),
    Baseline("tfidf", "frozen", "logistic regression on words and word pairs", False, fit_tfidf),
    _view("sentence", "logistic regression on the sentence view", "sentence", "sentence"),
    _view("states", "logistic regression on the mean state", "states"),
    _view("both", "logistic regression on mean state and sentence view", "both", "sentence"),
    _view("both-reader", "the same, with an offset for each reader", "both", "readers"),
    _view("both-by-reader", "the same, with weights for each reader", "both", "readers", by_reader=True),
    Baseline("nearest", "frozen", "nearest training texts that the reader has read", False, fit_nearest),
    Baseline(
        "lookup", "frozen", "logistic regression on what the nearest norm records say", False, fit_lookup,
        _READERS | {"norms", "sentence"},
    ),
    Baseline("mlp", "frozen", "plain network on the same views, CALM's parameter count", True, fit_mlp),
    Baseline("blind", "frozen", "CALM without the reader", True, fit_blind, _READERS),
    Baseline("prompt", "prompt", "the backbone asked outright, temperature fitted", False, fit_prompt, _HEAD),
    Baseline(
        "prompt-country", "prompt", "asked as a person from the reader's country", False, fit_prompt_country,
        _HEAD | _READERS,
    ),
    Baseline("lora-tag", "lora", "LoRA, the reader as a tag before the text, one head", True, fit_lora_tag, _LORA),
    Baseline(
        "lora-heads", "lora", "LoRA, one head for each reader", True, fit_lora_heads, _LORA | _READERS
    ),
)  # fmt: skip
BASELINES = {baseline.name: baseline for baseline in _BASELINES}
# The table of `calm demo`: what a user would try first.
DEMO = ("both", "both-by-reader", "nearest", "lookup")


def baseline_names(chosen: str = "frozen") -> list[str]:
    """Names of baselines and groups (`frozen`, `prompt`, `lora`, `demo`), comma-separated, each once and in order.

    Raises:
        CalmError: B01 for a name that is neither.
    """
    names: dict[str, None] = {}
    for part in filter(None, map(str.strip, chosen.split(","))):
        if part == "demo":
            names |= dict.fromkeys(DEMO)
        elif part in get_args(Group):
            names |= dict.fromkeys(b.name for b in _BASELINES if b.group == part)
        else:
            names[get_baseline(part).name] = None
    return list(names)


def get_baseline(name: str) -> Baseline:
    """A baseline by its name.

    Raises:
        CalmError: B01 for an unknown name.
    """
    if name in BASELINES:
        return BASELINES[name]
    near = difflib.get_close_matches(name, [*BASELINES, *get_args(Group)], n=3, cutoff=0.5)
    raise CalmError(
        "B01",
        "is no baseline and no group of baselines.",
        field="--baselines",
        value=name,
        fix=f"use {' or '.join(near) if near else ', '.join([*get_args(Group), *BASELINES])}.",
    )


def lacking(name: str, given: BaselineInput) -> str | None:
    """Why a baseline cannot be fitted here, or would only repeat another; None when it can."""
    lm = given.pretrained.lm
    present: dict[Need, bool] = {
        "sentence": given.views.sentences is not None,
        "readers": bool(given.vocabulary.readers),
        "adapt_layers": given.config.backbone.adapt_layers is not None,
        "head": lm.model.get_output_embeddings() is not None,
        "norms": given.config.norms is not None,
    }
    missing = [_LACKING[need] for need in sorted(get_baseline(name).needs) if not present[need]]
    return "; ".join(missing) or None


def applicable(names: Sequence[str], given: BaselineInput) -> tuple[list[str], dict[str, str]]:
    """Baselines that can be fitted here, and why the others are left out."""
    reasons = {name: lacking(name, given) for name in names}
    return [n for n, why in reasons.items() if why is None], {n: why for n, why in reasons.items() if why is not None}
