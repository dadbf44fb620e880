"""A tiny network, batches of random texts, and a whole model over a tiny random backbone in a folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.decoders import ByteLevel

from calm_lm.culture.blend import Blend
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.model.batch import TextBatch
from calm_lm.model.calm import CalmModel, weights_of
from calm_lm.model.config import BackboneConfig, ModelConfig, Sizes
from calm_lm.model.loop import EncodedPrompts
from calm_lm.model.manifest import CalibrationFacts, CalmManifest, Provenance
from calm_lm.model.network import CalmNetwork
from calm_lm.model.storage import attach_lora

TEXTS = (
    "Guests take off their shoes at the door.",
    "Tea is poured for the oldest person first in Japan, and nobody drinks before.",
    "Yes",
    "A waiter in Singapore expects no tip.",
    "Shops close early on Sunday.",
)
SMALL = {"width": 16, "mlp_hidden": 12, "cluster_hidden": 8, "expert_ff": 24, "expert_heads": 4, "alignment_heads": 4}
SIZES = {"d_model": 32, "d_sentence": 6, "n_labels": 3, "n_readers": 4, "n_cultures": 4}
READERS = ("AU", "GB", "SG", "US")


@pytest.fixture(autouse=True)
def _one_thread():
    """Networks as small as these are slowed by a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _own_cache(request, monkeypatch, tmp_path_factory) -> None:
    """Checksums of the tiny backbone stay out of the user's cache, where the embedded one is looked for."""
    if request.node.get_closest_marker("lm") is None:
        monkeypatch.setenv("CALM_CACHE", str(tmp_path_factory.getbasetemp() / "model-cache"))


