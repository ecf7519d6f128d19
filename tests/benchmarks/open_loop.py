"""Requests that come when they come, whether or not earlier ones are answered: an open loop, as users are one.

What is measured is the time from the moment a request was due to the last byte of its answer, so that a service
that stalls is charged for everybody who had to wait meanwhile (coordinated omission: G. Tene, "How NOT to measure
latency", 2015). One thread, and ``select``, which alone can wait for less than a millisecond.
"""

from __future__ import annotations

import random
import select
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.benchmarks.client import Address, Connection, Request

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request that is due ``at`` seconds after the start; ``kind`` says with which its time is counted."""

    at: float
    kind: str
    request: Request


@dataclass(slots=True, kw_only=True)
class Replay:
    """What became of a schedule."""

    latencies: dict[str, list[float]] = field(default_factory=dict)  # milliseconds by kind, of the 200s
    num_refused: int = 0  # all other answers
    num_held: int = 0  # requests that were due when every connection was busy
    lags: list[float] = field(default_factory=list)  # milliseconds that the client itself sent the others late
    seconds: float = 0.0
    client_cpu_seconds: float = 0.0

    @property
    def client_cpu_share(self) -> float:
        """Of one core."""
        return self.client_cpu_seconds / self.seconds


def poisson(requests: Sequence[Request], *, kind: str, rate: float, seconds: float, seed: int) -> Iterator[Arrival]:
    """``rate`` requests a second on average, each drawn from the given ones and independent of all others."""
    if not rate:
        return
    draw = random.Random(seed)
    at = draw.expovariate(rate)
    while at < seconds:
        yield Arrival(at=at, kind=kind, request=draw.choice(requests))
        at += draw.expovariate(rate)


def merge(*schedules: Iterable[Arrival]) -> list[Arrival]:
    """One schedule of several; of Poisson ones, again a Poisson one."""
    return sorted((arrival for schedule in schedules for arrival in schedule), key=lambda arrival: arrival.at)


def replay(
    address: Address, arrivals: Sequence[Arrival], *, num_connections: int, warm_up_seconds: float = 0.0
) -> Replay:
    """Send every arrival (by time) when it is due and wait for all answers; those due in the warm-up do not count.

    Raises TimeoutError if no answer comes for a minute.
    """
    with ExitStack() as stack:
        idle = deque(stack.enter_context(Connection(address)) for _ in range(num_connections))
        for connection in idle:
            connection.socket.settimeout(None)
        return _Player(idle, arrivals, warm_up_seconds=warm_up_seconds).play()


class _Player:
    """A schedule under way."""

    def __init__(self, idle: deque[Connection], arrivals: Sequence[Arrival], *, warm_up_seconds: float) -> None:
        self._idle = idle
        self._busy: dict[Connection, Arrival] = {}
        self._todo = deque(arrivals)
        self._warm_up_seconds = warm_up_seconds
        self._replay = Replay()
        self._is_held = False  # the next arrival was due before there was a connection for it
        self._started = time.perf_counter()

    @property
    def _now(self) -> float:
        return time.perf_counter() - self._started

    def play(self) -> Replay:
        cpu_started = time.process_time()
        while self._todo or self._busy:
            self._send_due()
            for connection in self._ready():
                if connection.receive():
                    self._note(connection)
        self._replay.seconds = self._now
        self._replay.client_cpu_seconds = time.process_time() - cpu_started
        return self._replay

    def _send_due(self) -> None:
        while self._todo and self._todo[0].at <= self._now:
            if not self._idle:
                self._is_held = True
                return
            arrival, connection = self._todo.popleft(), self._idle.popleft()
            if self._is_held:
                self._replay.num_held += 1
            else:
                self._replay.lags.append(1e3 * (self._now - arrival.at))
            connection.send(arrival.request)
            self._busy[connection] = arrival
        self._is_held = False

    def _ready(self) -> list[Connection]:
        """Connections with something to read; none when the next request is due."""
        is_due_next = bool(self._todo and self._idle)
        wait_seconds = max(0.0, self._todo[0].at - self._now) if is_due_next else PATIENCE_SECONDS
        ready: list[Connection] = select.select(list(self._busy), (), (), wait_seconds)[0]
        if not ready and not is_due_next:
            raise TimeoutError(f"no answer within {PATIENCE_SECONDS:.0f} s")
        return ready

    def _note(self, connection: Connection) -> None:
        arrival = self._busy.pop(connection)
        self._idle.append(connection)
        if arrival.at < self._warm_up_seconds:
            return
        if connection.ok:
            self._replay.latencies.setdefault(arrival.kind, []).append(1e3 * (self._now - arrival.at))
        else:
            self._replay.num_refused += 1
