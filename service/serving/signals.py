"""Stop signal: a process is asked to end by a system signal, which may come at any moment, or by a call."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType


def exit_at_once(signum: int) -> None:
    """Exit with the status that a shell reports for a process ended by a signal. The signal itself would not do: it
    does not end the first process of a container."""
    os._exit(128 + signum)


class StopSignal:
    """Calls its listeners when the process is asked to stop. A second system signal calls ``on_second_signal`` with its
    number."""

    def __init__(self, *, on_second_signal: Callable[[int], None] = exit_at_once) -> None:
        self.is_requested = False
        self.on_second_signal = on_second_signal
        self._listeners: list[Callable[[], object]] = []

    def install(self) -> None:
        """Install the handlers of SIGTERM and SIGINT. Only the main thread may call this."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._on_signal)

    def request(self) -> None:
        """Ask the process to stop. May be called from any thread, and more than once."""
        if not self.is_requested:
            self.is_requested = True
            for listener in self._listeners:
                listener()

    def add_listener(self, listener: Callable[[], object]) -> None:
        """Add a listener, which is called on the thread that asks; at once, if the process has been asked to stop."""
        self._listeners.append(listener)
        if self.is_requested:
            listener()

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if self.is_requested:
            self.on_second_signal(signum)
        self.request()
