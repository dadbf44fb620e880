"""A tiny backbone and sentence encoder, and a data set with a planted rule that depends on the reader."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

from calm_lm.baselines.protocol import BaselineInput
from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset, Example
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.lm.protocol import ModelIdentity
from calm_lm.lm.sentence import MeanPoolEncoder
from calm_lm.training.material import CachedViews, Rows, Vocabulary, build_rows
from calm_lm.training.presets import build_config
from calm_lm.training.run import Pretrained

FILLERS = ("the", "one", "old", "new", "lamp", "road", "river", "table")
ASKED = ("Text", "Question", "Answer", "Which", "label", "fits", "text", "with", "fine", "odd", "or", ":", "?", ".")
FRUIT = ("plum", "fig", "cherry")  # odd to all, fine to all, odd to SG alone
READERS = ("AU", "SG")
SIZES = {"train": 72, "valid": 24, "test": 24}
SETTINGS = (
    "model.width=16", "model.mlp_hidden=16", "model.cluster_hidden=8", "model.n_clusters=3", "model.alignment_heads=2",
    "model.n_dimensions=2", "model.n_experts=2", "model.top_k=1", "model.expert_layers=1", "model.expert_heads=2",
    "model.expert_ff=16", "model.profile_tokens=2", "backbone.read_layer=2", "backbone.lora_rank=2",
    "train.batch_rows=24", "train.epochs=6", "train.learning_rate=0.01", "train.lora_learning_rate=0.01",
)  # fmt: skip


def odd(fruit: str, reader: str) -> bool:
    return fruit == "plum" or (fruit == "cherry" and reader == "SG")


def dataset(*, readers: bool = True, votes: bool = True) -> Dataset:
    """Each text names one fruit among other words; four of five votes follow the rule."""
    rng = random.Random(5)
    splits: dict[str, tuple[Example, ...]] = {}
    for split, size in SIZES.items():
        rows = []
        for number in range(size):
            words = rng.choices(FILLERS, k=3)
            fruit = FRUIT[number % 3]
            words.insert(rng.randrange(4), fruit)
            for reader in READERS if readers else (None,):
                label = int(odd(fruit, reader or "AU"))
                rows.append(
                    Example(
                        text=" ".join(words),
                        id=f"{split}{number}{reader}",
                        group=f"{split}{number}",
                        label=label,
                        votes=((1, 4) if label else (4, 1)) if votes else None,
                        reader=Blend.of(reader) if reader else None,
                        source=fruit,
                        licence="CC0-1.0",
                    )
                )
        splits[split] = tuple(rows)
    return Dataset("fruit", ("fine", "odd"), 1, splits, "reader" if readers else None, licences=("CC0-1.0",))


def tokenizer() -> transformers.PreTrainedTokenizerFast:
    words = ["<pad>", "<s>", "</s>", "<unk>", *FILLERS, *FRUIT, *READERS, "[", "]", "Australia", "Singapore", *ASKED]
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(dict.fromkeys(words))}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        model_max_length=128,
    )  # fmt: skip


def random_model(make: Callable[[], transformers.PreTrainedModel]) -> transformers.PreTrainedModel:
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        model = make()
        for parameter in model.parameters():  # the usual start is so small that layers hardly differ
            torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture(scope="session")
def lm() -> HuggingFaceLM:
    config = transformers.LlamaConfig(
        hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=2, head_dim=8, vocab_size=80,
        num_hidden_layers=4, max_position_embeddings=128, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return HuggingFaceLM(random_model(lambda: transformers.LlamaForCausalLM(config)), tokenizer())


@pytest.fixture(scope="session")
def encoder() -> MeanPoolEncoder:
    config = transformers.BertConfig(
        hidden_size=24, intermediate_size=32, num_attention_heads=2, num_hidden_layers=1, vocab_size=80, pad_token_id=0
    )
    identity = ModelIdentity("tiny-encoder", None, "0" * 64, ("en",), "CC0-1.0")
    return MeanPoolEncoder(random_model(lambda: transformers.BertModel(config)), tokenizer(), identity, 32)


@pytest.fixture(scope="session")
def frozen_views(lm, encoder, tmp_path_factory) -> Callable[[bool], CachedViews]:
    """States of all texts at the read layer, encoded once for all tests."""
    folder = tmp_path_factory.mktemp("states")

    def make(sentence: bool) -> CachedViews:
        views = CachedViews(lm, encoder if sentence else None, 2, 128, folder)
        views.prepare([row.text for row in dataset()], lambda *_: None)
        return views

    return make


@pytest.fixture
def world(lm, encoder, frozen_views, tmp_path, monkeypatch) -> Callable[..., SimpleNamespace]:
    """What a baseline is given, with the rows it is then asked about as `test`."""
    monkeypatch.setenv("CALM_CACHE", str(tmp_path / "cache"))

    def make(
        *overrides: str, sentence: bool = True, valid: bool = True, readers: bool = True, votes: bool = True
    ) -> SimpleNamespace:
        fruit = dataset(readers=readers, votes=votes)
        config = build_config({}, [*SETTINGS, *overrides, *([] if sentence else ["backbone.sentence=null"])])
        vocabulary = Vocabulary.of(fruit, readers=True)

        def rows(split: str) -> Rows:
            return build_rows(fruit, split, vocabulary, target=config.train.target)

        given = BaselineInput(
            fruit, vocabulary, rows("train"), rows("valid") if valid else None, frozen_views(sentence), config,
            Pretrained(lm, encoder if sentence else None), lambda *_: None,
        )  # fmt: skip
        return SimpleNamespace(given=given, test=rows("test"))

    return make
