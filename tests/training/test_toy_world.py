"""CALM on a world with planted truth: what was planted must be found again, and a control must not find it."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
import transformers
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.decoders import ByteLevel

from calm_lm.culture.blend import Blend
from calm_lm.culture.norms import Evidence, NormStore
from calm_lm.data.toy import Statement, ToyWorld, build_toy_world
from calm_lm.data.toy_words import PLACES
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.model.calm import CalmModel
from calm_lm.model.network import CalmNetwork
from calm_lm.training.presets import build_config
from calm_lm.training.run import Pretrained, fit_model

SEED = 0
# The structure of the preset `small`, narrower; no settling phase, which costs this world half of its steps.
SMALL_WORLD = {
    "backbone": {"sentence": None},
    "model": {
        "width": 32, "cluster_hidden": 32, "expert_ff": 64, "n_dimensions": 2, "expert_layers": 1,
        "alignment_heads": 4, "expert_heads": 4, "dropout": 0.0,
    },
    "train": {
        "learning_rate": 5e-3, "epochs": 8, "settle": 0.0, "reflect_from": 0.7, "patience": 0, "evaluations": 5,
    },
}  # fmt: skip


@dataclass
class Trained:
    """A model with the losses of its steps, and the processor time that fitting it took, in seconds."""

    model: CalmModel
    steps: list[dict[str, float]]
    seconds: float

    def shares(self, statements: list[Statement], reader: Blend | None, source: Source | None = None) -> np.ndarray:
        """Predicted share that agrees, [N]; of what `source` cites where one is given."""
        self.model.norms = source
        predictions = self.model.predict([s.text for s in statements], [reader] * len(statements))
        return np.array([p.vote_shares["agree"] for p in predictions])

    def states(self, statements: list[Statement], reader: str) -> np.ndarray:
        """Identity states of one reader, [N, d]."""
        weights = self.model.reader_weights([Blend.of(reader)] * len(statements))
        _, answer = self.model.answer(self.model.views([s.text for s in statements]), weights, None)
        return answer.state.double().numpy()


@dataclass
class Source:
    """Norm records in force on one day."""

    store: NormStore
    on: datetime.date
    moved: dict[str, str] | None = None  # a control: search as if the culture were another

    def search(self, text: str, culture: Blend, k: int) -> list[Evidence]:
        if self.moved:
            culture = Blend.of(self.moved[culture.parts[0][0]])
        return self.store.search(text, culture, k, on=self.on)


@pytest.fixture(scope="module")
def toy() -> ToyWorld:
    return build_toy_world(SEED)


@pytest.fixture(scope="module")
def train(toy, tmp_path_factory) -> Callable[..., Trained]:
    """Fits a model on the toy world over a random language model."""
    pretrained = Pretrained(_random_lm([s.text for wave in toy.statements.values() for s in wave]), None)

    def fit(*overrides: str, dataset=None, readers=True, **more) -> Trained:
        folder = tmp_path_factory.mktemp("run")
        config = build_config(SMALL_WORLD, [*overrides, f"readers={json.dumps(readers)}"])
        begun = time.process_time()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CALM_CACHE", str(folder / "cache"))
            model = fit_model(config, dataset or toy.dataset(), pretrained, seed=SEED, folder=folder, **more)
        seconds = time.process_time() - begun
        lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
        return Trained(model, [line for line in lines if "loss" in line], seconds)

    return fit


@pytest.fixture(scope="module")
def trained(train) -> Trained:
    return train()


@pytest.fixture(scope="module")
def unseen(toy) -> list[Statement]:
    """Texts of the first wave that no model was trained on."""
    return _test_texts(toy, 1)


# -- 1: vote shares ----------------------------------------------------------------------------------


def test_vote_shares_come_close_to_the_planted_ones(toy, trained, unseen):
    truth = _truth(toy, unseen)
    floor = _entropy(truth)
    blind = _cross_entropy(truth, np.repeat(truth.mean(1, keepdims=True), truth.shape[1], axis=1))  # the best there is
    found = np.stack([trained.shares(unseen, Blend.of(c)) for c in toy.cultures], axis=1)
    permuted = np.roll(found, 1, axis=1)
    assert _cross_entropy(truth, found) < floor + 0.5 * (blind - floor)
    assert _cross_entropy(truth, permuted) > blind


def test_the_world_is_learned_in_two_minutes(trained):
    assert trained.seconds < 120  # of the processor: a machine that is busy with other work is not slower


@pytest.mark.slow
def test_culture_blind_calm_stays_behind_the_best_blind_answer(toy, train, unseen):
    truth = _truth(toy, unseen)
    blind = train("train.epochs=4", readers=False).shares(unseen, None)
    assert _cross_entropy(truth, np.repeat(blind[:, None], truth.shape[1], axis=1)) > _cross_entropy(
        truth, np.repeat(truth.mean(1, keepdims=True), truth.shape[1], axis=1)
    )


def test_contrastive_window_tells_readers_apart_although_some_rows_are_read_without_theirs(trained):
    last = trained.steps[-20:]
    assert np.mean([step["contrast_explicit"] + step["contrast_latent"] for step in last]) < 0.1


# -- 2: geometry -------------------------------------------------------------------------------------


def test_identity_states_stand_as_the_cultures_do(toy, trained, unseen):
    states = np.stack([trained.states(unseen, culture) for culture in toy.cultures])
    found = np.linalg.norm(states[:, None] - states[None], axis=-1).mean(-1)
    assert _rank_correlation(found, toy.distances()) > 0.5
    numbers = range(len(toy.cultures))
    shuffled = [_rank_correlation(found[np.ix_(p, p)], toy.distances()) for p in permutations(numbers)]
    assert abs(np.mean(shuffled)) < 0.05
    assert np.mean(np.array(shuffled) >= shuffled[0]) < 0.05  # the first permutation moves nobody
    assert _same_parts(_two_clusters(found), toy.families)


# -- 3: explicit tokens ------------------------------------------------------------------------------


def test_explicit_channel_reads_the_names_of_cultures_and_nothing_else(toy, trained, unseen):
    named = next(s for s in unseen if s.named)
    tokens = trained.model.inspect(named.text, Blend.of(toy.cultures[0])).tokens
    place = PLACES[toy.cultures.index(named.author)]
    assert "".join(t.token for t in tokens if t.explicit).split() == place.split()
    unnamed = next(s for s in unseen if not s.named)
    assert not any(t.explicit for t in trained.model.inspect(unnamed.text, Blend.of(toy.cultures[0])).tokens)


def test_explicit_channel_keeps_still_when_only_other_words_change(toy, trained, unseen, monkeypatch):
    named = next(s for s in unseen if s.named)
    other = named.text.replace(named.cues[0], toy.words.fillers[0])
    weights = trained.model.reader_weights([Blend.of(toy.cultures[0])] * 2)

    def moved() -> float:
        encoding = trained.model.encode(trained.model.views([named.text, other]), weights)
        return float((encoding.explicit[0] - encoding.explicit[1]).norm() / encoding.explicit[0].norm())

    with torch.inference_mode():
        # In a causal model a name's state takes in what stands before it, so the channel is still, not frozen.
        salient = moved()
        network = trained.model.network
        assert isinstance(network, CalmNetwork)
        monkeypatch.setattr(network, "config", network.config.model_copy(update={"explicit_salience": False}))
        assert salient < 0.5 * moved()


# -- 4: experts --------------------------------------------------------------------------------------


def test_no_expert_collapses(toy, trained, unseen):
    assert min(step["load_entropy"] for step in trained.steps) > 0.6
    assert _experts_used(toy, trained, unseen).min() > 0


@pytest.mark.slow
def test_without_the_balance_loss_decisive_routers_collapse(toy, train, unseen):
    collapsed = train("train.weights.balance=0", "train.weights.dispatch=1", "train.epochs=3")
    assert min(step["load_entropy"] for step in collapsed.steps) < 0.6
    assert _experts_used(toy, collapsed, unseen).min() == 0


# -- 5: blends ---------------------------------------------------------------------------------------


def test_a_blend_is_read_between_its_cultures(toy, trained, unseen):
    ends = {c: trained.shares(unseen, Blend.of(c)) for c in toy.cultures}
    of_blend, of_ends, between = [], [], []
    for first, second in combinations(toy.cultures, 2):
        blend = Blend(((first, 0.5), (second, 0.5)))
        truth = np.array([toy.vote_share(s.id, blend) for s in unseen])
        found = trained.shares(unseen, blend)
        of_blend.append(np.abs(found - truth).mean())
        of_ends += [np.abs(ends[c] - truth).mean() for c in (first, second)]
        low, high = np.minimum(ends[first], ends[second]), np.maximum(ends[first], ends[second])
        between.append(np.mean((found > low - 0.02) & (found < high + 0.02)))
    assert np.mean(of_blend) < 0.12
    assert np.mean(of_blend) < 0.75 * np.mean(of_ends)  # the control: answering for one of the two
    assert np.mean(between) > 0.85


# -- 6: drift and dated norms ------------------------------------------------------------------------


def test_a_model_of_the_first_wave_ages_as_its_cultures_drifted(toy, trained, unseen):
    later = _test_texts(toy, 2)
    aged, planted = _excess(toy, trained, later), _planted_cost(toy, later)
    assert aged.mean() > 1.5 * _excess(toy, trained, unseen).mean()
    topics = np.array([s.topic for s in later])
    cells = [(aged[topics == t].mean(0), planted[topics == t].mean(0)) for t in range(len(toy.topics))]
    found, cost = np.ravel([cell[0] for cell in cells]), np.ravel([cell[1] for cell in cells])
    strength = spearmanr(found, cost).statistic
    rng = np.random.default_rng(0)
    assert strength > 0.5
    assert max(spearmanr(rng.permutation(found), cost).statistic for _ in range(200)) < strength
    still = [toy.drift_of(culture) == 0 for culture in toy.cultures]
    assert aged[:, still].mean() < 1.5 * _excess(toy, trained, unseen)[:, still].mean() + 0.02


@pytest.fixture(scope="module")
def grounded(toy, train) -> Trained:
    """A model that often has to do without its reader and may cite the norms of the first wave."""
    overrides = ("model.reader_dropout=0.5", "train.reflect_from=0.3", "train.weights.reflect=1")
    return train(*overrides, norms=Source(toy.norms(), toy.date_of(1)))


@pytest.mark.slow
def test_norm_records_tell_whose_culture_reads(toy, grounded, unseen):
    """Records reach the answer: those of another culture cost."""
    truth = _truth(toy, unseen)
    moved = dict(zip(toy.cultures, (*toy.cultures[3:], *toy.cultures[:3]), strict=True))
    own, wrong = (
        np.stack(
            [grounded.shares(unseen, Blend.of(c), Source(toy.norms(), toy.date_of(1), m)) for c in toy.cultures], 1
        )
        for m in (None, moved)
    )
    assert _cross_entropy(truth, own) < _cross_entropy(truth, wrong) - 0.02


@pytest.mark.slow
def test_norms_of_the_new_wave_undo_drift(toy, grounded):
    """Records reach the answer by what they say: a later date's undo what the model learned of an earlier one."""
    later = _test_texts(toy, 2)
    truth = _truth(toy, later)
    old, new = (
        np.stack([grounded.shares(later, Blend.of(c), Source(toy.norms(), toy.date_of(w))) for c in toy.cultures], 1)
        for w in (1, 2)
    )
    assert _cross_entropy(truth, new) < _cross_entropy(truth, old) - 0.01


