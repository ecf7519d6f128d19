"""Limits of a server's connections: how many, how large a head, how long a caller may take."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Self

from service.settings import Settings

MAX_CONNECTIONS = 10_000
MAX_HEAD_BYTES = 32 * 1024
MAX_PIPELINED = 16  # requests that wait; as long as there are fewer, a caller who leaves is noticed
FILES_KEPT_FREE = 128  # of the process's limit: models, logs, sockets that listen


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits of a server's connections and of each one."""

    max_connections: int = MAX_CONNECTIONS
    request_seconds: float = 30.0  # for a head, from its first byte or the connection's begin; for a dropped body
    answer_seconds: float = 60.0  # without a byte of an answer being read
    linger_seconds: float = 5.0  # without a byte of a dropped body

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the limits that the settings ask for; connections are at most as many as files may be opened for."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        possible = MAX_CONNECTIONS if files == resource.RLIM_INFINITY else max(1, files - FILES_KEPT_FREE)
        return cls(
            max_connections=settings.max_connections or min(MAX_CONNECTIONS, possible),
            request_seconds=settings.body_timeout_seconds,
            answer_seconds=settings.answer_timeout_seconds,
        )
