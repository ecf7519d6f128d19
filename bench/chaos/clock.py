"""One time for everything that is written down: that of the logs, but it never jumps."""

from __future__ import annotations

import time

_OFFSET = time.time() - time.monotonic()


def now() -> float:
    """Seconds since the epoch."""
    return time.monotonic() + _OFFSET
