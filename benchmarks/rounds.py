"""What the benchmarks share: interleaved rounds, ratios of the same round, and the machine they ran on."""

# ruff: noqa: T201  (a benchmark's output is what it prints)
from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / "results"


class Ratio(NamedTuple):
    """Time of one contestant over another's in the same round: median, lowest and highest over the rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


def interleave(
    contestants: Mapping[str, Callable[[], object]], *, rounds: int, warmup: int = 2
) -> dict[str, list[float]]:
    """Seconds of every contestant in every round, A B C A B C ..., after `warmup` rounds that do not count.

    The order turns by one each round, so that nobody always runs after the same one.
    """
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(warmup + rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            begun = time.perf_counter()
            contestants[name]()
            spent = time.perf_counter() - begun
            if number >= warmup:
                seconds[name].append(spent)
    return seconds


def ratio(seconds: Mapping[str, list[float]], above: str, below: str) -> Ratio:
    """How many times longer `above` takes than `below`, round by round."""
    found = [a / b for a, b in zip(seconds[above], seconds[below], strict=True)]
    return Ratio(statistics.median(found), min(found), max(found))


def environment() -> dict[str, Any]:
    """Versions, processor and load: figures of two machines, or of a busy one, are not to be compared."""
    import torch

    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        **{name: version(name) for name in ("calm-lm", "torch", "transformers", "numpy")},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_1_minute": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def parser(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """The options every benchmark has."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=rounds, help="rounds that count; fewer than 10 show little")
    made.add_argument("--json", action="store_true", help="write every time to benchmarks/results/")
    return made


def finish(name: str, result: dict[str, Any], *, save: bool, failures: list[str]) -> None:
    """Write the raw result if asked to, say what missed its bound, and exit with 1 if anything did."""
    if save:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{name}.json"
        path.write_text(json.dumps({"environment": environment(), **result}, indent=2) + "\n", "utf-8")
        print(f"written: {path}")
    for failure in failures:
        print(f"MISSED: {failure}")
    sys.exit(1 if failures else 0)
