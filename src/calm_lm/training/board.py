"""TensorBoard beside the metrics log: the same figures, for those who watch their runs there (an extra).

Event files go to `seed-N/tensorboard/` of a run. The metrics log stays the record: events are for looking at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from calm_lm.errors import CalmError
from calm_lm.files import disk_errors

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from calm_lm.training.trainer import Report


@contextmanager
def open_boards(run: Path) -> Iterator[Callable[[int], Report]]:
    """The reports of a run's seeds, as `run_seeds` takes them; what is buffered is written when the block ends.

    A resumed seed goes on at the step of its checkpoint, and TensorBoard hides what was told of later steps before.

    Raises:
        CalmError: T09 when TensorBoard is not installed, before any work; F01 for the disk.
    """
    if find_spec("tensorboard") is None:
        raise CalmError(
            "T09", "event files need TensorBoard.", field="--tensorboard", fix='pip install "calm-lm[tensorboard]".'
        )
    with ExitStack() as stack:
        yield lambda seed: _report_to(run / f"seed-{seed}" / "tensorboard", stack)


def _report_to(folder: Path, stack: ExitStack) -> Report:
    """Writes to `folder`, which is made with the first step: processes that report nothing leave no files."""
    writers: list[SummaryWriter] = []

    def report(step: int, total: int, figures: dict[str, float]) -> None:
        with disk_errors(folder):
            if not writers:
                from torch.utils.tensorboard import SummaryWriter

                writers.append(SummaryWriter(str(folder), purge_step=step))
                stack.callback(_close, writers[0], folder)
            for name, value in figures.items():
                writers[0].add_scalar(name, value, step)

    return report


def _close(writer: SummaryWriter, folder: Path) -> None:
    with disk_errors(folder):
        writer.close()
