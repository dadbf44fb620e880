"""How evidence reaches the reflective loop: any source of norm records that can be searched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import torch

from calm_lm.culture.blend import Blend
from calm_lm.errors import CalmError
from calm_lm.model.config import Sizes
from calm_lm.model.evidence import EvidenceRows, RecordStates
from calm_lm.model.network import CalmNetwork
from calm_lm.model.views import Views

RECORDS_AT_ONCE = 64


class NormSentence(Protocol):
    """A norm record as far as the model is concerned."""

    @property
    def situation(self) -> str:
        """What is done."""
        ...

    @property
    def norm(self) -> str:
        """How it is seen."""
        ...

    @property
    def source(self) -> str:
        """Where it is documented."""
        ...

    def sentence(self) -> str:
        """The record in one plain line."""
        ...


class Found(Protocol):
    """A record with how well it fits."""

    @property
    def record(self) -> NormSentence:
        """The record."""
        ...

    @property
    def score(self) -> float:
        """Higher fits better; above zero."""
        ...


class NormSource(Protocol):
    """Anything that finds norm records for a text and a culture."""

    def search(self, text: str, culture: Blend, k: int) -> Sequence[Found]:
        """At most `k` records, best first; an empty answer is an honest one."""
        ...


class Claim(NamedTuple):
    """What a record says, without whose norm it is; records of many cultures share one."""

    situation: str
    norm: str

    @classmethod
    def of(cls, hit: Found) -> Claim:
        """The claim of a found record."""
        return cls(hit.record.situation, hit.record.norm)


def cite(source: NormSource, texts: Sequence[str], cultures: Sequence[Blend | None], k: int) -> list[list[Found]]:
    """Records for every row; a row without a culture gets none."""
    return [
        list(source.search(text, culture, k)) if culture is not None else []
        for text, culture in zip(texts, cultures, strict=True)
    ]


def different_claims(found: Iterable[Sequence[Found]]) -> tuple[Claim, ...]:
    """What the records of all rows say, each claim once, in the order found."""
    return tuple(dict.fromkeys(Claim.of(hit) for hits in found for hit in hits))


def evidence_rows(
    found: Sequence[Sequence[Found]], claims: Mapping[Claim, int], states: RecordStates, k: int
) -> EvidenceRows:
    """Tensors for B rows of found records, best first; weights are scores divided by their sum.

    Args:
        found: B rows of at most `k` records.
        claims: what each of `states` says, to its place.
        states: of all records that are cited.
        k: width of the tensors.
    """
    index = torch.zeros(len(found), k, dtype=torch.int64)
    weight = torch.zeros(len(found), k)
    score = torch.tensor([hits[0].score if hits else 0.0 for hits in found])
    for row, records in enumerate(found):
        total = sum(hit.score for hit in records)
        for place, hit in enumerate(records):
            index[row, place] = claims[Claim.of(hit)]
            weight[row, place] = hit.score / total
    device = states.norms.device
    return EvidenceRows(states, index.to(device), weight.to(device), score.to(device))


def refuse_norms(sizes: Sizes) -> None:
    """Refuse a network that was trained without norm records: it could not read them.

    Raises:
        CalmError: M30.
    """
    if not sizes.evidence:
        raise CalmError(
            "M30", "this model was trained without norm records and cannot read any.", field="norms",
            fix="train it again with norms (`norms: bundled`, or a JSONL file), or use it without.",
        )  # fmt: skip


class RecordShelf:
    """States of the records a model has cited so far; each is encoded once."""

    def __init__(self, network: CalmNetwork, views: Views) -> None:
        self.network, self.views = network, views
        self.claims: dict[Claim, int] = {}
        self.states: RecordStates | None = None

    def evidence(self, found: Sequence[Sequence[Found]], k: int) -> EvidenceRows | None:
        """Evidence tensors for rows of found records; None where no row has any."""
        fresh = [claim for claim in different_claims(found) if claim not in self.claims]
        for start in range(0, len(fresh), RECORDS_AT_ONCE):
            self._add(fresh[start : start + RECORDS_AT_ONCE])
        if self.states is None or not any(found):
            return None
        return evidence_rows(found, self.claims, self.states, k)

    def _add(self, claims: Sequence[Claim]) -> None:
        self.network.eval()
        with torch.inference_mode():
            new = read_claims(self.network, self.views, claims)
            self.states = RecordStates(*map(torch.cat, zip(self.states, new, strict=True))) if self.states else new
        self.claims |= {claim: len(self.claims) + i for i, claim in enumerate(claims)}


def read_claims(network: CalmNetwork, views: Views, claims: Sequence[Claim]) -> RecordStates:
    """States of some claims with the network as it is now; a phrase that several share is encoded once."""
    phrases = list(dict.fromkeys(part for claim in claims for part in claim))
    place = {phrase: i for i, phrase in enumerate(phrases)}
    texts = views(phrases)
    read = network.views_of(texts)
    situations, norms = ([place[claim[part]] for claim in claims] for part in (0, 1))
    return network.read_records(read[situations], read[norms], texts.sentence[norms])
