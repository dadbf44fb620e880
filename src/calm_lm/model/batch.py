"""What goes into the network and what comes out, as typed values."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class TextBatch(NamedTuple):
    """U different texts as the backbone sees them.

    Attributes:
        tokens: [U, T, d_model] states at the read layer.
        mask: [U, T] bool, True on real tokens.
        explicit: [U, T] bool, True on tokens that name a culture.
        sentence: [U, d_sentence] the sentence view; d_sentence may be 0.
    """

    tokens: Tensor
    mask: Tensor
    explicit: Tensor
    sentence: Tensor


class Reading(NamedTuple):
    """B rows, each one text read by one reader.

    Every stage before the clusters works on single tokens, so a text that five countries read is computed
    once and a profile once, and rows only point at them.

    Attributes:
        texts: the different texts.
        profiles: [V, n_readers] different reader blends; a row of zeros is "no reader".
        text_of: [B] int64 index into the texts.
        profile_of: [B] int64 index into the profiles.
    """

    texts: TextBatch
    profiles: Tensor
    text_of: Tensor
    profile_of: Tensor


def reading(texts: TextBatch, readers: Tensor, text_of: Tensor) -> Reading:
    """Rows `text_of` [B] with reader weights `readers` [B, n_readers], equal blends stored once."""
    if readers.size(1) == 0:  # a model without readers; torch.unique refuses rows of no width
        return Reading(texts, readers[:1], text_of, torch.zeros_like(text_of))
    profiles, profile_of = torch.unique(readers, dim=0, return_inverse=True)
    return Reading(texts, profiles, text_of, profile_of)


class Routing(NamedTuple):
    """Who answered: [B, C, E] router probabilities, [B, C, k] chosen experts and their weights, [B, C] gate."""

    probabilities: Tensor
    chosen: Tensor
    weights: Tensor
    dimensions: Tensor


class Encoding(NamedTuple):
    """One pass through the stages, before answering.

    Attributes:
        task, explicit, latent: [B, d] pooled vectors of the three heads.
        clusters_explicit, clusters_latent: [B, K, d] cluster tokens.
        aligned: [B, K, d] latent clusters after attending to the explicit ones.
        state: [B, d] identity state before fusion.
        routing: who answered.
        assignment_explicit, assignment_latent: [U, T, K] soft cluster of every text token.
    """

    task: Tensor
    explicit: Tensor
    latent: Tensor
    clusters_explicit: Tensor
    clusters_latent: Tensor
    aligned: Tensor
    state: Tensor
    routing: Routing
    assignment_explicit: Tensor
    assignment_latent: Tensor
