"""Stop signal: a process is told to end by a system signal, which may come at any moment, or by a call."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end_at_once(signum: int) -> None:
    """Exit with the status that a shell reports for a process ended by a signal. The signal itself would not do: it
    does not end the first process of a container."""
    os._exit(128 + signum)


class StopSignal:
    """Calls its listeners when the process is told to stop; when told again by a signal, it calls ``again`` with its
    number."""

    def __init__(self, *, again: Callable[[int], None] = end_at_once) -> None:
        self.is_told = False
        self.again = again
        self._listeners: list[Callable[[], None]] = []

    def heed(self) -> None:
        """Install the handlers of SIGTERM and SIGINT. Only the main thread may call this."""
        for signum in SIGNALS:
            signal.signal(signum, self._on_signal)

    def tell(self) -> None:
        """Tell the process to stop. May be called from any thread, and more than once."""
        if not self.is_told:
            self.is_told = True
            for listener in self._listeners:
                listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Add a listener, which is called on the thread that tells; at once, if it has been told."""
        self._listeners.append(listener)
        if self.is_told:
            listener()

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if self.is_told:
            self.again(signum)
        self.tell()
