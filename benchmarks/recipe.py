"""What the frozen recipe costs: one CREHate seed from empty caches to a judged run, in time and memory.

    .venv/bin/python benchmarks/recipe.py --data-dir DATA --json

`calm train` converts the embedded models, reads every text and trains; `calm evaluate` adds the frozen baselines and
the intervals. Each is a process of its own; memory is the larger one's peak. Bounds: 10 minutes and 6 GB in all.
"""

# ruff: noqa: T201  (a benchmark's output is what it prints)
from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rounds import finish, parser

CALM = str(Path(sys.executable).with_name("calm"))
MINUTES, GIGABYTES = 10, 6.0


def main() -> None:
    """Run both commands and print what they took."""
    options = parser(__doc__, rounds=1)
    options.add_argument("--data-dir", type=Path, default=os.environ.get("CALM_DATA"), help="holds crehate/; CALM_DATA")
    given = options.parse_args()
    if given.data_dir is None:
        print("not run: it needs CREHate; give --data-dir or set CALM_DATA")
        return
    with tempfile.TemporaryDirectory() as folder:
        run, data = f"{folder}/run", ["--data-dir", str(given.data_dir)]
        environment = os.environ | {"CALM_CACHE": f"{folder}/cache"}
        commands = {
            "train": [CALM, "train", "crehate", "--seeds", "0", "--out", run, *data],
            "evaluate": [CALM, "evaluate", run, "--data", "crehate", "--split", "valid", *data],
        }
        seconds: dict[str, float] = {}
        for name, command in commands.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603  (our own command)
            seconds[name] = time.perf_counter() - begun
            print(f"{name}: {seconds[name]:.0f} s")
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor, memory = children.ru_utime + children.ru_stime, children.ru_maxrss * 1024 / 1e9
    whole = sum(seconds.values())
    print(f"in all: {whole:.0f} s, {processor:.0f} s of the processor, peak {memory:.1f} GB")
    failures = [f"{whole / 60:.1f} minutes, bound {MINUTES}"] if whole > 60 * MINUTES else []
    failures += [f"{memory:.1f} GB, bound {GIGABYTES}"] if memory > GIGABYTES else []
    result = {"seconds": seconds, "processor_seconds": processor, "peak_gigabytes": memory}
    finish("recipe", result, save=given.json, failures=failures)


if __name__ == "__main__":
    main()
