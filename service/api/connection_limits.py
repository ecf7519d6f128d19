"""Limits of connections: how many may be open, and how long each phase may take."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from service.settings import Settings

MAX_CONNECTIONS = 10_000
FILES_KEPT_FREE = 128  # of the process's limit: models, logs, sockets that listen
LINGER_SECONDS = 5.0  # to read what a refused caller still sends: closing at once would lose the answer
SWEEPS_PER_TIMEOUT = 4
MAX_SWEEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits of a server's connections and of each one."""

    max_connections: int = MAX_CONNECTIONS
    head_seconds: float = 30.0  # from a request's first byte, or the connection's begin, to the end of its headers
    answer_seconds: float = 60.0
    linger_seconds: float = LINGER_SECONDS

    @classmethod
    def of(cls, settings: Settings) -> ConnectionLimits:
        return cls(
            max_connections=settings.max_connections or most_connections(),
            head_seconds=settings.body_timeout_seconds,
            answer_seconds=settings.answer_timeout_seconds,
        )

    @property
    def sweep_seconds(self) -> float:
        """Seconds between two checks of all connections; a limit may be overrun by as much."""
        shortest = min(self.head_seconds, self.answer_seconds, self.linger_seconds)
        return min(MAX_SWEEP_SECONDS, shortest / SWEEPS_PER_TIMEOUT)


DEFAULT_LIMITS = ConnectionLimits()


def most_connections() -> int:
    """Return the default limit: as many as the process may open files for, at most MAX_CONNECTIONS."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else max(1, min(MAX_CONNECTIONS, files - FILES_KEPT_FREE))
