"""A tiny language model, an invented data set and a tiny configuration; used by tests and by their child processes."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.decoders import ByteLevel

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset, Example
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.training.config import RunConfig
from calm_lm.training.presets import build_config

READERS = ("AU", "GB", "SG", "US")
LABELS = ("fine", "odd")
WHO = ("A guest", "The neighbour", "An uncle", "My teacher")
WHAT = ("brings a cake", "leaves shoes on", "tips the waiter", "opens a gift at once", "calls after nine", "sits down")
WHERE = ("at a wedding", "in Singapore", "at the office", "on a Sunday")
TEXTS = tuple(f"{who} {what} {where}." for who, what, where in product(WHO, WHAT, WHERE))


def tiny_tokenizer() -> transformers.PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=350,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(TEXTS, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", model_max_length=128
    )


def tiny_lm(seed: int = 3) -> HuggingFaceLM:
    """A random Llama of four layers, the same for the same seed."""
    config = transformers.LlamaConfig(
        hidden_size=16, intermediate_size=24, num_attention_heads=2, num_key_value_heads=1, head_dim=8, vocab_size=350,
        num_hidden_layers=4, max_position_embeddings=128, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = transformers.LlamaForCausalLM(config)
        for parameter in model.parameters():  # the usual start is so small that layers hardly differ
            torch.nn.init.normal_(parameter, std=0.3)
    return HuggingFaceLM(model, tiny_tokenizer())


def save_lm(folder: Path) -> Path:
    """The same model as a folder, as a user would name it in `backbone.name`."""
    lm = tiny_lm()
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    return folder


def example(text: int, reader: str, *, votes: bool = True) -> Example:
    """Whether a text is odd depends on what is done and on who reads."""
    odd = (text // len(WHERE) % len(WHAT) + READERS.index(reader)) % 4
    return Example(
        text=TEXTS[text], id=f"{text}-{reader}", group=f"g{text}", label=int(odd > 1),
        votes=(5 - odd, odd) if votes else None, reader=Blend.of(reader), licence="CC0-1.0",
    )  # fmt: skip


def tiny_dataset(n_train: int = 24, n_valid: int = 8, readers: tuple[str, ...] = READERS) -> Dataset:
    """Texts read by every reader, spread over all of `TEXTS`."""
    order = sorted(range(len(TEXTS)), key=lambda i: i * 37 % len(TEXTS))
    train, valid = order[:n_train], order[n_train : n_train + n_valid]
    rows = {"train": train, "valid": valid}
    splits = {name: tuple(example(t, r) for t in texts for r in readers) for name, texts in rows.items() if texts}
    return Dataset("tiny", LABELS, 1, splits, "reader", licences=("CC0-1.0",))


def drop_rows(data: Dataset) -> Dataset:
    """The same texts, two in three of them read by two readers only: batches with texts of unequal row counts."""
    number = {text: i for i, text in enumerate(TEXTS)}
    kept = {
        name: tuple(row for row in rows if number[row.text] % 3 == 0 or row.reader.single in ("SG", "US"))
        for name, rows in data.splits.items()
    }
    return replace(data, splits=kept)


MODEL = (
    "model.width=16", "model.mlp_hidden=16", "model.cluster_hidden=8", "model.n_clusters=3", "model.alignment_heads=2",
    "model.n_dimensions=2", "model.n_experts=2", "model.top_k=1", "model.expert_layers=1", "model.expert_heads=2",
    "model.expert_ff=16", "model.profile_tokens=2",
)  # fmt: skip
TRAIN = (
    "train.batch_rows=24", "train.epochs=3", "train.learning_rate=0.01", "train.lora_learning_rate=0.01",
    "train.evaluations=4", "train.patience=0", "train.checkpoint_every=3",
)  # fmt: skip
BACKBONE = ("backbone.sentence=null", "backbone.read_layer=3", "backbone.local_files_only=true")
QUIET = ("model.noise=false", *(f"model.{name}dropout=0" for name in ("", "reader_", "view_", "expert_")))
LORA = ("backbone.adapt_layers=[1,3]", "backbone.lora_rank=2", "backbone.lora_dropout=0.1")


def tiny_config(*overrides: str) -> RunConfig:
    """Twelve steps with every kind of noise on; later overrides win."""
    return build_config({}, [*MODEL, *TRAIN, *BACKBONE, *overrides])
