"""The pipe that an instance logs to, and its reader, which copies lines to a file and can be held up."""

from __future__ import annotations

import os
import threading
from pathlib import Path

CHUNK_BYTES = 1 << 16


class LogPipe:
    """Reads a pipe on a thread until all processes that write to it have ended."""

    def __init__(self, path: Path) -> None:
        self._reading, self.writing = os.pipe()
        self._path = path
        self._is_read = threading.Event()
        self._is_read.set()
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """Read nothing from now on."""
        self._is_read.clear()

    def go_on(self) -> None:
        self._is_read.set()

    def started(self) -> None:
        """Leave the writing end to the process that was started with it."""
        os.close(self.writing)

    def finish(self) -> None:
        """Wait until everything is copied. The processes that write must have ended."""
        self.go_on()
        self._thread.join(10.0)

    def _copy(self) -> None:
        with self._path.open("wb", buffering=0) as file:
            while chunk := os.read(self._reading, CHUNK_BYTES):
                file.write(chunk)
                self._is_read.wait()
        os.close(self._reading)
