"""`CalmModel`: a backbone, the trained network over it, and everything needed to answer for a reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from calm_lm.culture.blend import Blend
from calm_lm.culture.dimensions import DIMENSIONS
from calm_lm.culture.ids import display_name, nearest_ids
from calm_lm.errors import CalmError
from calm_lm.lm.batching import length_sorted_batches, run_by_length
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.lm.sentence import MeanPoolEncoder
from calm_lm.model.answers import Inspection, Prediction
from calm_lm.model.batch import Encoding, Reading, TextBatch, reading
from calm_lm.model.evidence import EvidenceRows
from calm_lm.model.explain import explain_row, inspect_row, trace_tokens
from calm_lm.model.loop import Answer, EncodedPrompts, StatesOf, encode_prompts, reflect
from calm_lm.model.manifest import CalmManifest, Weights
from calm_lm.model.nearest_norms import NearestNorms, by_meaning
from calm_lm.model.network import CalmNetwork
from calm_lm.model.norms import Found, NormSource, RecordShelf, cite, refuse_norms
from calm_lm.model.reflection import SelfPrompts, build_self_prompts
from calm_lm.model.views import LiveViews

if TYPE_CHECKING:
    from calm_lm.model.rationale import Rationale

EVIDENCE = 3  # norm records a reflection may cite


class CalmModel:
    """A culturally self-aware classifier over a frozen or LoRA-adapted language model.

    Build one by training (`calm_lm.training.fit`) or with `from_pretrained`.

    Args:
        manifest: shapes, vocabularies, calibration and provenance.
        network: the trained stages.
        lm: the backbone; LoRA, if any, already attached.
        encoder: the sentence encoder, None without a sentence view.

    Raises:
        CalmError: M21 to M23 for a backbone of another width or too few layers, or LoRA above the layer that is read.

    Example:
        >>> model = CalmModel.from_pretrained("runs/crehate/seed-0/model")  # doctest: +SKIP
        >>> model.predict(["..."], [Blend.parse("SG=0.5,AU=0.5")])[0].vote_shares  # doctest: +SKIP
    """

    def __init__(
        self, manifest: CalmManifest, network: CalmNetwork, lm: HuggingFaceLM, encoder: MeanPoolEncoder | None
    ) -> None:
        self.manifest, self.network, self.lm, self.encoder = manifest, network, lm, encoder
        config = manifest.backbone
        if manifest.sizes.d_model != lm.d_model:
            problem = f"the model reads states of width {manifest.sizes.d_model}, the backbone's are {lm.d_model}."
            raise CalmError("M21", problem, field="sizes.d_model", fix="use the backbone it was trained on.")
        self.read_layer = config.layer_to_read(lm.n_layers)
        if max(self.read_layer, config.inject_layer or 1) > lm.n_layers:
            raise CalmError(
                "M22",
                f"the backbone has layers 1 to {lm.n_layers}.",
                field="backbone.read_layer" if self.read_layer > lm.n_layers else "backbone.inject_layer",
                value=max(self.read_layer, config.inject_layer or 1),
                fix="choose one of them.",
            )
        if config.adapt_layers and config.adapt_layers[1] > self.read_layer:
            raise CalmError(
                "M23", f"LoRA above layer {self.read_layer}, which is read, would change nothing.",
                field="backbone.adapt_layers", value=config.adapt_layers,
                fix="end adapt_layers at the read layer or below.",
            )  # fmt: skip
        self.base_layer = config.adapt_layers[0] if config.adapt_layers else self.read_layer
        self.views = LiveViews(lm, encoder, self.base_layer, config.max_length)
        self.dimensions = tuple(d.name for d in DIMENSIONS[: manifest.model.n_dimensions])
        self.prompts: SelfPrompts = build_self_prompts(
            manifest.readers, tuple(display_name(r) for r in manifest.readers), manifest.labels, self.dimensions
        )
        self._norms: NormSource | None = None
        self._search: NormSource | None = None
        self._shelf = RecordShelf(network, self.views)

    # -- loading and saving --------------------------------------------------------------------------

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        revision: str | None = None,
        local_files_only: bool = False,
        device: str | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> Self:
        """Load a saved model from a folder or a hub name; see `storage.load_model` for what is refused."""
        from calm_lm.model.storage import load_model

        model = load_model(folder, revision=revision, local_files_only=local_files_only, device=device, notify=notify)
        assert isinstance(model, cls)
        return model

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json`, `model.safetensors` and the model card; see `storage.save_model`."""
        from calm_lm.model.storage import save_model

        save_model(self, Path(folder))

    def push_to_hub(self, name: str, *, private: bool = True, accept_licence: bool = False) -> str:
        """Upload to the hub; refused for non-commercial or undeclared training data unless accepted."""
        from calm_lm.model.storage import push_model

        return push_model(self, name, private=private, accept_licence=accept_licence)

    # -- evidence ------------------------------------------------------------------------------------

    @property
    def norms(self) -> NormSource | None:
        """Where reflection looks for norm records; None reflects on self-prompts alone.

        Raises:
            CalmError: M30 for a model that was trained without any.
        """
        return self._norms

    @norms.setter
    def norms(self, source: NormSource | None) -> None:
        if source is not None:
            refuse_norms(self.manifest.sizes)
        self._norms, self._shelf = source, RecordShelf(self.network, self.views)
        self._search = by_meaning(source, self.encoder)

    def cite(
        self,
        texts: Sequence[str],
        text_of: Tensor,
        cultures: Sequence[Blend | None],
        sentences: Tensor | None = None,
        k: int = EVIDENCE,
    ) -> list[list[Found]]:
        """Norm records for rows of texts, by meaning where there is a sentence view, by words elsewhere.

        Args:
            texts: U texts.
            text_of: [B] which of them each row is.
            cultures: B blends; a row without a culture gets none.
            sentences: the texts' embeddings [U, d_sentence] where they are there already.
            k: records for a row, at most.
        """
        if self._search is None:
            return [[] for _ in cultures]
        if isinstance(self._search, NearestNorms):
            self._search.know(texts, sentences)
        return cite(self._search, [texts[i] for i in text_of.tolist()], cultures, k)

    # -- the forward pass ----------------------------------------------------------------------------

    def reader_weights(self, readers: Sequence[Blend | None]) -> Tensor:
        """Blends as weights over the model's readers, [B, n_readers].

        Raises:
            CalmError: M01 for a reader the model was not trained with.
        """
        known = {culture: i for i, culture in enumerate(self.manifest.readers)}
        weights = torch.zeros(len(readers), len(known))
        for row, blend in enumerate(readers):
            for culture, weight in blend.parts if blend else ():
                if culture not in known:
                    raise CalmError(
                        "M01",
                        f"this model has no reader of that id; it knows {', '.join(known) or 'none'}.",
                        field="culture",
                        value=culture,
                        fix=f"use {' or '.join(nearest_ids(culture, list(known))[:2]) or 'no culture'}, "
                        "or train with rows of that reader.",
                    )
                weights[row, known[culture]] = weight
        return weights

    def blends(self, weights: Tensor) -> list[Blend | None]:
        """The other way round: rows of weights [B, n_readers] as blends, None for a row of zeros."""
        names = self.manifest.readers
        parts = [tuple((names[i], row[i]) for i in range(len(names)) if row[i] > 0) for row in weights.tolist()]
        return [Blend(part) if part else None for part in parts]

    def encode(self, texts: TextBatch, readers: Tensor, text_of: Tensor | None = None) -> Encoding:
        """Stages 1 to 3 on texts at the base layer; row i reads text `text_of[i]` (default i)."""
        return self.network.encode(self.rows(texts, readers, text_of), self.manifest.model.gumbel_end)

    def rows(self, texts: TextBatch, readers: Tensor, text_of: Tensor | None = None) -> Reading:
        """Rows for the network: adapted layers are run, readers [B, n_readers] become profiles.

        `text_of` [B] says which of the texts each row reads; None is one row a text.
        """
        device = texts.tokens.device
        index = torch.arange(len(readers)) if text_of is None else text_of
        return reading(self.adapt(texts), readers.to(device), index.to(device))

    def adapt(self, texts: TextBatch) -> TextBatch:
        """Run the layers between the base layer and the read layer; without LoRA they are the same."""
        if self.base_layer == self.read_layer:
            return texts

        def run(states: Tensor, mask: Tensor) -> Tensor:
            return self.lm.run_layers(states.to(self.lm.dtype), mask, self.base_layer, self.read_layer).to(states.dtype)

        return texts._replace(tokens=run_by_length(run, texts.tokens, texts.mask))

    def answer(
        self, texts: TextBatch, readers: Tensor, text_of: Tensor | None, evidence: EvidenceRows | None = None
    ) -> tuple[Encoding, Answer]:
        """The whole path for B rows of texts (as `rows` takes them), without gradients and without chance."""
        self.network.eval()
        with torch.inference_mode():
            rows = self.rows(texts, readers, text_of)
            encoding = self.network.encode(rows, self.manifest.model.gumbel_end)
            states_of = StatesOf(self.network, self.network.references, self.manifest.model.gumbel_end)
            rounds = self.manifest.model.reflection_rounds
            return encoding, reflect(self.network, rows, encoding, self.prompts, states_of, evidence, rounds=rounds)

    def settle_references(self, encoded: EncodedPrompts) -> None:
        """Encode every self-prompt once with the final weights; prediction then only looks them up."""
        self.network.eval()
        with torch.inference_mode():
            self.network.references.copy_(encode_prompts(self.network, encoded, self.manifest.model.gumbel_end))

    # -- what a user calls ---------------------------------------------------------------------------

    def predict(self, texts: Sequence[str], readers: Sequence[Blend | None]) -> list[Prediction]:
        """Read `texts[i]` as `readers[i]`; the answer does not depend on what else is in the call.

        Raises:
            CalmError: M01 for an unknown reader, M02 for an empty text, M03 for a model without labels.
        """
        results: list[Prediction | None] = [None] * len(texts)
        for batch in self._batches(texts):
            found, (encoding, answer) = self._answer_texts(texts, readers, batch)
            inferred = self.infer_culture(encoding)
            for place, index in enumerate(batch):
                results[index] = explain_row(self, answer, found, place, readers[index], inferred)
        return [result for result in results if result is not None]

    def inspect(self, text: str, reader: Blend | None) -> Inspection:
        """Everything that led to one answer: tokens, clusters, experts, dimensions, identity, reflection."""
        return self.compare(text, [reader])[0]

    def compare(self, text: str, readers: Sequence[Blend | None]) -> list[Inspection]:
        """The inspection of one text for each of several readers; the backbone reads the text once.

        Raises:
            CalmError: as `predict`.
        """
        self._refuse_unreadable([text])
        texts, spans = self.views.with_spans([text])
        first = torch.zeros(len(readers), dtype=torch.int64)
        found, (encoding, answer) = self._answer_views(texts, first, [text], readers)
        inferred = self.infer_culture(encoding)
        tokens = trace_tokens(text, texts.explicit[0], spans[0], encoding)
        predictions = [explain_row(self, answer, found, i, reader, inferred) for i, reader in enumerate(readers)]
        return [inspect_row(self, tokens, encoding, answer, i, each) for i, each in enumerate(predictions)]

    def rationalise(self, text: str, reader: Blend | None) -> Rationale:
        """Reflection with a generated reason instead of an encoded prompt; slow, see `rationale.rationalise`."""
        from calm_lm.model.rationale import rationalise

        return rationalise(self, text, reader)

    def prompt_slot(self, reader: Blend | None) -> int:
        """The culture whose self-prompt a reader gets in words: the heaviest known one, else the last slot."""
        known = [culture for culture, _ in (reader.parts if reader else ()) if culture in self.manifest.readers]
        return self.manifest.readers.index(known[0]) if known else len(self.manifest.readers)

    def answer_texts(self, texts: Sequence[str], readers: Sequence[Blend | None]) -> tuple[Encoding, Answer]:
        """The network's own tensors for texts read as `readers`, with evidence if there is a norm source."""
        return self._answer_texts(texts, readers, range(len(texts)))[1]

    def infer_culture(self, encoding: Encoding) -> list[tuple[str, float]] | None:
        """The nearest class mean and its calibrated confidence, where culture is not part of the input."""
        if self.manifest.contrast in (None, "reader") or len(self.manifest.cultures) < 2:
            return None
        with torch.inference_mode():
            view, _ = self.network.window(encoding.explicit, encoding.latent)
            cosine = view @ F.normalize(self.network.class_means, dim=-1).t()
            best = (cosine / self.manifest.calibration.culture_temperature).softmax(-1).max(-1)
        names = [self.manifest.cultures[i] for i in best.indices.tolist()]
        return list(zip(names, best.values.tolist(), strict=True))

    def _answer_texts(
        self, texts: Sequence[str], readers: Sequence[Blend | None], batch: Sequence[int]
    ) -> tuple[list[list[Found]], tuple[Encoding, Answer]]:
        chosen = [texts[i] for i in batch]
        self._refuse_unreadable(chosen)
        different = list(dict.fromkeys(chosen))
        text_of = torch.tensor([different.index(text) for text in chosen])
        return self._answer_views(self.views(different), text_of, different, [readers[i] for i in batch])

    def _answer_views(
        self, views: TextBatch, text_of: Tensor, texts: Sequence[str], blends: Sequence[Blend | None]
    ) -> tuple[list[list[Found]], tuple[Encoding, Answer]]:
        """Rows of texts that are encoded already, with evidence if there is a norm source."""
        weights = self.reader_weights(blends)
        found = self.cite(texts, text_of, blends, views.sentence)
        return found, self.answer(views, weights, text_of, self._shelf.evidence(found, EVIDENCE))

    def _refuse_unreadable(self, texts: Sequence[str]) -> None:
        if not self.manifest.labels:
            raise CalmError(
                "M03", "this model was trained without labels and answers nothing.", fix="train with labels."
            )
        for text in texts:
            if not text.strip():
                raise CalmError("M02", "there is nothing to read.", field="text", value=text, fix="give a text.")

    def _batches(self, texts: Sequence[str]) -> list[list[int]]:
        return length_sorted_batches([len(text) // 3 + 2 for text in texts], 2_048)


def weights_of(lm: HuggingFaceLM, encoder: MeanPoolEncoder | None) -> tuple[Weights, Weights | None]:
    """The identities of both pretrained models, in the form that is saved."""
    return Weights.of(lm.identity), Weights.of(encoder.identity) if encoder else None
