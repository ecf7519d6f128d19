"""Table of open connections, checked for stalled ones at intervals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from service.api.connection_limits import FILES_KEPT_FREE, ConnectionLimits
from service.errors import ServiceError


class TrackedConnection(Protocol):
    """A connection that the table can check."""

    loop: asyncio.AbstractEventLoop

    def end_if_stalled(self, now: float) -> None: ...


@dataclass(slots=True, kw_only=True, eq=False)
class ConnectionTable:
    """Open connections of one server; one timer checks them as long as there are any."""

    limits: ConnectionLimits
    count: Callable[[ServiceError], None]
    connections: set[TrackedConnection] = field(default_factory=set)
    _timer: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        return len(self.connections) >= self.limits.max_connections

    @property
    def is_flooded(self) -> bool:
        """Whether there are so many that even refusing them would use up the files that are kept free."""
        return len(self.connections) >= self.limits.max_connections + FILES_KEPT_FREE // 2

    def add(self, connection: TrackedConnection) -> None:
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


class IdleTimer:
    """Measures how long a connection has been waiting for the same thing."""

    __slots__ = ("_mark", "_since")

    def __init__(self) -> None:
        self._mark: object = None
        self._since = 0.0

    def seconds(self, mark: object, now: float) -> float:
        """Return the seconds since ``mark`` last changed; a mark of None means that nothing is waited for."""
        if mark is None or mark != self._mark:
            self._mark, self._since = mark, now
        return now - self._since
