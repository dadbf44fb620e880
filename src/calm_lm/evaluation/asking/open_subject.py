"""From what a user writes after `calm evaluate` to a model that can be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.subject import LocalSubject, SampledSubject, Subject
from calm_lm.files import disk_errors
from calm_lm.lm.answer_cache import AnswerCache
from calm_lm.lm.cached_chat import CachedChat
from calm_lm.lm.endpoint import Endpoint
from calm_lm.lm.endpoint_address import parse_endpoint
from calm_lm.lm.hf import HuggingFaceLM

Kind = Literal["endpoint", "local", "run"]
ENDPOINT = "openai:"
KINDS = "embedded, hf:NAME, adapter:DIR, openai:MODEL@URL, or the folder of a run or of a model"


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """How a model is loaded or reached.

    Attributes:
        offline: ask no hub.
        device: of a local model or a run, as torch names it; None is the processor, or where a run was trained.
        dtype: of a local model: float32, bfloat16, float16 or float64.
        samples: answers drawn to each presentation, for an endpoint.
        temperature: of these draws.
        connections: requests under way at once, for an endpoint.
        timeout: seconds for one request.
        retries: of one request.

    Raises:
        CalmError: E67 for several greedy samples.
    """

    offline: bool = False
    device: str | None = None
    dtype: str = "float32"
    samples: int = 5
    temperature: float = 1.0
    connections: int = 8
    timeout: float = 60.0
    retries: int = 6

    def __post_init__(self) -> None:
        if self.temperature == 0 and self.samples > 1:
            raise CalmError(
                "E67", f"{self.samples} greedy samples are one answer {self.samples} times.", field="temperature",
                value=self.temperature, fix="draw one sample (--samples 1), or give a temperature above 0.",
            )  # fmt: skip


def model_kind(name: str) -> Kind:
    """What a name of the grammar leads to: an endpoint, a model in this process, or a trained run.

    Raises:
        CalmError: E46 for a name that is none of these.
    """
    if name.startswith(ENDPOINT):
        return "endpoint"
    if name == "embedded" or (name.startswith(("hf:", "adapter:")) and not name.endswith(":")):
        return "local"
    with disk_errors(Path(name)):
        if (Path(name) / "manifest.json").is_file():
            return "run"
        if (Path(name) / "config.json").is_file():
            return "local"
    raise CalmError("E46", "names no model.", field="MODEL", value=name, fix=f"write {KINDS}.")


def open_subject(name: str, options: OpenOptions, cache: AnswerCache, notify: Callable[[str], None]) -> Subject:
    """The model under test.

    Args:
        name: as in the grammar of the command line.
        options: how to load or reach it.
        cache: where an endpoint's single replies are kept, so that a piece that was cut off is not asked again.
        notify: told what takes long.

    Raises:
        CalmError: E46 for a name that is none of these; what loading raises.
    """
    kind = model_kind(name)
    if kind == "endpoint":
        model, url = parse_endpoint(name)
        endpoint = Endpoint(
            model, url, connections=options.connections, timeout=options.timeout, retries=options.retries
        )
        chat = CachedChat(endpoint, cache)
        return SampledSubject(chat, f"{model} (endpoint)", samples=options.samples, temperature=options.temperature)
    if kind == "run":
        from calm_lm.evaluation.asking.calm_subject import CalmSubject

        return CalmSubject.open(Path(name), device=options.device, offline=options.offline)
    device = options.device or "cpu"
    if name.startswith("adapter:"):
        from calm_lm.lm.adapter import load_adapted

        folder = Path(name.removeprefix("adapter:"))
        lm = load_adapted(folder, device=device, dtype=options.dtype, local_files_only=options.offline)
        return LocalSubject(lm, f"{lm.title} with {folder.name}")
    lm = HuggingFaceLM.load(
        name.removeprefix("hf:"), device=device, dtype=options.dtype, local_files_only=options.offline, notify=notify
    )
    return LocalSubject(lm)
