"""How long `import calm_lm` and `calm --help` take, beside a bare interpreter.

    .venv/bin/python benchmarks/startup.py --json

Each is a fresh process. Bounds: import below 0.3 s, `--help` below 0.5 s, both with the interpreter's own start.
"""

# ruff: noqa: T201  (a benchmark's output is what it prints)
from __future__ import annotations

import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path

from rounds import finish, interleave, parser

COMMANDS = {
    "bare interpreter": ([sys.executable, "-c", "pass"], None),
    "import calm_lm": ([sys.executable, "-c", "import calm_lm"], 0.3),
    "calm --help": ([str(Path(sys.executable).with_name("calm")), "--help"], 0.5),
    "calm train --help": ([str(Path(sys.executable).with_name("calm")), "train", "--help"], None),
}


def main() -> None:
    """Measure and print seconds."""
    chosen = parser(__doc__, rounds=10).parse_args()
    start = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)
    seconds = interleave(
        {name: partial(start, command) for name, (command, _) in COMMANDS.items()}, rounds=chosen.rounds
    )
    failures = []
    for name, (_, bound) in COMMANDS.items():
        median = statistics.median(seconds[name])
        print(f"{name}: {median:.3f} s ({min(seconds[name]):.3f} to {max(seconds[name]):.3f})")
        if bound is not None and median > bound:
            failures.append(f"{name} takes {median:.3f} s, bound {bound} s")
    finish("startup", {"seconds": seconds}, save=chosen.json, failures=failures)


if __name__ == "__main__":
    main()
