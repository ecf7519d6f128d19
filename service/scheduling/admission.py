"""Who is let in: a bounded queue, deadlines that can be met, and a door that opens once and closes once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from math import ceil

from service.errors import DeadlineExceededError, NotReadyError, OverloadedError

MEMORY = 0.95  # of what earlier runs taught, this much is kept at each new one


class Throughput:
    """Tokens per second of one slot, learned from its runs; big runs count for more, old ones for less."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0

    def learn(self, *, tokens: int, seconds: float) -> None:
        self._tokens = MEMORY * self._tokens + tokens
        self._seconds = MEMORY * self._seconds + seconds

    def seconds_for(self, tokens: int) -> float:
        """0 as long as nothing ran."""
        return tokens * self._seconds / self._tokens if self._tokens else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Refuses at the door what would wait too long. Where nothing waits everything is let in, so that a request
    larger than the bound is served when its turn comes; a full queue refuses one text and many alike."""

    max_queued_cells: int

    def check(self, *, queued_cells: int, wait_seconds: float, own_seconds: float, deadline: float, now: float) -> None:
        """``queued_cells`` wait in the same queue, and ``wait_seconds`` pass until these rows' turn; their runs take
        ``own_seconds``. Raises DeadlineExceededError or OverloadedError."""
        if deadline <= now:
            raise DeadlineExceededError("the deadline passed before the work could be queued")
        if queued_cells >= self.max_queued_cells:
            raise OverloadedError(
                f"{queued_cells} tokens are waiting; the limit is {self.max_queued_cells}",
                retry_after_seconds=max(1, ceil(wait_seconds)),
            )
        if wait_seconds and now + wait_seconds + own_seconds > deadline:
            raise OverloadedError(
                f"{queued_cells} tokens are waiting; this would take about "
                f"{1000 * (wait_seconds + own_seconds):.0f} ms, and {1000 * (deadline - now):.0f} ms are left",
                retry_after_seconds=max(1, ceil(wait_seconds)),
            )


class Phase(Enum):
    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"  # told to stop, but those who have not noticed yet are still let in
    DRAINING = "draining"
    FAILED = "failed"


_LETS_IN = frozenset({Phase.READY, Phase.LEAVING})
_ENDS = frozenset({Phase.LEAVING, Phase.DRAINING})


class Door:
    """Open while the service is ready and shortly after; says why when it is not, and how much is still inside."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self.inside = 0
        self._decided = asyncio.Event()

    @property
    def is_ending(self) -> bool:
        """Callers had better go elsewhere."""
        return self.phase in _ENDS

    def open(self) -> None:
        """After loading. A service told to stop while it loaded stays shut."""
        self._decide(Phase.READY)

    def fail(self) -> None:
        """Loading failed: it will never open."""
        self._decide(Phase.FAILED)

    def leave(self) -> None:
        """Say no longer that it is ready, but let in who comes. One that has not opened closes."""
        if self.phase is Phase.READY:
            self.phase = Phase.LEAVING
        elif self.phase is Phase.STARTING:
            self.close()

    def close(self) -> None:
        """For good: what is inside may finish."""
        if self.phase is not Phase.FAILED:
            self.phase = Phase.DRAINING
        self._decided.set()

    async def decided(self) -> Phase:
        """Wait for the end of the start, whichever it is."""
        await self._decided.wait()
        return self.phase

    def check(self) -> None:
        """May work come in? Raises NotReadyError."""
        if self.phase not in _LETS_IN:
            raise self._not_ready()

    def check_ready(self) -> None:
        """Should work be sent here? Raises NotReadyError."""
        if self.phase is not Phase.READY:
            raise self._not_ready()

    def _decide(self, phase: Phase) -> None:
        if self.phase is Phase.STARTING:
            self.phase = phase
        self._decided.set()

    def _not_ready(self) -> NotReadyError:
        return NotReadyError(f"the service is {self.phase.value}", retry_after_seconds=1)
