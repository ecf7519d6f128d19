"""Pulse of a supervisor: the moment at which all workers were last known to beat, in memory that they share."""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Callable

# Longer than a supervisor takes to notice and replace a worker, or to load models anew: whatever lasts longer than this
# it cannot mend, or it stands still itself.
MAX_AGE_SECONDS = 60.0
_FORM = struct.Struct("d")


class Pulse:
    """Made before workers are forked; the supervisor beats, and each worker asks how long ago that was."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._shared = mmap.mmap(-1, _FORM.size)
        self.beat()

    def beat(self) -> None:
        """Record that every worker beats or is being replaced."""
        _FORM.pack_into(self._shared, 0, self._clock())

    def is_fresh(self) -> bool:
        """Return whether the last beat was not too long ago."""
        (beat_at,) = _FORM.unpack_from(self._shared)
        return bool(self._clock() - beat_at <= MAX_AGE_SECONDS)
