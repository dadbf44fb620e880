"""Log-probabilities of continuations the plain way: every prompt with every option is a row of its own.

It asks nothing of a model but a causal forward pass, so it serves every architecture, and it is what the fast
way (`calm_lm.lm.shared_prefix`) is measured against.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calm_lm.lm.batching import length_sorted_batches, pad_tokens


class Path(NamedTuple):
    """A prompt with one option: its token ids, of which those from `start` (at least 1) on are scored."""

    ids: tuple[int, ...]
    start: int


def plain_sums(model: Any, paths: Sequence[Path], *, fill: int, batch_tokens: int) -> Tensor:
    """Summed log-probability of each path's scored tokens.

    Args:
        model: a causal model with its head.
        paths: N token sequences.
        fill: id of padding.
        batch_tokens: bound on a batch's padded tokens.

    Returns:
        float64 [N] on the CPU, in nats.
    """
    sums = torch.zeros(len(paths), dtype=torch.float64)
    for batch in length_sorted_batches([len(path.ids) for path in paths], batch_tokens):
        with torch.no_grad():
            sums[batch] = _sums_of_batch(model, [paths[i] for i in batch], fill)
    return sums


def wide(logits: Tensor) -> Tensor:
    """Logits in at least float32, the numbers in which a softmax is taken."""
    return logits if logits.dtype == torch.float64 else logits.float()


def _sums_of_batch(model: Any, paths: Sequence[Path], fill: int) -> Tensor:
    """[B], logits computed only from the first scored position on."""
    ids, mask = (part.to(model.device) for part in pad_tokens([path.ids for path in paths], fill))
    first = min(path.start for path in paths) - 1  # the logits at position i predict token i + 1
    kept = torch.arange(first, ids.shape[1] - 1, device=ids.device)
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=kept).logits
    else:
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, kept]
    sums = []
    for i, path in enumerate(paths):
        scored = slice(path.start - 1 - first, len(path.ids) - 1 - first)
        log_p = wide(logits[i, scored]).log_softmax(-1)
        sums.append(log_p.gather(-1, ids[i, path.start : len(path.ids), None]).double().sum())
    return torch.stack(sums).cpu()
