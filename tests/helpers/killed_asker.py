"""A child process that asks, is killed part way, and goes on: what it knew is not asked again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

from calm_lm.evaluation.asking.asker import AT_ONCE
from calm_lm.lm.answer_cache import AnswerCache

HERE = Path(__file__).parent
PREAMBLE = """
import sys, time
from pathlib import Path
sys.path[:0] = {places!r}
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.lm.answer_cache import AnswerCache
n, log = {n}, Path({log!r}).open("a")
def note(line):
    log.write(line + "\\n"); log.flush(); time.sleep(0.002)
with AnswerCache(Path({cache!r})) as cache:
"""


def kill_and_go_on(folder: Path, body: str, n: int, moment: float, places: Sequence[Path] = ()) -> list[str]:
    """Run `body`, kill it once `moment` of its `n` questions are noted, run it again, and return all notes.

    `body` finds `Asker`, `cache`, `n` and `note(line)`, which it calls once for every question it answers.
    """
    log, cache = folder / "asked.txt", folder / "answers.sqlite"
    told = {"places": [str(HERE), *map(str, places)], "n": n, "log": str(log), "cache": str(cache)}
    code = PREAMBLE.format(**told) + textwrap.indent(body, "    ") + 'print("done")\n'
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    while not log.exists() or len(log.read_text().splitlines()) < moment * n:
        time.sleep(0.01)
        assert child.poll() is None
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    killed_after = len(log.read_text().splitlines())
    with AnswerCache(cache) as kept:
        known = max(0, len(kept) - 1)  # one entry is the bill
    assert killed_after - AT_ONCE <= known < n
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "done"
    asked = log.read_text().splitlines()
    assert len(asked) == killed_after + n - known  # what was answered was not asked again
    return asked
