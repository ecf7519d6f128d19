"""One look at all connections, once in a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from service.api.connection_limits import FILES_KEPT_FREE, ConnectionLimits
from service.errors import ServiceError


class Watched(Protocol):
    """A connection."""

    loop: asyncio.AbstractEventLoop

    def end_if_stalled(self, now: float) -> None: ...


@dataclass(slots=True, kw_only=True, eq=False)
class Watch:
    """All connections of one server, looked at once in a while as long as there are any."""

    limits: ConnectionLimits
    count: Callable[[ServiceError], None]
    connections: set[Watched] = field(default_factory=set)
    _timer: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        return len(self.connections) >= self.limits.max_connections

    @property
    def is_flooded(self) -> bool:
        """Even those who are told to go away would take the files that are kept free."""
        return len(self.connections) >= self.limits.max_connections + FILES_KEPT_FREE // 2

    def add(self, connection: Watched) -> None:
        self.connections.add(connection)
        if self._timer is None:
            self._sweep_later(connection.loop)

    def _sweep_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self.limits.sweep_seconds, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self.connections:
            self._sweep_later(loop)
        now = loop.time()
        for connection in list(self.connections):
            connection.end_if_stalled(now)


class Stall:
    """How long a connection has been seen waiting for the same thing."""

    __slots__ = ("_mark", "_since")

    def __init__(self) -> None:
        self._mark: object = None
        self._since = 0.0

    def seconds(self, mark: object, now: float) -> float:
        """``mark`` stays the same as long as nothing moves; None waits for nothing."""
        if mark is None or mark != self._mark:
            self._mark, self._since = mark, now
        return now - self._since
