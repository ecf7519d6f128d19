"""Admission control by queue limits and deadlines, and the lifecycle of the service from starting to draining."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from math import ceil

from service.errors import DeadlineExceededError, NotReadyError, OverloadedError

LONGEST_RETRY_SECONDS = 60  # no prediction reaches further


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Predictions for a request that is about to be queued."""

    queued_cells: int  # in the same queue
    own_cells: int
    seconds: float  # until it is answered, as predicted
    best_seconds: float  # the same if it had the service to itself, at the best speed there ever was
    is_idle: bool  # nothing waits, and a thread is free


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionControl:
    """Refuses at arrival the requests that would be answered too late, whether they hold one text or many.

    An idle service accepts all that it could answer in time at its best, whatever was predicted: a speed that was
    learned in a bad moment corrects itself. While other requests wait, one may take half of the room that is left in
    its queue, so that a few huge ones never fill it; where nothing waits any request is accepted.
    """

    max_queued_cells: int

    def check(self, outlook: Outlook, *, deadline: float, now: float) -> None:
        """Raise DeadlineExceededError or OverloadedError if the request is to be refused."""
        left = deadline - now
        if left <= 0:
            raise DeadlineExceededError("the deadline passed before the work could be queued")
        if outlook.queued_cells and outlook.own_cells > self._room(outlook):
            raise OverloadedError(
                f"{outlook.queued_cells} tokens are waiting and the limit is {self.max_queued_cells}: there is no room "
                f"for {outlook.own_cells} more",
                retry_after_seconds=_retry_seconds(outlook.seconds),
            )
        if (outlook.best_seconds if outlook.is_idle else outlook.seconds) > left:
            raise OverloadedError(_too_late(outlook, left), retry_after_seconds=_retry_seconds(outlook.seconds - left))

    def _room(self, outlook: Outlook) -> int:
        """Return the cells that one request may take. The last cells go to requests of one cell each, so that a full
        queue is really full."""
        left = self.max_queued_cells - outlook.queued_cells
        return max(left // 2, min(left, 1))


def _too_late(outlook: Outlook, left: float) -> str:
    if outlook.is_idle:
        return (
            f"nothing waits, but this takes {1000 * outlook.best_seconds:.0f} ms at best, and {1000 * left:.0f} ms are "
            "left: give it more time or send less at once"
        )
    return (
        f"{outlook.queued_cells} tokens are waiting; this would take about {1000 * outlook.seconds:.0f} ms, and "
        f"{1000 * left:.0f} ms are left"
    )


def _retry_seconds(excess: float) -> int:
    """Return the whole seconds in which so much work will have been done."""
    return min(LONGEST_RETRY_SECONDS, max(1, ceil(excess)))


class Phase(Enum):
    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"  # told to stop, but requests of callers who have not noticed yet are accepted
    DRAINING = "draining"
    FAILED = "failed"


_LETS_IN = frozenset({Phase.READY, Phase.LEAVING})
_ENDS = frozenset({Phase.LEAVING, Phase.DRAINING})


class Lifecycle:
    """State of the service from starting to draining, and the number of requests in flight."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self.in_flight = 0
        self._decided = asyncio.Event()

    @property
    def is_ending(self) -> bool:
        """Whether callers had better go to another instance."""
        return self.phase in _ENDS

    def open(self) -> None:
        """Become ready, after loading. A service that was told to stop while it loaded stays closed."""
        self._decide(Phase.READY)

    def fail(self) -> None:
        """Record that loading failed: the service will never be ready."""
        self._decide(Phase.FAILED)

    def leave(self) -> None:
        """Stop reporting that the service is ready, but still accept requests; a service that is still starting
        closes."""
        if self.phase is Phase.READY:
            self.phase = Phase.LEAVING
        elif self.phase is Phase.STARTING:
            self.close()

    def close(self) -> None:
        """Accept no more requests, for good; those in flight may finish."""
        if self.phase is not Phase.FAILED:
            self.phase = Phase.DRAINING
        self._decided.set()

    async def decided(self) -> Phase:
        """Wait for the end of the start, whichever it is, and return the phase."""
        await self._decided.wait()
        return self.phase

    def check(self) -> None:
        """Raise NotReadyError unless requests are accepted."""
        if self.phase not in _LETS_IN:
            raise self._not_ready()

    def check_ready(self) -> None:
        """Raise NotReadyError unless the service is ready."""
        if self.phase is not Phase.READY:
            raise self._not_ready()

    def _decide(self, phase: Phase) -> None:
        if self.phase is Phase.STARTING:
            self.phase = phase
        self._decided.set()

    def _not_ready(self) -> NotReadyError:
        return NotReadyError(f"the service is {self.phase.value}", retry_after_seconds=1)
