"""Request context: the request's id, caller, deadline and priority, and what is measured while it is answered."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, cast

from litestar.connection import ASGIConnection

from service.api_keys import ApiKey
from service.errors import FieldError, InvalidRequestError
from service.models.cards import ModelName
from service.scheduling.job import Priority
from service.telemetry import NO_TRACE, Trace

PRIORITY_HEADER = "X-Priority"
TIMEOUT_HEADER = "X-Request-Timeout-Ms"
MAX_TIMEOUT_MS = 3_600_000
_NUMBER = re.compile(r"[0-9]{1,16}(\.[0-9]{1,32})?([eE][+-]?[0-9]{1,3})?")  # as in JSON
OTHER_METHOD = "_OTHER"  # whatever else a caller makes up
_SANE_ID = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,128}")
MAX_ADDRESS_LENGTH = 64  # a zone's name included; a trusted proxy may hand on anything
NETWORK_BITS = 64  # of an IPv6 address: the rest is the caller's to choose


@dataclass(frozen=True, slots=True)
class Caller:
    """A request's sender. ``address`` is None on a unix socket; ``key`` is None if no key or a wrong one was sent, or
    none is asked for."""

    address: str | None
    key: ApiKey | None = None

    @property
    def bucket(self) -> str:
        """Name the rate-limit bucket: one per key, IPv4 address or IPv6 /64 network."""
        return f"key {self.key.name}" if self.key else network_of((self.address or "")[:MAX_ADDRESS_LENGTH])


NOBODY = Caller(None)


@lru_cache(4096)
def network_of(text: str) -> str:
    """Return the /64 network of an IPv6 address, and any other text as it is. An IPv4 address that came through an
    IPv6 socket counts as IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((int(address), NETWORK_BITS), strict=False))


@dataclass(slots=True, kw_only=True, eq=False)
class RequestContext:
    """State of one request beside its body, filled in while it is answered."""

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
    held_bytes: int = 0  # of the body as it came and as it was decompressed, that the budget of bodies counts
    answer_bytes: int = 0  # as far as they were sent
    model: ModelName | None = None  # that was found for it

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of the answer that tell the request's id and where its time went."""
        timing = (
            f"queue;dur={1000 * self.queue_seconds:.2f}, model;dur={1000 * self.model_seconds:.2f}, "
            f"total;dur={1000 * (time.monotonic() - self.started_at):.2f}"
        )
        return [(b"x-request-id", self.request_id.encode()), (b"server-timing", timing.encode()), *self.more_headers]


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the caller's id if it is short and plain, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return value.decode("ascii")
    return new_request_id()


def new_request_id() -> str:
    """Make a request id. It is no secret, so no system call is needed."""
    return f"{random.getrandbits(128):032x}"


def context_of(connection: ASGIConnection[Any, Any, Any, Any]) -> RequestContext:
    """Return the context that the middleware has made for a request."""
    return cast("RequestContext", connection.scope["state"]["context"])


def timeout_of(value: str | None, *, default_timeout_ms: int) -> float:
    """Return the seconds that the timeout header names, or the default without a header. Raises InvalidRequestError."""
    return (default_timeout_ms if value is None else _milliseconds(value)) / 1000


def priority_named(value: str | None) -> Priority:
    """Return the priority that a header's value names, or the default without a header. Raises InvalidRequestError."""
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
