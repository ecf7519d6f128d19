"""Lag of the event loop: the time that its turns add to every request, whatever the queues say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from service.metrics import Metrics

BEAT_SECONDS = 0.01
NEWEST = 0.2  # weight of the last beat: one that is late says little, several do
# Turns between a request's arrival and its answer: half of one until it is read, one until its task begins, one until
# a thread's news is heard, one until the answer is written.
TURNS = 3.5


class EventLoopLag:
    """Measures how late a timer of the event loop is. It runs only while there are requests: an idle service sleeps."""

    def __init__(self, *, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = 0.0  # of late, one turn of the loop
        self._metrics = metrics
        self._clock = clock
        self.is_beating = False
        self._is_needed = False
        self._due = 0.0

    @property
    def allowance_seconds(self) -> float:
        """Seconds that the event loop takes of a request's time on its way in and out."""
        return TURNS * self.seconds

    def watch(self) -> None:
        """Keep measuring, because a request came."""
        self._is_needed = True
        if not self.is_beating:
            self.is_beating = True
            self._sleep()

    def _sleep(self) -> None:
        self._due = self._clock() + BEAT_SECONDS
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        late = max(0.0, self._clock() - self._due)
        self._metrics.loop_lag_seconds.observe(late)
        self.seconds += NEWEST * (late - self.seconds)
        if self._is_needed or self.seconds > BEAT_SECONDS:
            self._is_needed = False
            self._sleep()
        else:
            self.is_beating = False
