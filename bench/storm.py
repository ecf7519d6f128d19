"""An open loop played to a service, be it idle or flooded: what became of every request, and when.

What is measured is the time from the moment a request was due to the last byte of its answer, so that a service
that stalls is charged for everybody who had to wait meanwhile (coordinated omission: G. Tene, "How NOT to measure
latency", 2015). What is due when every connection is busy waits for one, and is charged for it. One thread and
``select``, which alone can wait for less than a millisecond, for it shares the cores with what it measures; some 40
microseconds a request.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.client import Address, Connection
from bench.open_loop import Arrival

PATIENCE_SECONDS = 60.0
LOST = 0  # in place of a status
MAX_CONNECTIONS = 900  # ``select`` takes no file descriptor above 1,023


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of one request; its status is LOST where the service closed the connection before the answer."""

    arrival: Arrival
    status: int
    seconds: float  # from the moment it was due
    sent_after: float  # seconds from then until it was sent
    was_held: bool = False  # every connection was busy when it was due


@dataclass(slots=True, kw_only=True)
class Storm:
    """The outcomes of all requests."""

    replies: list[Reply] = field(default_factory=list)
    seconds: float = 0.0
    client_cpu_seconds: float = 0.0

    @property
    def num_held(self) -> int:
        """Requests that were due when every connection was busy."""
        return sum(reply.was_held for reply in self.replies)

    @property
    def num_lost(self) -> int:
        """Requests whose connection was closed or reset before they were answered."""
        return sum(reply.status == LOST for reply in self.replies)

    @property
    def lags(self) -> list[float]:
        """Milliseconds by which the client itself sent the others late."""
        return [1e3 * reply.sent_after for reply in self.replies if not reply.was_held]

    @property
    def client_cpu_share(self) -> float:
        """The processor time of the client as a share of one core."""
        return self.client_cpu_seconds / self.seconds


def storm(address: Address, arrivals: Sequence[Arrival], *, num_connections: int) -> Storm:
    """Send every arrival (by time) when it is due, and wait for all answers. A connection that the service closes in
    mid-answer is one lost request, and is replaced.

    Raises TimeoutError if no answer comes for a minute, and OSError if the service accepts no connection.
    """
    with ExitStack() as stack:

        def connect() -> Connection:
            connection = stack.enter_context(Connection(address))
            connection.socket.settimeout(None)
            return connection

        connections = [connect() for _ in range(min(num_connections, MAX_CONNECTIONS))]
        return _OpenLoop(deque(connections), deque(arrivals), connect).run()


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request on its way."""

    arrival: Arrival
    after: float  # seconds from the moment it was due
    was_held: bool

    def answered(self, status: int, *, now: float) -> Reply:
        return Reply(self.arrival, status, now - self.arrival.at, self.after, self.was_held)


class _OpenLoop:
    """An open loop under way. The connection that was idle last is used first, so that few are in use at low load."""

    def __init__(self, idle: deque[Connection], todo: deque[Arrival], connect: Callable[[], Connection]) -> None:
        self._idle, self._todo, self._connect = idle, todo, connect
        self._busy: dict[Connection, _Sent] = {}
        self._storm = Storm()
        self._is_held = False  # the next arrival was due before there was a connection for it
        self._started = time.perf_counter()

    @property
    def _now(self) -> float:
        return time.perf_counter() - self._started

    def run(self) -> Storm:
        cpu_started = time.process_time()
        while self._todo or self._busy:
            self._send_due()
            for connection in self._ready():
                try:
                    is_whole = connection.receive()
                except ConnectionError:
                    self._lose(connection)
                else:
                    if is_whole:
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
            self._busy[connection] = _Sent(arrival, now - arrival.at, self._is_held)
            try:
                connection.send(arrival.request)
            except ConnectionError:
                self._lose(connection)
        self._is_held = False

    def _ready(self) -> list[Connection]:
        """Connections with something to read; none when the next request is due."""
        can_send = bool(self._todo and self._idle)
        patience = max(0.0, self._todo[0].at - self._now) if can_send else PATIENCE_SECONDS
        ready: list[Connection] = select.select(list(self._busy), (), (), patience)[0]
        if not ready and not can_send:
            raise TimeoutError(f"no answer within {PATIENCE_SECONDS:.0f} s")
        return ready

    def _lose(self, connection: Connection) -> None:
        """Note that a request will not be answered, and replace its connection."""
        self._storm.replies.append(self._busy.pop(connection).answered(LOST, now=self._now))
        connection.socket.close()
        self._idle.append(self._connect())

    def _note(self, connection: Connection) -> None:
        sent = self._busy.pop(connection)
        self._idle.append(connection)
        self._storm.replies.append(sent.answered(connection.status, now=self._now))
