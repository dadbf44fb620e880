"""What a checkpoint costs: its seconds and bytes beside those of the training steps between two of them.

    .venv/bin/python benchmarks/checkpoint.py --json

The preset `small` on a random backbone of the embedded model's width (576), batches of 64 rows of 30 tokens that are
held in memory, so that the step is the network's alone. Written and flushed to the disk that `--folder` is on.
"""

# ruff: noqa: T201  (a benchmark's output is what it prints)
from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path

import torch
from rounds import finish, interleave, parser, ratio

from calm_lm.model.batch import TextBatch, reading
from calm_lm.model.config import Sizes
from calm_lm.model.network import CalmNetwork
from calm_lm.training.checkpoint import Progress, Snapshot, load_checkpoint, random_state, save_checkpoint
from calm_lm.training.presets import build_config
from calm_lm.training.schedule import build_optimizer

MOST = 0.10  # of the time of the steps between two checkpoints


def main() -> None:
    """Time one step against one checkpoint, in turns."""
    options = parser(__doc__, rounds=20)
    options.add_argument("--folder", type=Path, help="where to write; a temporary folder if not given")
    given = options.parse_args()
    config = build_config({})
    torch.manual_seed(0)
    sizes = Sizes(d_model=576, d_sentence=384, n_labels=2, n_readers=5, n_cultures=5)
    network = CalmNetwork(config.model, sizes)
    optimizer = build_optimizer(network, [], config.train)
    mask = torch.ones(13, 30, dtype=torch.bool)
    texts = TextBatch(torch.randn(13, 30, 576), mask, torch.zeros_like(mask), torch.randn(13, 384))
    rows = reading(texts, torch.eye(5).repeat(13, 1)[:64], torch.arange(13).repeat_interleave(5)[:64])

    def step() -> None:
        encoding = network.encode(rows, 1.0)
        identity = network.fuse(encoding.state, network.pool_texts(texts)[rows.text_of])
        logits = network.answer(rows, encoding.state, identity, encoding.task)
        optimizer.zero_grad()
        logits.logsumexp(-1).mean().backward()
        optimizer.step()

    step()
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    progress = Progress()

    def checkpoint() -> None:
        progress.step += 1
        weights = {f"weights.{name}": value.clone() for name, value in network.state_dict().items()}
        best = {f"best.{name}": value.clone() for name, value in network.state_dict().items()}
        moments = {
            f"adamw.{number}.{name}": value.clone()
            for number, state in optimizer.state_dict()["state"].items()
            for name, value in state.items()
        }
        save_checkpoint(folder, Snapshot(weights | best | moments | random_state(), progress))

    def read() -> None:
        load_checkpoint(next(folder.glob("checkpoint-*")))

    try:
        checkpoint()
        seconds = interleave({"step": step, "checkpoint": checkpoint, "read": read}, rounds=given.rounds)
        written = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    finally:
        shutil.rmtree(folder)
    parameters = sum(value.numel() for value in network.parameters())
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    share = middle["checkpoint"] / (middle["step"] * config.train.checkpoint_every)
    print(
        f"{parameters:,} parameters; a checkpoint holds {written / 2**20:.1f} MiB ({written / parameters:.1f} B each)"
    )
    print("median seconds: " + ", ".join(f"{name} {value:.4f}" for name, value in middle.items()))
    print(f"a checkpoint lasts as long as {ratio(seconds, 'checkpoint', 'step')} steps")
    print(f"one every {config.train.checkpoint_every} steps adds {share:.2%} (bound {MOST:.0%})")
    failures = [f"checkpoints add {share:.1%} to training, more than {MOST:.0%}"] if share > MOST else []
    result = {"parameters": parameters, "bytes": written, "seconds": seconds, "share": share}
    finish("checkpoint", result, save=given.json, failures=failures)


if __name__ == "__main__":
    main()
