"""Load of the service: limits that refuse requests before their bodies are read, and the lag of the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from service.api.context import RequestContext, timeout_of
from service.errors import InvalidRequestError, OverloadedError
from service.metrics import Metrics
from service.scheduling.scheduler import SHARE_OF_DEADLINE, retry_seconds

BEAT_SECONDS = 0.01  # between two looks at the event loop's lag


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadLimits:
    """Limits of what task requests may ask of a busy service, checked before their bodies are read.

    ``paths`` are the tasks', and of those ``row_paths`` wait for ``wait_seconds()`` at least: one whose deadline would
    not allow that is refused at once, for an event loop that reads what it then refuses answers less.
    """

    paths: Collection[str]
    row_paths: Collection[str]
    max_in_flight: int
    wait_seconds: Callable[[], float]
    default_timeout_ms: int
    needs_key: bool

    def refusal(self, path: str, context: RequestContext, in_flight: int) -> OverloadedError | None:
        """Return the error that refuses a task's request, or None. Who lacks a key is told that, and not how busy the
        service is."""
        if in_flight >= self.max_in_flight:
            return OverloadedError(f"{in_flight} requests are being answered", retry_after_seconds=1)
        wait = self.wait_seconds()
        if wait and path in self.row_paths and not (self.needs_key and context.caller.key is None):
            with suppress(InvalidRequestError):  # which is told later
                timeout = timeout_of(context.headers, default_timeout_ms=self.default_timeout_ms)
                allowed = SHARE_OF_DEADLINE * timeout
                if wait > allowed:
                    return OverloadedError(
                        f"requests wait for {1000 * wait:.0f} ms here on average; with its deadline this one may find "
                        f"{1000 * allowed:.0f} ms at most",
                        retry_after_seconds=retry_seconds(wait - allowed),
                    )
        return None


class EventLoopLag:
    """Observes how late a timer of the event loop is. It runs only while there are requests: an idle service sleeps."""

    def __init__(self, metrics: Metrics) -> None:
        self.is_beating = False
        self._metrics = metrics
        self.is_needed = False  # set by every request that comes

    def beat(self, due: float | None = None) -> None:
        """Observe a timer that was due then, or begin to, and set the next one if a request has come meanwhile."""
        now = time.monotonic()
        if due is not None:
            self._metrics.loop_lag_seconds.observe(max(0.0, now - due))
        self.is_beating, self.is_needed = self.is_needed, False
        if self.is_beating:
            asyncio.get_running_loop().call_later(BEAT_SECONDS, self.beat, now + BEAT_SECONDS)
