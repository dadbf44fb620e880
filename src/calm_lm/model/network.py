"""The CALM network: every stage in its order, from the backbone's states to a reflected answer."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_lm.model.alignment import IdentityPool
from calm_lm.model.batch import Encoding, Reading, TextBatch
from calm_lm.model.clusters import Clusterer, cluster_sums
from calm_lm.model.config import ModelConfig, Sizes
from calm_lm.model.contrast import ContrastiveWindow
from calm_lm.model.evidence import EvidenceReader, EvidenceRows, RecordStates
from calm_lm.model.experts import CultureExperts
from calm_lm.model.fusion import IdentityFusion
from calm_lm.model.layers import StateScale, weighted_mean
from calm_lm.model.probe import LinearProbe
from calm_lm.model.profile import ReaderProfile
from calm_lm.model.reflection import Calibration
from calm_lm.model.space import CognitiveSpace, channel_weights
from calm_lm.model.vote import NormVote


class Identity(NamedTuple):
    """A fused state: `pooled` [B, d_model] backbone mean, `delta` [B, d_model] what culture added to it."""

    pooled: Tensor
    delta: Tensor


class CalmNetwork(nn.Module):
    """All trained parts of CALM over a backbone's states at the read layer."""

    references: Tensor
    class_means: Tensor

    def __init__(self, config: ModelConfig, sizes: Sizes) -> None:
        super().__init__()
        self.config, self.sizes = config, sizes
        d, hidden, drop = config.width, config.mlp_hidden, config.dropout
        self.scale = StateScale(sizes.d_model)
        self.pooled_scale = StateScale(sizes.d_model)
        self.sentence_scale = StateScale(sizes.d_sentence)
        self.profile = ReaderProfile(sizes.n_readers, config.profile_tokens, sizes.d_model)
        self.space = CognitiveSpace(sizes.d_model, hidden, d, drop)
        self.window = ContrastiveWindow(d, hidden, drop)
        self.cluster_explicit = Clusterer(d, config.cluster_hidden, config.n_clusters, drop, config.noise)
        self.cluster_latent = Clusterer(d, config.cluster_hidden, config.n_clusters, drop, config.noise)
        self.pool = IdentityPool(d, config.alignment_heads, config.cross_attention)
        self.experts = CultureExperts(config)
        self.fusion = IdentityFusion(sizes.d_model, d, hidden, drop)
        self.calibration = Calibration(d, hidden, drop)
        beside = d if config.fusion else 2 * d
        self.head = nn.Linear(sizes.d_model + beside + sizes.d_sentence, sizes.n_labels)
        self.probe: LinearProbe | None = None
        if config.probe:
            self.probe = LinearProbe(sizes.d_model + sizes.d_sentence, sizes.n_readers, sizes.n_labels)
            nn.init.zeros_(self.head.weight)  # the stages add to the probe, and begin by adding nothing
            nn.init.zeros_(self.head.bias)
        self.evidence: EvidenceReader | None = None
        if sizes.evidence:  # last, so that a network without it draws the same first weights
            self.evidence = EvidenceReader(sizes.d_model + sizes.d_sentence, hidden, d, drop)
        self.vote = NormVote(sizes.d_sentence, sizes.n_labels) if sizes.evidence and sizes.d_sentence else None
        n_pairs = max(1, config.n_dimensions * (config.n_dimensions - 1) // 2)
        n_prompts = (sizes.n_readers + 1) * n_pairs * sizes.n_labels
        # Fitted once when training ends, kept with the weights: states of the self-prompts, class means.
        self.register_buffer("references", torch.zeros(n_prompts, d))
        self.register_buffer("class_means", torch.zeros(sizes.n_cultures, d))

    # -- stages 1 to 3 -------------------------------------------------------------------------------

    def encode(self, rows: Reading, temperature: float) -> Encoding:
        """Identity states of B rows; token-wise work is done once per text and once per profile."""
        texts = rows.texts
        salience = self.config.explicit_salience
        text = self.space(self.scale(texts.tokens))  # 3 x [U, T, d]
        profile_tokens, profile_mask = self.profile(rows.profiles)
        reader = self.space(profile_tokens)  # 3 x [V, P, d]
        weight_explicit, weight_latent = channel_weights(texts.mask, texts.explicit, salience)

        def pooled(text_values: Tensor, text_weights: Tensor, reader_values: Tensor) -> Tensor:
            return _joint_mean(rows, text_values, text_weights, reader_values, profile_mask.to(text_values.dtype))

        task = pooled(text.task, texts.mask.to(text.task.dtype), reader.task)
        explicit = pooled(text.explicit, weight_explicit, reader.explicit)
        latent = pooled(text.latent, weight_latent, reader.latent)

        def clustered(clusterer: Clusterer, text_values: Tensor, reader_values: Tensor) -> tuple[Tensor, Tensor]:
            assigned = clusterer(text_values, texts.mask, temperature)
            assigned_reader = clusterer(reader_values, profile_mask, temperature)
            sums, mass = cluster_sums(text_values, assigned)
            reader_sums, reader_mass = cluster_sums(reader_values, assigned_reader)
            total = (mass[rows.text_of] + reader_mass[rows.profile_of]).clamp_min(1e-6)
            return (sums[rows.text_of] + reader_sums[rows.profile_of]) / total.unsqueeze(-1), assigned

        clusters_explicit, assigned_explicit = clustered(self.cluster_explicit, text.explicit, reader.explicit)
        clusters_latent, assigned_latent = clustered(self.cluster_latent, text.latent, reader.latent)
        if self.config.channels == "explicit":
            latent, clusters_latent = explicit, clusters_explicit
        elif self.config.channels == "latent":
            explicit, clusters_explicit = latent, clusters_latent

        aligned = self.pool(clusters_latent, clusters_explicit)
        answered, routing = self.experts(aligned)
        state = (aligned + answered).mean(1)
        return Encoding(
            task, explicit, latent, clusters_explicit, clusters_latent, aligned, state, routing,
            assigned_explicit, assigned_latent,
        )  # fmt: skip

    # -- fusion and answer ---------------------------------------------------------------------------

    def pool_texts(self, texts: TextBatch) -> Tensor:
        """The backbone's own view: mean state over real tokens, [U, d_model]."""
        return weighted_mean(texts.tokens, texts.mask)

    def fuse(self, state: Tensor, pooled: Tensor) -> Identity:
        """Fuse states [B, d] with pooled backbone states [B, d_model]."""
        if not self.config.fusion:
            return Identity(pooled, torch.zeros_like(pooled))
        return Identity(pooled, self.fusion(state, self.pooled_scale(pooled), self.pooled_scale))

    def condition(self, tokens: Tensor, identity: Identity) -> Tensor:
        """Token states [B, T, d_model] with the identity added; equal to the input before the first step."""
        return tokens + identity.delta.unsqueeze(1)

    def probe_views(self, pooled: Tensor, sentence: Tensor) -> Tensor:
        """What the probe reads: scaled backbone means [N, d_model] and sentence views, [N, d_model + d_sentence]."""
        return torch.cat([self.pooled_scale(pooled), self.sentence_scale(sentence)], -1)

    def views_of(self, texts: TextBatch) -> Tensor:
        """The same of U texts, [U, d_model + d_sentence]."""
        return self.probe_views(self.pool_texts(texts), texts.sentence)

    def answer(self, rows: Reading, state: Tensor, identity: Identity, task: Tensor) -> Tensor:
        """Label logits [B, n_labels]: what the probe says, and what identity, task and sentence view add."""
        sentence = rows.texts.sentence[rows.text_of]
        views = [self.pooled_scale(identity.pooled + identity.delta), task, self.sentence_scale(sentence)]
        if not self.config.fusion:
            views.insert(1, state)
        logits: Tensor = self.head(F.dropout(torch.cat(views, -1), self.config.view_dropout, self.training))
        if self.probe is not None:
            logits = logits + self.probe(self.probe_views(identity.pooled, sentence), rows.profiles[rows.profile_of])
        return logits

    def read_records(self, situations: Tensor, norms: Tensor, phrases: Tensor) -> RecordStates:
        """States of n norm records.

        Args:
            situations: their views, [n, d_model + d_sentence].
            norms: the same of what holds there.
            phrases: the norms' sentence embeddings, [n, d_sentence].
        """
        assert self.evidence is not None
        return self.evidence.read(situations, norms, phrases)

    def ground(self, rows: Reading, state: Tensor, reference: Tensor, evidence: EvidenceRows | None) -> Tensor:
        """What each row is calibrated to, [B, d]: its self-prompt and, where it has some, its evidence."""
        if evidence is None:
            return reference
        assert self.evidence is not None
        grounded: Tensor = self.evidence(self.views_of(rows.texts)[rows.text_of], state, reference, evidence)
        return grounded

    def hear_norms(self, logits: Tensor, evidence: EvidenceRows | None) -> tuple[Tensor, Tensor | None]:
        """Second logits [B, n_labels] with what cited norms say for each label, and how far they are trusted [B].

        The latter is None where there is no evidence or no vote was fitted.
        """
        if evidence is None or self.vote is None or not self.vote.fitted:
            return logits, None
        heard, trust = self.vote(logits, evidence)
        return heard, trust

    def calibrate(self, state: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Move identity states towards what self-prompt and evidence say; also the mean gate [B]."""
        moved, gate = self.calibration(state, reference)
        return moved, gate


def _joint_mean(rows: Reading, text: Tensor, text_weights: Tensor, reader: Tensor, reader_weights: Tensor) -> Tensor:
    """Weighted mean over a row's text tokens and profile tokens together, [B, d]."""
    text_sum = torch.bmm(text_weights.unsqueeze(1), text).squeeze(1)
    reader_sum = torch.bmm(reader_weights.unsqueeze(1), reader).squeeze(1)
    total = text_weights.sum(1)[rows.text_of] + reader_weights.sum(1)[rows.profile_of]
    joint = text_sum[rows.text_of] + reader_sum[rows.profile_of]
    return joint / total.clamp_min(1e-6).unsqueeze(-1)
