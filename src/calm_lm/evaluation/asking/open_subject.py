"""From what a user writes after `calm evaluate` to a model that can be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.subject import LocalSubject, SampledSubject, Subject
from calm_lm.lm.answer_cache import AnswerCache
from calm_lm.lm.cached_chat import CachedChat
from calm_lm.lm.endpoint import Endpoint
from calm_lm.lm.endpoint_address import parse_endpoint
from calm_lm.lm.hf import HuggingFaceLM

ENDPOINT = "openai:"
KINDS = "embedded, hf:NAME, adapter:DIR, openai:MODEL@URL, or the folder of a run or of a model"


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """How a model is loaded or reached.

    Attributes:
        offline: ask no hub.
        device: for a local model.
        dtype: for a local model.
        samples: answers drawn to each presentation, for an endpoint.
        temperature: of these draws.
        connections: requests under way at once, for an endpoint.
        timeout: seconds for one request.
        retries: of one request.
    """

    offline: bool = False
    device: str = "cpu"
    dtype: str = "float32"
    samples: int = 5
    temperature: float = 1.0
    connections: int = 8
    timeout: float = 60.0
    retries: int = 6


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
    if name.startswith(ENDPOINT):
        model, url = parse_endpoint(name)
        endpoint = Endpoint(
            model, url, connections=options.connections, timeout=options.timeout, retries=options.retries
        )
        chat = CachedChat(endpoint, cache)
        return SampledSubject(chat, f"{model} (endpoint)", samples=options.samples, temperature=options.temperature)
    if name.startswith("adapter:"):
        from calm_lm.lm.adapter import load_adapted

        folder = Path(name.removeprefix("adapter:"))
        lm = load_adapted(folder, device=options.device, dtype=options.dtype, local_files_only=options.offline)
        return LocalSubject(lm, f"{lm.title} with {folder.name}")
    path = Path(name)
    if _is_run(path):
        from calm_lm.evaluation.asking.calm_subject import CalmSubject

        return CalmSubject.open(path, offline=options.offline)
    if name == "embedded" or name.startswith("hf:") or (path / "config.json").is_file():
        lm = HuggingFaceLM.load(
            name.removeprefix("hf:"), device=options.device, dtype=options.dtype, local_files_only=options.offline,
            notify=notify,
        )  # fmt: skip
        return LocalSubject(lm)
    raise CalmError("E46", "names no model.", field="MODEL", value=name, fix=f"write {KINDS}.")


def _is_run(path: Path) -> bool:
    return (path / "manifest.json").is_file()
