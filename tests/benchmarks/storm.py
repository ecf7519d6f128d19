"""An open loop at many times what a service can do: every answer with its status and its time.

One thread and ``select``, for it shares the cores with what it measures; some 40 microseconds a request. What is due
when every connection is busy waits for one, and is charged for it.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.benchmarks.client import Address, Connection
from tests.benchmarks.open_loop import Arrival

PATIENCE_SECONDS = 30.0
MAX_CONNECTIONS = 900  # ``select`` takes no file descriptor above 1,023


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one request."""

    arrival: Arrival
    status: int
    seconds: float  # from the moment it was due
    sent_after: float  # seconds from then until it was sent


@dataclass(slots=True, kw_only=True)
class Storm:
    """What became of all."""

    replies: list[Reply] = field(default_factory=list)
    seconds: float = 0.0
    num_held: int = 0  # were due when every connection was busy
    client_cpu_seconds: float = 0.0


def storm(address: Address, arrivals: Sequence[Arrival], *, num_connections: int) -> Storm:
    """Send every arrival (by time) when it is due, and wait for all answers. Raises TimeoutError if none comes."""
    with ExitStack() as stack:
        connections = [stack.enter_context(Connection(address)) for _ in range(min(num_connections, MAX_CONNECTIONS))]
        for connection in connections:
            connection.socket.settimeout(None)
        return _Weather(deque(connections), deque(arrivals)).rage()


class _Weather:
    """A storm under way. The connection that was idle last is used first, so that few are in use in calm weather."""

    def __init__(self, idle: deque[Connection], todo: deque[Arrival]) -> None:
        self._idle, self._todo = idle, todo
        self._busy: dict[Connection, tuple[Arrival, float]] = {}
        self._storm = Storm()
        self._is_held = False
        self._started = time.perf_counter()

    @property
    def _now(self) -> float:
        return time.perf_counter() - self._started

    def rage(self) -> Storm:
        cpu_started = time.process_time()
        while self._todo or self._busy:
            self._send_due()
            for connection in self._ready():
                if connection.receive():
                    self._note(connection)
        self._storm.seconds = self._now
        self._storm.client_cpu_seconds = time.process_time() - cpu_started
        return self._storm

    def _send_due(self) -> None:
        while self._todo and self._todo[0].at <= (now := self._now):
            if not self._idle:
                self._is_held = True
                return
            arrival, connection = self._todo.popleft(), self._idle.pop()
            self._storm.num_held += self._is_held
            connection.send(arrival.request)
            self._busy[connection] = arrival, now - arrival.at
        self._is_held = False

    def _ready(self) -> list[Connection]:
        can_send = bool(self._todo and self._idle)
        patience = max(0.0, self._todo[0].at - self._now) if can_send else PATIENCE_SECONDS
        ready: list[Connection] = select.select(list(self._busy), (), (), patience)[0]
        if not ready and not can_send:
            raise TimeoutError(f"no answer within {PATIENCE_SECONDS:.0f} s")
        return ready

    def _note(self, connection: Connection) -> None:
        arrival, sent_after = self._busy.pop(connection)
        self._idle.append(connection)
        self._storm.replies.append(Reply(arrival, connection.status, self._now - arrival.at, sent_after))
