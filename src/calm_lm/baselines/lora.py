"""The two matched LoRA baselines: all that CALM gets, without CALM.

Both adapt the layers CALM adapts, with its rank, and read where it reads; mean state and sentence view go through
one hidden layer, as wide as makes LoRA and network together as many trained numbers as CALM's, added to a linear
probe with reader weights as CALM's stages are. They differ in how the reader enters what is learned on top: as a tag
before the text, or as an output layer of the reader's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from calm_lm.baselines.backbone import adapted, untouched
from calm_lm.baselines.features import fit_scale, text_vectors
from calm_lm.baselines.learner import Candidate, Trained, learn, predict, sampler_for, tune
from calm_lm.baselines.predictor import Predictor, calibrated
from calm_lm.baselines.protocol import BaselineInput
from calm_lm.baselines.sizes import calm_parameters
from calm_lm.baselines.view_network import ViewNetwork
from calm_lm.errors import CalmError
from calm_lm.lm.batching import run_by_length
from calm_lm.model.layers import weighted_mean
from calm_lm.model.probe import LinearProbe
from calm_lm.model.storage import attach_lora
from calm_lm.stats.arrays import Floats
from calm_lm.training.material import CachedViews, Rows
from calm_lm.training.probe import TEXTS_AT_ONCE, fit_probe
from calm_lm.training.run import Pretrained, cached_views


def fit_lora_tag(given: BaselineInput, seed: int) -> Predictor:
    """The reader as a tag before the text (`[SG] ...`), one head."""
    return _fit("lora-tag", given, seed, tagged=True)


def fit_lora_heads(given: BaselineInput, seed: int) -> Predictor:
    """The text alone, one head for each reader on a shared hidden layer."""
    return _fit("lora-heads", given, seed, tagged=False)


def _fit(name: str, given: BaselineInput, seed: int, *, tagged: bool) -> Predictor:
    backbone, lm = given.config.backbone, given.pretrained.lm
    if backbone.adapt_layers is None:
        raise CalmError(
            "B02",
            f"{name} adapts the layers that CALM adapts, and this run adapts none.",
            field="backbone.adapt_layers",
            fix="leave the baseline out, or train CALM with adapted layers.",
        )
    sampler, target = sampler_for(given, seed), calm_parameters(given)
    scale = fit_scale(text_vectors(given, given.train.texts, "both")).to(lm.device)
    reader = _AdaptedReader(given, tagged=tagged)
    n_readers, n_labels = given.train.readers.size(1), given.train.shares.size(1)
    probe = LinearProbe(scale.mean.numel(), n_readers, n_labels) if given.config.model.probe else None

    def new_network() -> ViewNetwork:
        return ViewNetwork(
            scale, given.config.model, n_readers=n_readers, n_labels=n_labels, parameters=target,
            reader_heads=not tagged, probe=probe,
        ).to(lm.device)  # fmt: skip

    def attempt(step_size: float) -> Trained:
        with untouched(lm, backbone), torch.random.fork_rng():
            torch.manual_seed(seed)
            lora = attach_lora(lm, backbone, seed=seed)
            return learn(given, sampler, Candidate(new_network(), reader, lora), step_size, f"baseline {name}")

    tried = 0
    reader.prepare(given.train)
    if given.valid is not None:
        reader.prepare(given.valid)
    if probe is not None:
        valid = reader.as_read(given.valid) if given.valid else None
        with untouched(lm, backbone):
            tried = fit_probe(
                probe, lambda texts: scale(reader.views(texts)).cpu().numpy(), reader.as_read(given.train), valid
            )
    best, variants = tune(given, attempt)
    variants += tried
    found = Candidate(best.network, reader, [])

    def logits(rows: Rows) -> Floats:
        reader.prepare(rows)
        with adapted(lm, backbone, best.lora):
            return predict(found, rows)

    trained = sum(p.numel() for p in best.network.parameters()) + sum(t.numel() for t in best.lora.values())
    return calibrated(name, logits, given.valid, parameters=trained, variants=variants)


class _AdaptedReader:
    """Views of rows through the layers that adapt: cached states below them, the rest run anew."""

    def __init__(self, given: BaselineInput, *, tagged: bool) -> None:
        backbone, lm = given.config.backbone, given.pretrained.lm
        assert backbone.adapt_layers is not None
        self.given, self.lm, self.readers = given, lm, given.vocabulary.readers if tagged else ()
        self.first, self.last = backbone.adapt_layers[0], backbone.layer_to_read(lm.n_layers)
        # A tag must not push the end of the text out of the window.
        tags = [len(lm.tokenizer(_tag([(reader, 1.0)]))["input_ids"]) for reader in self.readers]
        room = backbone.model_copy(update={"max_length": backbone.max_length + max(tags, default=0)})
        config = given.config.model_copy(update={"backbone": room})
        self.plain: dict[str, str] = {}  # what is read, without its tag
        self.base: CachedViews = cached_views(config, Pretrained(lm, None))

    def prepare(self, rows: Rows) -> None:
        """Cache the states below the adapted layers."""
        with untouched(self.lm, self.given.config.backbone):
            self.base.prepare(self._texts(rows, range(len(rows.examples))), self.given.progress)

    def __call__(self, rows: Rows, at: Tensor) -> Tensor:
        """Mean state at the read layer and sentence view of rows `at`, [B, d]."""
        texts = self._texts(rows, at.tolist())
        number = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        pooled = self._pooled(list(number))[[number[text] for text in texts]]
        sentence = self.given.views.sentence_views([rows.texts[i] for i in rows.text_of[at].tolist()])
        return torch.cat([pooled, sentence.to(pooled.device)], 1)

    def as_read(self, rows: Rows) -> Rows:
        """The same rows over the texts that are read: one for each tag where readers enter as tags."""
        texts = self._texts(rows, range(len(rows.examples)))
        number = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        self.plain |= {text: rows.texts[i] for text, i in zip(texts, rows.text_of.tolist(), strict=True)}
        return replace(rows, texts=tuple(number), text_of=torch.tensor([number[text] for text in texts]))

    @torch.inference_mode()
    def views(self, texts: Sequence[str]) -> Tensor:
        """The same views of texts as they are read, by the layers as they are now."""
        pieces = [self._pooled(texts[i : i + TEXTS_AT_ONCE]) for i in range(0, len(texts), TEXTS_AT_ONCE)]
        pooled = torch.cat(pieces)
        return torch.cat([pooled, self.given.views.sentence_views([self.plain[t] for t in texts]).to(pooled.device)], 1)

    def _pooled(self, texts: Sequence[str]) -> Tensor:
        stored = self.base.tokens.get(texts)
        mask = stored.mask.to(self.lm.device)
        states = stored.states.to(self.lm.device, self.lm.dtype)
        adapted_states = run_by_length(lambda s, m: self.lm.run_layers(s, m, self.first, self.last), states, mask)
        return weighted_mean(adapted_states.float(), mask)

    def _texts(self, rows: Rows, at: Sequence[int] | range) -> list[str]:
        plain = [rows.texts[int(rows.text_of[i])] for i in at]
        if not self.readers:
            return plain
        shares = [list(zip(self.readers, rows.readers[i].tolist(), strict=True)) for i in at]
        return [_tag(share) + text for share, text in zip(shares, plain, strict=True)]


def _tag(shares: Sequence[tuple[str, float]]) -> str:
    """`[SG] ` for one reader, `[AU=0.5,SG=0.5] ` for a blend, nothing for none."""
    present = [(reader, share) for reader, share in shares if share > 0]
    if len(present) == 1:
        return f"[{present[0][0]}] "
    return f"[{','.join(f'{reader}={share:g}' for reader, share in present)}] " if present else ""
