"""Tiny random models of several architectures with a tokenizer trained on the spot, and the embedded ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import transformers
from fault_server import FaultServer
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from tokenizers.decoders import ByteLevel

from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.lm.sentence import MeanPoolEncoder

TEXTS = [
    "Guests take off their shoes at the door.",
    "Tea is poured for the oldest person first, and nobody drinks before.",
    "Yes",
    "A café in Zürich closes early; 東京 does not.",
]
VOCABULARY = 400
SPECIALS = ["<pad>", "<s>", "</s>"]
WIDTHS = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "vocab_size": VOCABULARY}
GROUPED = {**WIDTHS, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 128}
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
WINDOWS = {
    "sliding_window": 4,
    "use_sliding_window": True,
    "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
}
KINDS: dict[str, Callable[[], transformers.PreTrainedModel]] = {
    "llama": lambda: transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**GROUPED, **TOKENS, num_hidden_layers=4, rms_norm_eps=1e-5)
    ),
    "qwen3": lambda: transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(**GROUPED, **TOKENS, **WINDOWS, num_hidden_layers=4)
    ),
    "gpt_neox": lambda: transformers.GPTNeoXForCausalLM(
        transformers.GPTNeoXConfig(**WIDTHS, **TOKENS, num_hidden_layers=3, max_position_embeddings=128)
    ),
    "granite": lambda: transformers.GraniteForCausalLM(
        transformers.GraniteConfig(
            **WIDTHS, **TOKENS, num_hidden_layers=3, num_key_value_heads=2, embedding_multiplier=3.0
        )
    ),
    "gpt2": lambda: transformers.GPT2LMHeadModel(
        transformers.GPT2Config(**TOKENS, vocab_size=VOCABULARY, n_embd=32, n_head=4, n_layer=3, n_positions=128)
    ),
    "bert": lambda: transformers.BertModel(
        transformers.BertConfig(**WIDTHS, num_hidden_layers=3, pad_token_id=0, max_position_embeddings=128)
    ),
}


@pytest.fixture
def texts() -> list[str]:
    return list(TEXTS)


@pytest.fixture(scope="session")
def tokenizer() -> transformers.PreTrainedTokenizerFast:
    return make_tokenizer(framed=False)


@pytest.fixture(scope="session")
def tiny(tokenizer) -> Callable[[str], HuggingFaceLM]:
    """A fresh tiny model by kind, the same weights each time."""

    def make(kind: str) -> HuggingFaceLM:
        with torch.random.fork_rng([]):
            torch.manual_seed(3)
            model = KINDS[kind]()
            for parameter in model.parameters():  # the usual start is so small that layers hardly differ
                torch.nn.init.normal_(parameter, std=0.3)
        return HuggingFaceLM(model, make_tokenizer(framed=True) if kind == "bert" else tokenizer)

    return make


@pytest.fixture
def saved(tmp_path, tiny) -> Callable[[str], Path]:
    """A folder with a tiny model of a kind, as a user would have it."""

    def save(kind: str) -> Path:
        lm = tiny(kind)
        lm.model.save_pretrained(tmp_path / kind)
        lm.tokenizer.save_pretrained(tmp_path / kind)
        return tmp_path / kind

    return save


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    """An empty cache folder for one test."""
    monkeypatch.setenv("CALM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def embedded_encoder() -> MeanPoolEncoder:
    return MeanPoolEncoder.load("embedded")


@pytest.fixture
def server(monkeypatch) -> Iterator[FaultServer]:
    """A chat endpoint on loopback that misbehaves by script; no key of the user's is sent to it."""
    monkeypatch.delenv("CALM_API_KEY", raising=False)
    with FaultServer() as running:
        yield running


def make_tokenizer(*, framed: bool) -> transformers.PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer; `framed` puts <s> before a text and </s> after it, as an encoder's does."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(TEXTS * 5, trainer)
    if framed:
        core.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
        )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", model_max_length=128
    )
