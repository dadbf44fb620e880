"""The reflective loop itself: from a draft to an answer that was kept or revised."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from calm_lm.model.batch import Encoding, Reading, TextBatch, reading
from calm_lm.model.evidence import EvidenceRows
from calm_lm.model.network import CalmNetwork, Identity
from calm_lm.model.reflection import SelfPrompts, keep_second_answer, pair_of_dimensions


class EncodedPrompts(NamedTuple):
    """The finite set of self-prompts with the backbone's states of each, [n_prompts, T, ...]."""

    prompts: SelfPrompts
    texts: TextBatch


class Round(NamedTuple):
    """One round of reflection over B rows; rows that had stopped carry their earlier answer and `active` False."""

    active: Tensor
    pair: Tensor
    label: Tensor
    second: Tensor
    moved: Tensor
    kept: Tensor
    cosine: Tensor
    gate: Tensor
    trust: Tensor | None


class Answer(NamedTuple):
    """What the network says: draft and final logits [B, L], the final state, its identity, and every round."""

    draft: Tensor
    logits: Tensor
    state: Tensor
    identity: Identity
    rounds: tuple[Round, ...]


def culture_slots(rows: Reading) -> Tensor:
    """Weights over prompt cultures: the reader blend, or the last slot for a row without a reader. [B, R + 1]."""
    weights = rows.profiles[rows.profile_of]
    nobody = (weights.sum(1, keepdim=True) <= 0).to(weights.dtype)
    return torch.cat([weights / weights.sum(1, keepdim=True).clamp_min(1e-6), nobody], 1)


def prompt_reading(encoded: EncodedPrompts, numbers: Tensor, n_readers: int) -> Reading:
    """The prompts of the given numbers [M], each read by the culture it names."""
    texts = TextBatch(*(part[numbers] for part in encoded.texts))
    culture = numbers // (len(encoded.prompts.pairs) * encoded.prompts.n_labels)
    readers = F.one_hot(culture, n_readers + 1)[:, :n_readers].to(texts.tokens.dtype)
    return reading(texts, readers, torch.arange(len(numbers), device=numbers.device))


def encode_prompts(network: CalmNetwork, encoded: EncodedPrompts, temperature: float) -> Tensor:
    """Identity state of every self-prompt, [n_prompts, d]; computed once when training ends."""
    numbers = torch.arange(len(encoded.prompts.texts), device=encoded.texts.tokens.device)
    pieces = [
        network.encode(prompt_reading(encoded, piece, network.sizes.n_readers), temperature).state
        for piece in torch.split(numbers, 256)
    ]
    return torch.cat(pieces)


class StatesOf:
    """Identity states of prompt numbers: from a table once training is over, else live with gradients."""

    def __init__(self, network: CalmNetwork, source: Tensor | EncodedPrompts, temperature: float) -> None:
        self.network, self.source, self.temperature = network, source, temperature

    def __call__(self, numbers: Tensor) -> Tensor:
        """States [N, d] of prompt numbers [N]."""
        if isinstance(self.source, Tensor):
            return self.source[numbers]
        rows = prompt_reading(self.source, numbers, self.network.sizes.n_readers)
        return self.network.encode(rows, self.temperature).state


def reference_states(prompts: SelfPrompts, slots: Tensor, pair: Tensor, label: Tensor, states_of: StatesOf) -> Tensor:
    """What each row's self-prompt says: its cultures' prompt states, mixed by the blend. [B, d]."""
    row, culture = (slots > 0).nonzero(as_tuple=True)
    needed, where = torch.unique(prompts.number(culture, pair[row], label[row]), return_inverse=True)
    said = states_of(needed)[where] * slots[row, culture].unsqueeze(1)
    return said.new_zeros(slots.size(0), said.size(1)).index_add(0, row, said)


class Second(NamedTuple):
    """A second answer: the calibrated state [B, d], the mean gate [B], the new identity and its logits [B, L]."""

    state: Tensor
    gate: Tensor
    identity: Identity
    logits: Tensor


def answer_again(network: CalmNetwork, rows: Reading, task: Tensor, state: Tensor, reference: Tensor) -> Second:
    """Calibrate states [B, d] towards what reflection found, fuse and answer once more."""
    moved, gate = network.calibrate(state, reference)
    identity = network.fuse(moved, network.pool_texts(rows.texts)[rows.text_of])
    logits = network.answer(rows, moved, identity, task)
    return Second(moved, gate, identity, logits)


def reflect(
    network: CalmNetwork,
    rows: Reading,
    encoding: Encoding,
    prompts: SelfPrompts,
    states_of: StatesOf,
    evidence: EvidenceRows | None = None,
    *,
    rounds: int,
) -> Answer:
    """Draft, and up to `rounds` times: self-prompt, evidence, calibrate, answer again, keep or revise.

    A second answer that cites norms knows more than the draft and replaces it; one that cites none has to be at
    least as sure, else the draft stands and the row stops. It also stops when reflection no longer moves its state
    (cosine above `stop_cosine`). Nothing here draws random numbers.
    """
    pooled = network.pool_texts(rows.texts)[rows.text_of]
    slots = culture_slots(rows)
    pair = pair_of_dimensions(encoding.routing.dimensions, prompts.pairs)
    state = encoding.state
    identity = network.fuse(state, pooled)
    draft = logits = network.answer(rows, state, identity, encoding.task)
    active = torch.ones(len(logits), dtype=torch.bool, device=logits.device)
    cites = evidence.weight.sum(1) > 0 if evidence is not None else torch.zeros_like(active)
    log: list[Round] = []
    for _ in range(rounds if network.config.reflection and network.sizes.n_labels else 0):
        if log and not bool(active.any()):
            break
        label = logits.argmax(-1)
        prompted = reference_states(prompts, slots, pair, label, states_of)
        reference = network.ground(rows, state, prompted, evidence)
        moved, gate, moved_identity, second = answer_again(network, rows, encoding.task, state, reference)
        second, trust = network.hear_norms(second, evidence)
        kept = active & (keep_second_answer(logits.softmax(-1), second.softmax(-1)) | cites)
        cosine = F.cosine_similarity(moved, state, dim=-1)
        log.append(Round(active, pair, label, second, moved, kept, cosine, gate, trust))
        take = kept.unsqueeze(-1)
        logits, state = torch.where(take, second, logits), torch.where(take, moved, state)
        identity = Identity(pooled, torch.where(take, moved_identity.delta, identity.delta))
        active = kept & (cosine <= network.config.stop_cosine)
    return Answer(draft, logits, state, identity, tuple(log))
