"""The frozen trunk's states, computed once per text and kept in memory-mapped shards.

A store's folder is named by everything its numbers depend on (weights and tokenizer, layer, length), and a
text by its sha256, so that a store never holds text and never mixes models. Shards are written whole or not
at all: an interrupted encoding goes on where it stopped.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors, sha256_bytes
from calm_lm.lm.batching import length_sorted_batches
from calm_lm.lm.protocol import LanguageModel, SentenceEncoder
from calm_lm.training.tensor_files import write_tensors

SHARD_TOKENS = 65_536
Progress = Callable[[int, int], None]  # texts done, texts in all


class PaddedStates(NamedTuple):
    """States [U, T, d], mask [U, T] bool and character spans [U, T, 2] of a batch of stored texts."""

    states: Tensor
    mask: Tensor
    spans: Tensor


class _Place(NamedTuple):
    shard: int
    start: int
    stop: int


def text_key(text: str) -> str:
    """sha256 of a text, the only thing about it that a store keeps."""
    return sha256_bytes(text.encode("utf-8"))


class StateStore:
    """Rows of vectors per text (tokens of a layer, or one sentence embedding), on disk and memory-mapped.

    Args:
        folder: where stores live.
        parts: what the numbers depend on, as strings; their hash names the store.
    """

    def __init__(self, folder: Path, parts: Sequence[str]) -> None:
        self.folder = folder / sha256_bytes(json.dumps(list(parts)).encode())[:20]
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._states: list[Tensor] = []
        self._spans: list[Tensor] = []
        self._places: dict[str, _Place] = {}
        self.damaged: list[Path] = []
        for path in sorted(self.folder.glob("shard-*.safetensors")):
            self._open(path)

    def __contains__(self, text: str) -> bool:
        return text_key(text) in self._places

    def missing(self, texts: Sequence[str]) -> list[str]:
        """The different texts that are not stored, in their order."""
        return [text for text in dict.fromkeys(texts) if text not in self]

    def add(self, texts: Sequence[str], states: Sequence[Tensor], spans: Sequence[Tensor]) -> None:
        """Write one shard: per text states [T, d] and spans [T, 2]."""
        keys = [text_key(text) for text in texts]
        tensors = {
            "states": torch.cat(list(states)).contiguous(),
            "spans": torch.cat(list(spans)).to(torch.int32).contiguous(),
            "ends": torch.tensor([len(s) for s in states]).cumsum(0),
        }
        path = self.folder / _shard_name(keys)
        write_tensors(path, tensors, {"keys": json.dumps(keys), "crc32": str(_crc(tensors))})
        self._open(path)

    def get(self, texts: Sequence[str]) -> PaddedStates:
        """Right-padded states of stored texts.

        Raises:
            KeyError: for a text that was never added.
        """
        places = [self._places[text_key(text)] for text in texts]
        width = max((place.stop - place.start for place in places), default=0)
        dim = self._states[0].size(1) if self._states else 0
        states = torch.zeros(len(places), width, dim)
        spans = torch.zeros(len(places), width, 2, dtype=torch.int64)
        mask = torch.zeros(len(places), width, dtype=torch.bool)
        for row, place in enumerate(places):
            size = place.stop - place.start
            states[row, :size] = self._states[place.shard][place.start : place.stop]
            spans[row, :size] = self._spans[place.shard][place.start : place.stop].long()
            mask[row, :size] = True
        return PaddedStates(states, mask, spans)

    def _open(self, path: Path) -> None:
        """Map one shard; a damaged one is set aside (its texts are encoded again)."""
        try:
            with safe_open(path, framework="pt") as shard:
                metadata = shard.metadata()
                tensors = {name: shard.get_tensor(name) for name in ("states", "spans", "ends")}
            keys = json.loads(metadata["keys"])
            if int(metadata["crc32"]) != _crc(tensors) or path.name != _shard_name(keys):
                raise ValueError("checksum")
        except (SafetensorError, KeyError, ValueError, TypeError, OSError):
            self.damaged.append(path)
            with disk_errors(path):
                path.unlink(missing_ok=True)
            return
        index = len(self._states)
        self._states.append(tensors["states"])
        self._spans.append(tensors["spans"])
        ends = [0, *tensors["ends"].tolist()]
        for key, start, stop in zip(keys, ends[:-1], ends[1:], strict=True):
            self._places[key] = _Place(index, start, stop)


def _shard_name(keys: Sequence[str]) -> str:
    """Named by the texts it holds, so that a damaged list of keys is noticed too."""
    return f"shard-{sha256_bytes(''.join(keys).encode())[:20]}.safetensors"


def _crc(tensors: dict[str, Tensor]) -> int:
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(tensors[name].numpy().data, value)
    return value


def store_hidden_states(
    store: StateStore, lm: LanguageModel, layer: int, texts: Sequence[str], *, max_length: int, progress: Progress
) -> None:
    """Encode what is missing at one layer, shard by shard."""
    todo = store.missing(texts)
    batches = length_sorted_batches([len(text.encode()) // 3 + 2 for text in todo], 2_048)
    done = len(dict.fromkeys(texts)) - len(todo)
    total = done + len(todo)
    progress(done, total)
    held: list[tuple[str, Tensor, Tensor]] = []
    for number, batch in enumerate(batches):
        chunk = [todo[i] for i in batch]
        out = lm.hidden_states(chunk, [layer], max_length=max_length)
        for row, text in enumerate(chunk):
            real = out.mask[row]
            held.append((text, out.states[0, row][real].float().cpu(), out.spans[row][real].cpu()))
        last = number == len(batches) - 1
        if last or sum(len(states) for _, states, _ in held) >= SHARD_TOKENS:
            store.add(*(list(column) for column in zip(*held, strict=True)))
            held = []
        done += len(batch)
        progress(done, total)


def store_embeddings(store: StateStore, encoder: SentenceEncoder, texts: Sequence[str], *, progress: Progress) -> None:
    """Embed what is missing; an embedding is stored as a text of one token."""
    todo = store.missing(texts)
    total = len(dict.fromkeys(texts))
    for start in range(0, len(todo), 1024):
        chunk = todo[start : start + 1024]
        vectors = encoder.embed(chunk)
        spans = torch.zeros(1, 2, dtype=torch.int32)
        store.add(chunk, [v.unsqueeze(0) for v in vectors], [spans] * len(chunk))
        progress(total - len(todo) + start + len(chunk), total)


def require_stored(store: StateStore, texts: Sequence[str]) -> None:
    """Say which step was left out when texts were never encoded."""
    if missing := store.missing(texts):
        raise CalmError(
            "T01", f"{len(missing)} texts have no cached states.", file=store.folder, fix="encode them first."
        )
