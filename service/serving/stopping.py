"""How a process is told to end: by signals, which may come at any moment, or by a call."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end_at_once(signum: int) -> None:
    """As a shell reports a process that a signal ended. Not by the signal itself: the first process of a container
    is not ended by one."""
    os._exit(128 + signum)


class Stop:
    """Told once, everybody who listens hears it; told again by a signal, ``again`` is called with its number."""

    def __init__(self, *, again: Callable[[int], None] = end_at_once) -> None:
        self.is_told = False
        self.again = again
        self._listeners: list[Callable[[], None]] = []

    def heed(self) -> None:
        """From now on SIGTERM and SIGINT tell it. Only the main thread may call this."""
        for signum in SIGNALS:
            signal.signal(signum, self._on_signal)

    def tell(self) -> None:
        """May be called from any thread, and more than once."""
        if not self.is_told:
            self.is_told = True
            for listener in self._listeners:
                listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Called when it is told, on the thread that tells; now, if it has been."""
        self._listeners.append(listener)
        if self.is_told:
            listener()

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if self.is_told:
            self.again(signum)
        self.tell()
