"""Lag of the event loop, observed while there are requests."""

from __future__ import annotations

import asyncio
import time

from service.metrics import Metrics

BEAT_SECONDS = 0.01  # between two looks at the event loop's lag


class EventLoopLag:
    """Observes how late a timer of the event loop is. It runs only while there are requests: an idle service sleeps."""

    def __init__(self, metrics: Metrics) -> None:
        self.is_beating = False
        self._metrics = metrics
        self.is_needed = False  # set by every request that comes

    def start(self) -> None:
        """Begin to observe, because a request came."""
        self._beat(None)

    def _beat(self, due: float | None) -> None:
        """Observe a timer that was due then, and set the next one if a request has come meanwhile."""
        now = time.monotonic()
        if due is not None:
            self._metrics.loop_lag_seconds.observe(max(0.0, now - due))
        self.is_beating, self.is_needed = self.is_needed, False
        if self.is_beating:
            asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat, now + BEAT_SECONDS)
