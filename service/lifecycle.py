"""Lifecycle of the service, from starting to draining."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum

from service.errors import NotReadyError


class Phase(Enum):
    """Phase in the life of the service."""

    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"  # asked to stop: it says that it is not ready, but still accepts requests
    DRAINING = "draining"
    FAILED = "failed"


_ACCEPTING = frozenset({Phase.READY, Phase.LEAVING})
_ENDING = frozenset({Phase.LEAVING, Phase.DRAINING})


class Lifecycle:
    """State of the service from starting to draining, and the number of requests in flight."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self.is_accepting = False
        self.is_ending = False  # callers had better go to another instance
        self.in_flight = 0
        self.is_live: Callable[[], bool] = lambda: True  # of several workers: whether all are, as far as is known
        self._decided = asyncio.Event()

    def open(self) -> None:
        """Become ready, after loading. A service that was asked to stop while it loaded stays closed."""
        self._decide(Phase.READY)

    def fail(self) -> None:
        """Record that loading failed: the service will never be ready."""
        self._decide(Phase.FAILED)

    def leave(self) -> None:
        """Say no longer that the service is ready, but accept requests; a service that is still starting closes."""
        if self.phase is Phase.READY:
            self._enter(Phase.LEAVING)
        elif self.phase is Phase.STARTING:
            self.close()

    def close(self) -> None:
        """Accept no more requests, for good; those in flight may finish."""
        if self.phase is not Phase.FAILED:
            self._enter(Phase.DRAINING)
        self._decided.set()

    async def decided(self) -> Phase:
        """Wait until the service has started or failed to, and return the phase."""
        await self._decided.wait()
        return self.phase

    def check(self) -> None:
        """Raise NotReadyError unless requests are accepted."""
        if not self.is_accepting:
            raise self._not_ready()

    def check_live(self) -> None:
        """Raise NotReadyError if a worker, or what watches over them, stands still and nobody mends it."""
        if not self.is_live():
            raise NotReadyError("a process of the service stands still", retry_after_seconds=1)

    def check_ready(self) -> None:
        """Raise NotReadyError unless the service is ready."""
        if self.phase is not Phase.READY:
            raise self._not_ready()

    def _decide(self, phase: Phase) -> None:
        if self.phase is Phase.STARTING:
            self._enter(phase)
        self._decided.set()

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.is_accepting, self.is_ending = phase in _ACCEPTING, phase in _ENDING

    def _not_ready(self) -> NotReadyError:
        return NotReadyError(f"the service is {self.phase.value}", retry_after_seconds=1)
