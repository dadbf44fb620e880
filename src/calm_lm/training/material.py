"""A data set as tensors: which row reads which text, for whom, and what it should say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from calm_lm.data.example import Dataset, Example
from calm_lm.errors import CalmError
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.lm.sentence import MeanPoolEncoder
from calm_lm.model.batch import TextBatch
from calm_lm.model.views import explicit_tokens
from calm_lm.training.states import StateStore, store_embeddings, store_hidden_states

Progress = Callable[[str, int, int], None]  # what is being done, done, in all


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names behind the numbers: labels, reader cultures with a profile, cultures of the contrastive window."""

    labels: tuple[str, ...]
    readers: tuple[str, ...]
    cultures: tuple[str, ...]

    @classmethod
    def of(cls, dataset: Dataset, *, readers: bool) -> Vocabulary:
        """What the training split knows; a culture that only occurs elsewhere has no profile to learn."""
        rows = dataset.splits.get("train", ())
        train = Dataset(dataset.name, dataset.labels, dataset.positive, {"train": rows}, None)
        known = train.cultures("reader") if readers else ()
        cultures = train.cultures(dataset.contrast) if dataset.contrast else ()
        blind = dataset.contrast == "reader" and not readers
        return cls(dataset.labels, known, () if blind else cultures)


@dataclass(frozen=True, slots=True)
class Rows:
    """Examples as tensors.

    Attributes:
        examples: the rows.
        texts: the different texts.
        text_of: [N] int64 index into the texts.
        readers: [N, R] blend weights; zeros for no reader.
        shares: [N, L] what the row should say, summing to 1, or zeros where nothing is known.
        known: [N] 1.0 where there is something to say.
        labels: [N] int64, -1 where unknown.
        votes: [N, L] float, zeros where there are none.
        cultures: [N] int64 contrast culture, -1 for none.
    """

    examples: tuple[Example, ...]
    texts: tuple[str, ...]
    text_of: Tensor
    readers: Tensor
    shares: Tensor
    known: Tensor
    labels: Tensor
    votes: Tensor
    cultures: Tensor


def build_rows(dataset: Dataset, split: str, vocabulary: Vocabulary, *, target: str) -> Rows:
    """Tensors of one split; `target` is `shares` (votes where they exist, else the label) or `labels`.

    Raises:
        CalmError: T03 when the split does not exist or is empty.
    """
    examples = dataset.splits.get(split, ())
    if not examples:
        raise CalmError(
            "T03",
            f"the data set {dataset.name} has no rows in that split; it has {', '.join(dataset.splits)}.",
            field="split",
            value=split,
            fix="choose one of those, or give the data a split column.",
        )
    texts = tuple(dict.fromkeys(row.text for row in examples))
    number = {text: i for i, text in enumerate(texts)}
    count, n_labels = len(examples), len(vocabulary.labels)
    readers = torch.zeros(count, len(vocabulary.readers))
    place = {culture: i for i, culture in enumerate(vocabulary.readers)}
    contrast = {culture: i for i, culture in enumerate(vocabulary.cultures)}
    votes = torch.zeros(count, n_labels)
    labels = torch.full((count,), -1, dtype=torch.int64)
    cultures = torch.full((count,), -1, dtype=torch.int64)
    for row, example in enumerate(examples):
        for culture, weight in example.reader.parts if example.reader else ():
            if culture in place:
                readers[row, place[culture]] = weight
        if example.votes is not None:
            votes[row] = torch.tensor(example.votes, dtype=torch.float32)
        labels[row] = -1 if example.label is None else example.label
        blend = example.culture(dataset.contrast) if dataset.contrast else None
        cultures[row] = contrast.get(blend.parts[0][0], -1) if blend else -1
    shares = _targets(labels, votes, target)
    return Rows(
        examples, texts, torch.tensor([number[e.text] for e in examples]), readers, shares,
        (shares.sum(1) > 0).float(), labels, votes, cultures,
    )  # fmt: skip


def _targets(labels: Tensor, votes: Tensor, target: str) -> Tensor:
    """Vote shares where there are votes, one-hot labels elsewhere, zeros where neither is known. -> [N, L]."""
    if votes.size(1) == 0:  # a data set without labels trains the contrastive window alone
        return votes
    one_hot = torch.nn.functional.one_hot(labels.clamp_min(0), votes.size(1)).float() * (labels >= 0).unsqueeze(1)
    total = votes.sum(1, keepdim=True)
    if target == "labels":
        return one_hot
    return torch.where(total > 0, votes / total.clamp_min(1.0), one_hot)


class CachedViews:
    """The same views as `model.views.LiveViews`, from states on disk; texts are encoded once."""

    def __init__(
        self, lm: HuggingFaceLM, encoder: MeanPoolEncoder | None, layer: int, max_length: int, folder: Path
    ) -> None:
        self.lm, self.encoder, self.layer, self.max_length = lm, encoder, layer, max_length
        identity = lm.identity
        parts = ["tokens", identity.name, identity.fingerprint, str(layer), str(max_length), str(lm.dtype)]
        self.tokens = StateStore(folder, parts)
        self.sentences = StateStore(folder, ["sentence", encoder.identity.fingerprint]) if encoder else None
        self._explicit: dict[str, Tensor] = {}

    def prepare(self, texts: Sequence[str], progress: Progress) -> None:
        """Encode what is not on disk yet."""

        def report(what: str) -> Callable[[int, int], None]:
            return lambda done, total: progress(what, done, total)

        with self.lm.without_lora():  # the store is named by the frozen weights, so only they may fill it
            store_hidden_states(
                self.tokens, self.lm, self.layer, texts, max_length=self.max_length, progress=report("reading texts")
            )
        if self.sentences is not None and self.encoder is not None:
            store_embeddings(self.sentences, self.encoder, texts, progress=report("embedding texts"))

    def __call__(self, texts: Sequence[str]) -> TextBatch:
        """The views of texts that `prepare` has seen, where the backbone is."""
        stored = self.tokens.get(texts)
        parts = (stored.states, stored.mask, self._named(texts, stored.spans), self.sentence_views(texts))
        return TextBatch(*(part.to(self.lm.device) for part in parts))

    def sentence_views(self, texts: Sequence[str]) -> Tensor:
        """The sentence view alone, [U, d_sentence]."""
        if self.sentences is None:
            return torch.zeros(len(texts), 0)
        return self.sentences.get(texts).states[:, 0]

    def _named(self, texts: Sequence[str], spans: Tensor) -> Tensor:
        """Explicit tokens; a text's answer is kept, it is asked for in every epoch."""
        for row, text in enumerate(texts):
            if text not in self._explicit:
                self._explicit[text] = explicit_tokens([text], spans[row : row + 1])[0].clone()
        mask = torch.zeros(spans.shape[:2], dtype=torch.bool)
        for row, text in enumerate(texts):
            kept = self._explicit[text][: spans.size(1)]
            mask[row, : len(kept)] = kept
        return mask
