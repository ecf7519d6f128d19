"""One request and its answer: who, since when, until when, and what its headers ask for."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from litestar.connection import ASGIConnection

from service.api.callers import NOBODY, Caller
from service.api.schemas import ModelName
from service.errors import FieldError, InvalidRequestError
from service.scheduling.virtual_time import Priority
from service.tracing.trace import NO_TRACE, Trace

PRIORITY_HEADER = "X-Priority"
TIMEOUT_HEADER = "X-Request-Timeout-Ms"
MAX_TIMEOUT_MS = 3_600_000
_NUMBER = re.compile(r"[0-9]{1,16}(\.[0-9]{1,32})?([eE][+-]?[0-9]{1,3})?")  # as in JSON
OTHER_METHOD = "_OTHER"  # whatever else a caller makes up
_SANE_ID = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,128}")


@dataclass(slots=True, kw_only=True, eq=False)
class Exchange:
    """What is known about a request beside its body; filled in while it is answered."""

    request_id: str
    caller: Caller = NOBODY
    method: str = OTHER_METHOD
    trace: Trace = NO_TRACE
    started_at: float = field(default_factory=time.monotonic)
    status: int = 0
    kind: str | None = None  # of the problem, if it came to that
    queue_seconds: float = 0.0
    model_seconds: float = 0.0
    items: int = 0
    tokens: int = 0
    more_headers: Sequence[tuple[bytes, bytes]] = ()
    request_bytes: int = 0  # of the body, as far as it was read
    answer_bytes: int = 0  # likewise sent
    model: ModelName | None = None  # that was found for it

    @property
    def total_seconds(self) -> float:
        return time.monotonic() - self.started_at

    def headers(self) -> list[tuple[bytes, bytes]]:
        timing = (
            f"queue;dur={1000 * self.queue_seconds:.2f}, model;dur={1000 * self.model_seconds:.2f}, "
            f"total;dur={1000 * self.total_seconds:.2f}"
        )
        return [(b"x-request-id", self.request_id.encode()), (b"server-timing", timing.encode()), *self.more_headers]


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The caller's id if it is short and plain, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return value.decode("ascii")
    return new_request_id()


def new_request_id() -> str:
    """An id, not a secret: no system call."""
    return f"{random.getrandbits(128):032x}"


def exchange_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Exchange:
    return cast("Exchange", connection.scope["state"]["exchange"])


def deadline_of(connection: ASGIConnection[Any, Any, Any, Any], *, default_timeout_ms: int) -> float:
    """The reading of ``time.monotonic`` until which the caller waits. Raises InvalidRequestError."""
    value = connection.headers.get(TIMEOUT_HEADER)
    return exchange_of(connection).started_at + patience_of(value, default_timeout_ms=default_timeout_ms)


def patience_of(value: str | None, *, default_timeout_ms: int) -> float:
    """Seconds, from what the header says, if it is there. Raises InvalidRequestError."""
    return (default_timeout_ms if value is None else _milliseconds(value)) / 1000


def priority_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Priority:
    """Raises InvalidRequestError."""
    return priority_named(connection.headers.get(PRIORITY_HEADER))


def priority_named(value: str | None) -> Priority:
    """From what the header says, if it is there. Raises InvalidRequestError."""
    if value is None:
        return Priority.INTERACTIVE
    try:
        return Priority(value)
    except ValueError:
        message = f"must be {' or '.join(each.value for each in Priority)}"
        error = FieldError(path=f"headers.{PRIORITY_HEADER}", message=message)
        raise InvalidRequestError(f"{PRIORITY_HEADER} {message}", errors=[error]) from None


def _milliseconds(value: str) -> float:
    if _NUMBER.fullmatch(value) and 0 < float(value) <= MAX_TIMEOUT_MS:
        return float(value)
    message = f"must be a number of milliseconds above 0 and at most {MAX_TIMEOUT_MS}"
    raise InvalidRequestError(
        f"{TIMEOUT_HEADER} {message}", errors=[FieldError(path=f"headers.{TIMEOUT_HEADER}", message=message)]
    )
