"""Ctrl-C during training: the running step is finished and kept, then the run ends."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class Interruption:
    """While open, the first SIGINT is only noted (`asked`); a second one interrupts at once.

    Outside the main thread signals cannot be handled, and nothing changes.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None
        self._held = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before, self._held = signal.signal(signal.SIGINT, self._note), True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._give_back()

    def _give_back(self) -> None:
        if self._held:
            signal.signal(signal.SIGINT, self._before)
            self._held = False