# -- 7: authors --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_authors_are_inferred_and_confidence_means_what_it_says(toy, train, unseen):
    model = train("train.epochs=30", dataset=toy.dataset(contrast="author")).model
    right, sure = _infer(model, unseen, [s.text for s in unseen])
    best = np.mean([toy.cultures[int(toy.author_posterior(s.id).argmax())] == s.author for s in unseen])
    assert 0.75 * best < right.mean() <= best + 0.05
    assert right.mean() > 3 / len(toy.cultures)
    assert _calibration_error(right, sure) < 0.15
    named = [s for s in unseen if s.named]
    hidden = [s.text.partition(" in ")[0] + "." for s in named]
    assert _infer(model, named, [s.text for s in named])[0].mean() > 0.9
    assert _infer(model, named, hidden)[0].mean() < 0.8  # the control: cues alone do not tell as much


# -- helpers -----------------------------------------------------------------------------------------


def _random_lm(texts: list[str]) -> HuggingFaceLM:
    """A language model that never learned anything; its tokenizer knows the toy world's words."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", model_max_length=256
    )
    config = transformers.LlamaConfig(
        hidden_size=64, intermediate_size=128, num_attention_heads=4, num_key_value_heads=4, vocab_size=700,
        num_hidden_layers=2, max_position_embeddings=256, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        model = transformers.LlamaForCausalLM(config)
        torch.nn.init.normal_(model.model.embed_tokens.weight)
    return HuggingFaceLM(model, tokenizer)


def _test_texts(toy: ToyWorld, wave: int) -> list[Statement]:
    return [toy.statement(name) for name in dict.fromkeys(row.group for row in toy.dataset(wave).splits["test"])]


def _truth(toy: ToyWorld, statements: list[Statement], wave: int | None = None) -> np.ndarray:
    """Planted shares, [N, C]."""
    return np.array([[toy.vote_share(s.id, culture, wave) for culture in toy.cultures] for s in statements])


def _row_costs(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    found = found.clip(1e-6, 1 - 1e-6)
    return -(truth * np.log(found) + (1 - truth) * np.log(1 - found))


def _cross_entropy(truth: np.ndarray, found: np.ndarray) -> float:
    return float(_row_costs(truth, found).mean())


def _entropy(truth: np.ndarray) -> float:
    return _cross_entropy(truth, truth)


def _excess(toy: ToyWorld, trained: Trained, statements: list[Statement]) -> np.ndarray:
    """What the model pays above the planted entropy, [N, C]."""
    truth = _truth(toy, statements)
    found = np.stack([trained.shares(statements, Blend.of(c)) for c in toy.cultures], axis=1)
    return _row_costs(truth, found) - _row_costs(truth, truth)


def _planted_cost(toy: ToyWorld, statements: list[Statement]) -> np.ndarray:
    """What somebody who knows the first wave exactly pays on texts of the second, [N, C]."""
    truth = _truth(toy, statements)
    return _row_costs(truth, _truth(toy, statements, 1)) - _row_costs(truth, truth)


def _rank_correlation(found: np.ndarray, planted: np.ndarray) -> float:
    upper = np.triu_indices(len(planted), 1)
    return float(spearmanr(found[upper], planted[upper]).statistic)


def _two_clusters(distances: np.ndarray) -> list[int]:
    return fcluster(linkage(squareform(distances, checks=False), "average"), 2, "maxclust").tolist()


def _same_parts(first: list[int], second: tuple[int, ...]) -> bool:
    return all((first[i] == first[j]) == (second[i] == second[j]) for i, j in combinations(range(len(first)), 2))


def _experts_used(toy: ToyWorld, trained: Trained, statements: list[Statement]) -> np.ndarray:
    """How often each expert answered, [C, E]."""
    model, texts = trained.model, [s.text for s in statements]
    chosen = []
    for culture in toy.cultures:
        weights = model.reader_weights([Blend.of(culture)] * len(texts))
        chosen.append(model.answer(model.views(texts), weights, None)[0].routing.chosen)
    return torch.nn.functional.one_hot(torch.cat(chosen), model.manifest.model.n_experts).sum((0, 2)).numpy()


def _infer(model: CalmModel, statements: list[Statement], texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Whether the inferred author is right and how sure the model is, [N] twice."""
    inferred = [p.inferred for p in model.predict(texts, [None] * len(texts))]
    right = [i.culture == s.author for i, s in zip(inferred, statements, strict=True)]
    return np.array(right, dtype=float), np.array([i.confidence for i in inferred])


def _calibration_error(right: np.ndarray, sure: np.ndarray) -> float:
    """Expected calibration error over ten bins of equal width."""
    bins = np.minimum((sure * 10).astype(int), 9)
    return float(sum(abs(right[bins == b].mean() - sure[bins == b].mean()) * np.mean(bins == b) for b in set(bins)))
