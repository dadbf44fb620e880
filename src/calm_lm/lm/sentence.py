"""Sentence embeddings by the plain recipe: mean of the token states, then unit length.

The recipe of all-MiniLM-L6-v2 and of most sentence-transformers models (Reimers and Gurevych 2019,
arXiv:1908.10084, section 3). Models that pool otherwise are refused, not pooled wrongly.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from calm_lm.errors import CalmError
from calm_lm.files import read_json
from calm_lm.lm.embedded import Notify, be_silent, embedded_encoder_folder
from calm_lm.lm.folders import find_and_identify
from calm_lm.lm.loading import load_tokenizer, load_weights
from calm_lm.lm.protocol import ModelIdentity
from calm_lm.lm.tokens import read_window, tokenize


class MeanPoolEncoder:
    """A sentence encoder, frozen and in evaluation mode.

    Args:
        model: an encoder of transformers.
        tokenizer: its fast tokenizer.
        identity: who it is.
        max_length: tokens read of a text; the rest is cut off.

    Attributes:
        identity: name, fingerprint, languages, licence.
        d_embed: width of the embeddings.
    """

    def __init__(self, model: Any, tokenizer: Any, identity: ModelIdentity, max_length: int) -> None:
        self.model, self.tokenizer = model.eval().requires_grad_(False), tokenizer
        self.identity, self.max_length = identity, max_length
        self.d_embed = int(model.config.get_text_config().hidden_size)

    @classmethod
    def load(
        cls,
        name: str,
        *,
        revision: str | None = None,
        device: str = "cpu",
        dtype: str = "float32",
        local_files_only: bool = False,
        notify: Notify | None = None,
    ) -> Self:
        """Load an encoder by hub name, local path, or `embedded` (all-MiniLM-L6-v2).

        Raises:
            CalmError: L01 to L13 as for a language model, L33 for a model that does not pool by the mean.
        """
        folder, identity = find_and_identify(
            name,
            embedded=embedded_encoder_folder,
            revision=revision,
            local_files_only=local_files_only,
            notify=notify or be_silent,
        )
        _check_recipe(folder.path)
        model, tokenizer = load_weights(folder.path, device=device, dtype=dtype), load_tokenizer(folder.path)
        return cls(model, tokenizer, identity, _read_max_length(folder.path, read_window(model, tokenizer)))

    def embed(self, texts: Sequence[str], *, batch_size: int = 32) -> Tensor:
        """Unit-length embeddings of `texts`, float32 [N, d_embed], on the model's device, without gradient.

        Texts are encoded longest first, so that batches carry little padding; the order given is kept.

        Raises:
            CalmError: L14 and L15 for unreadable or empty texts.
        """
        vectors = torch.zeros(len(texts), self.d_embed, device=self.model.device)
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            vectors[chosen] = self._embed_batch([texts[i] for i in chosen])
        return vectors

    def _embed_batch(self, texts: Sequence[str]) -> Tensor:
        batch = tokenize(self.tokenizer, texts, self.max_length)
        ids, mask = batch.ids.to(self.model.device), batch.mask.to(self.model.device)
        with torch.no_grad():
            states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weight = mask.unsqueeze(-1).to(states)
        return F.normalize((states * weight).sum(1) / weight.sum(1), dim=-1)


def _check_recipe(folder: Path) -> None:
    """Refuse a folder of sentence-transformers whose modules are not transformer, mean pooling, unit length."""
    if (folder / "modules.json").is_file():
        kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in read_json(folder / "modules.json")]
        if not set(kinds) <= {"Transformer", "Pooling", "Normalize"}:
            _refuse(folder, ", ".join(kinds))
    if (folder / "1_Pooling" / "config.json").is_file():
        config = read_json(folder / "1_Pooling" / "config.json")
        chosen = sorted(key for key, value in config.items() if key.startswith("pooling_mode") and value)
        if chosen != ["pooling_mode_mean_tokens"] and config.get("pooling_mode") != "mean":
            _refuse(folder, ", ".join(chosen))


def _refuse(folder: Path, value: str) -> None:
    raise CalmError(
        "L33",
        "this encoder does not embed by the mean of its token states.",
        file=folder,
        value=value,
        fix="choose a mean-pooling encoder such as `embedded` or sentence-transformers/all-MiniLM-L6-v2.",
    )


def _read_max_length(folder: Path, window: int) -> int:
    """The length that sentence-transformers would cut at, never above the model's window."""
    path = folder / "sentence_bert_config.json"
    stated = read_json(path).get("max_seq_length") if path.is_file() else None
    return min(int(stated), window) if stated else window