@pytest.fixture(scope="session")
def plain_experts() -> type:
    """The class `PlainExperts` of the file beside this one."""
    spec = importlib.util.spec_from_file_location("plain_experts", Path(__file__).with_name("plain_experts.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PlainExperts


@pytest.fixture
def config() -> Callable[..., ModelConfig]:
    """A small `ModelConfig` with any field changed."""
    return lambda **changes: ModelConfig(**{**SMALL, **changes})


@pytest.fixture
def network(config) -> Callable[..., CalmNetwork]:
    """A small network in evaluation mode; what starts at zero is given numbers unless `started` is False."""

    def make(*, sizes: dict[str, int] | None = None, started: bool = True, **changes: Any) -> CalmNetwork:
        torch.manual_seed(5)
        made = CalmNetwork(config(**changes), Sizes(**{**SIZES, **(sizes or {})}))
        if started:
            torch.nn.init.normal_(made.fusion.up.weight, std=0.3)
            torch.nn.init.normal_(made.head.weight, std=0.1)
            for values in made.probe.buffers() if made.probe else ():
                torch.nn.init.normal_(values, std=0.1)
        return made.eval()

    return make


@pytest.fixture
def texts() -> Callable[..., TextBatch]:
    """Random states of `count` texts of different lengths, padded with `filler`."""

    def make(count: int = 5, *, filler: float = 0.0, width: int | None = None, seed: int = 11) -> TextBatch:
        draw = torch.Generator().manual_seed(seed)
        lengths = [2 + (3 * i) % 7 for i in range(count)]
        longest = width or max(lengths)
        tokens = torch.full((count, longest, SIZES["d_model"]), filler)
        mask = torch.zeros(count, longest, dtype=torch.bool)
        explicit = torch.zeros(count, longest, dtype=torch.bool)
        for row, length in enumerate(lengths):
            tokens[row, :length] = torch.randn(length, SIZES["d_model"], generator=draw)
            mask[row, :length] = True
            explicit[row, :length] = torch.rand(length, generator=draw) < 0.3
        explicit[~mask] = filler != 0.0
        return TextBatch(tokens, mask, explicit, torch.randn(count, SIZES["d_sentence"], generator=draw))

    return make


@dataclass(frozen=True)
class Record:
    """A norm record as the model sees it."""

    culture: str
    place: str
    situation: str
    norm: str
    source: str = "a visitor guide"

    def sentence(self) -> str:
        return f"In {self.place}, {self.situation} is {self.norm}."


@dataclass(frozen=True)
class Hit:
    record: Record
    score: float


class Norms:
    """Norms for texts that hold a word."""

    def __init__(self, word: str, hits: list[Hit]) -> None:
        self.word, self.hits, self.asked = word, hits, 0

    def search(self, text: str, culture: Blend, k: int) -> list[Hit]:
        self.asked += 1
        weights = dict(culture.parts)
        return [hit for hit in self.hits if self.word in text and hit.record.culture in weights][:k]


@pytest.fixture
def norms() -> Norms:
    hits = [
        Hit(Record("SG", "Singapore", "leaving a tip", "out of place"), 3.0),
        Hit(Record("SG", "Singapore", "paying at the counter", "fine"), 1.0),
        Hit(Record("US", "the United States", "leaving a tip", "expected"), 2.0),
        Hit(Record("JP", "Japan", "leaving a tip", "out of place"), 2.0),
    ]
    return Norms("tip", hits)


@pytest.fixture(scope="session")
def backbone_folder(tmp_path_factory) -> Path:
    """A tiny random Llama with a tokenizer trained on the spot, as a user would have it."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = ByteLevel()
    core.train_from_iterator(
        TEXTS * 5,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<pad>", "<s>", "</s>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", model_max_length=512
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        model = transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                hidden_size=SIZES["d_model"], intermediate_size=48, num_attention_heads=4, vocab_size=400,
                num_key_value_heads=2, head_dim=8, max_position_embeddings=512, pad_token_id=0, bos_token_id=1,
                eos_token_id=2, num_hidden_layers=4,
            )
        )  # fmt: skip
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    folder = tmp_path_factory.mktemp("backbone")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def calm(backbone_folder) -> Callable[..., CalmModel]:
    """A whole model with random stages, references settled, over the tiny backbone."""

    def make(
        *,
        adapt_layers: tuple[int, int] | None = None,
        labels: tuple[str, ...] = ("fine", "out_of_place", "varies"),
        readers: tuple[str, ...] = READERS,
        cultures: tuple[str, ...] = (),
        contrast: str | None = "reader",
        licences: tuple[str, ...] = ("CC-BY-4.0",),
        calibration: CalibrationFacts | None = None,
        evidence: bool = False,
        **changes: Any,
    ) -> CalmModel:
        torch.manual_seed(7)
        backbone = BackboneConfig(
            name=str(backbone_folder), sentence=None, read_layer=3, adapt_layers=adapt_layers, lora_rank=2,
            max_length=64, local_files_only=True,
        )  # fmt: skip
        lm = HuggingFaceLM.load(str(backbone_folder))
        sizes = Sizes(
            d_model=lm.d_model, d_sentence=0, n_labels=len(labels), n_readers=len(readers), n_cultures=len(cultures),
            evidence=evidence,
        )  # fmt: skip
        weights, _ = weights_of(lm, None)
        manifest = CalmManifest(
            model=ModelConfig(**{**SMALL, **changes}), sizes=sizes, backbone=backbone, backbone_weights=weights,
            sentence_weights=None, labels=labels, positive=0, readers=readers, cultures=cultures, contrast=contrast,
            calibration=calibration or CalibrationFacts(),
            provenance=Provenance(dataset="made up", rows=12, licences=licences, citation="nobody | nowhere"),
        )  # fmt: skip
        network = CalmNetwork(manifest.model, sizes)
        for parameter in network.parameters():
            if parameter.dim() > 1 and parameter.numel():
                torch.nn.init.normal_(parameter, std=parameter.size(-1) ** -0.5)
        for values in network.probe.buffers() if network.probe else ():
            torch.nn.init.normal_(values, std=0.1)
        if adapt_layers:
            for matrix in attach_lora(lm, backbone, seed=1):
                torch.nn.init.normal_(matrix, std=0.2)
        model = CalmModel(manifest, network.eval(), lm, None)
        with torch.inference_mode():
            seen = model.adapt(model.views(TEXTS))
            network.scale.fit(seen.tokens[seen.mask])
            network.pooled_scale.fit(network.pool_texts(seen))
        if labels:
            model.settle_references(prompts_of(model))
        return model

    return make


def prompts_of(model: CalmModel) -> EncodedPrompts:
    """All self-prompts as training encodes them: by the backbone, at the read layer."""
    views = [model.adapt(model.views(model.prompts.texts[i : i + 16])) for i in range(0, len(model.prompts.texts), 16)]
    longest = max(view.tokens.size(1) for view in views)
    grown = [
        TextBatch(*(torch.nn.functional.pad(p, (0, 0, 0, longest - p.size(1)) if p.dim() == 3 else
                    (0, longest - p.size(1))) for p in view[:3]), view.sentence)
        for view in views
    ]  # fmt: skip
    return EncodedPrompts(model.prompts, TextBatch(*(torch.cat(parts) for parts in zip(*grown, strict=True))))


@pytest.fixture
def encode_prompts_of() -> Callable[[CalmModel], EncodedPrompts]:
    return prompts_of
