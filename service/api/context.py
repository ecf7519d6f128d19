"""Request context: the request's id, caller, deadline and priority, what is measured while it is answered, and the log,
metrics and trace that record it."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Protocol, cast

from litestar.connection import ASGIConnection
from litestar.types import Receive

from service.errors import InvalidRequestError
from service.keys import ApiKey, ApiKeys
from service.lifecycle import Lifecycle
from service.logs import log_request
from service.metrics import Metrics
from service.models.registry import ModelName, full_name
from service.scheduling.job import Done, ModelWork, Priority
from service.telemetry import NO_TRACE, Trace, Tracer

CONNECTION = "ribbon.connection"  # among the extensions of a request's scope: a Connection
PRIORITY_HEADER = "X-Priority"
TIMEOUT_HEADER = "X-Request-Timeout-Ms"
PRIORITY, TIMEOUT = PRIORITY_HEADER.lower().encode(), TIMEOUT_HEADER.lower().encode()
MAX_TIMEOUT_MS = 3_600_000
WATCH_AFTER_SECONDS = 0.05  # a watch costs a task; most answers are there before it would be worth one
_NUMBER = re.compile(r"[0-9]{1,16}(\.[0-9]{1,32})?([eE][+-]?[0-9]{1,3})?")  # as in JSON
OTHER_METHOD = "_OTHER"  # whatever else a caller makes up
_SANE_ID = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,128}")
MAX_ADDRESS_LENGTH = 64  # a zone's name included; a trusted proxy may hand on anything
NETWORK_BITS = 64  # of an IPv6 address: the rest is the caller's to choose
_QUIET_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})  # asked every few seconds, for ever
_KINDS_WITH_ADDRESS = frozenset({"unauthorized", "rate_limited", "body_timeout"})  # whose senders an operator looks for
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_log = logging.getLogger("service.requests")


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


class Connection(Protocol):
    """Connection of a request that is read and answered without messages of ASGI (``service.serving.direct``)."""

    on_left: Callable[[], None] | None  # what ``watch`` was given, until it is None again

    def take_body(self) -> bytes | None:
        """Return the request's body, or None if it is not there yet."""
        ...

    def watch(self, on_left: Callable[[], None]) -> None:
        """Call ``on_left`` if the caller leaves, or has left, before there is an answer."""
        ...

    def answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Write a whole answer, and return whether that was possible."""
        ...


async def receive_nothing() -> Any:
    """Receive from a connection that has closed."""
    return {"type": "http.disconnect"}


@dataclass(slots=True, kw_only=True, eq=False)
class RequestContext:
    """State of one request beside its body, filled in while it is answered."""

    request_id: str
    headers: Mapping[bytes, bytes] = field(default_factory=dict)  # of the request, the first of each name
    receive: Receive = receive_nothing
    connection: Connection | None = None  # under a server of this project's
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

    def answer_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of the answer that tell the request's id and where its time went."""
        timing = (
            f"queue;dur={1000 * self.queue_seconds:.2f}, model;dur={1000 * self.model_seconds:.2f}, "
            f"total;dur={1000 * (time.monotonic() - self.started_at):.2f}"
        )
        return [(b"x-request-id", self.request_id.encode()), (b"server-timing", timing.encode()), *self.more_headers]


def new_request_id() -> str:
    """Make a request id. It is no secret, so no system call is needed."""
    return f"{random.getrandbits(128):032x}"


def context_of(connection: ASGIConnection[Any, Any, Any, Any]) -> RequestContext:
    """Return the context that the middleware has made for a request."""
    return cast("RequestContext", connection.scope["state"]["context"])


def timeout_of(headers: Mapping[bytes, bytes], *, default_timeout_ms: int) -> float:
    """Return the seconds that the timeout header names, or the default without a header. Raises InvalidRequestError."""
    value = headers.get(TIMEOUT)
    return (default_timeout_ms if value is None else _milliseconds(value.decode("latin-1"))) / 1000


def priority_of(headers: Mapping[bytes, bytes]) -> Priority:
    """Return the priority that a request's headers ask for. Raises InvalidRequestError."""
    try:
        return Priority(headers.get(PRIORITY, b"interactive").decode("latin-1"))
    except ValueError:
        message = f"must be {' or '.join(each.value for each in Priority)}"
        raise InvalidRequestError.at(f"headers.{PRIORITY_HEADER}", message) from None


def _milliseconds(value: str) -> float:
    if _NUMBER.fullmatch(value) and 0 < float(value) <= MAX_TIMEOUT_MS:
        return float(value)
    message = f"must be a number of milliseconds above 0 and at most {MAX_TIMEOUT_MS}"
    raise InvalidRequestError.at(f"headers.{TIMEOUT_HEADER}", message)


@contextmanager
def watching_for_disconnect(receive: Receive, on_left: Callable[[], None]) -> Iterator[None]:
    """Context manager that calls ``on_left`` if the connection closes meanwhile. The body must have been read."""
    watch: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    timer = loop.call_later(
        WATCH_AFTER_SECONDS, lambda: watch.append(loop.create_task(_wait_for_disconnect(receive, on_left)))
    )
    try:
        yield
    finally:
        timer.cancel()
        for task in watch:
            task.cancel()


async def _wait_for_disconnect(receive: Receive, on_left: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    on_left()


class RequestLog:
    """Begins request contexts, and records their outcome."""

    def __init__(self, *, metrics: Metrics, keys: ApiKeys | None, tracer: Tracer, lifecycle: Lifecycle) -> None:
        self.metrics = metrics
        self.keys = keys
        self._tracer = tracer
        self._lifecycle = lifecycle
        self._answers: dict[tuple[str, int], Any] = {}  # the counter of each route and status

    def begin(self, scope: Any, receive: Receive) -> RequestContext:
        """Make the context of an ASGI scope; the request is in flight from now on."""
        pairs, method, client = scope["headers"], scope["method"], scope.get("client")
        headers: dict[bytes, bytes] = dict(reversed(pairs))
        given = headers.get(b"x-request-id", b"")
        self._lifecycle.in_flight += 1
        return RequestContext(
            request_id=given.decode("ascii") if given and _SANE_ID.fullmatch(given) else new_request_id(),
            headers=headers,
            receive=receive,
            connection=scope["extensions"].get(CONNECTION) if "extensions" in scope else None,
            caller=Caller(client[0] if client else None, None if self.keys is None else self.keys.presented(pairs)),
            method=method if method in _METHODS else OTHER_METHOD,
            trace=self._tracer.begin(pairs) if self._tracer.is_on and scope["path"] not in _QUIET_ROUTES else NO_TRACE,
        )

    def end(self, context: RequestContext, route: str) -> None:
        """Record a request that has been answered or given up."""
        self._lifecycle.in_flight -= 1
        context.receive, context.connection = receive_nothing, None  # they hold the request, and that the context
        metrics, total = self.metrics, time.monotonic() - context.started_at
        answers = self._answers.get((route, context.status))
        if answers is None:
            answers = metrics.requests.labels(route, str(context.status))
            self._answers[route, context.status] = answers
        answers.inc()
        if context.kind is not None:
            metrics.errors.labels(context.kind).inc()
        elif context.items:
            metrics.queue_seconds.observe(context.queue_seconds)
            metrics.model_seconds.observe(context.model_seconds)
            metrics.total_seconds.observe(total)
            metrics.tokens.inc(context.tokens)
            if context.caller.key is not None:
                metrics.key_items.labels(context.caller.key.name).inc(context.items)
        is_logged = route not in _QUIET_ROUTES and _log.isEnabledFor(logging.INFO)
        if is_logged or context.trace is not NO_TRACE:
            fields = log_fields(context, route, total)
            context.trace.end(fields)
            if is_logged:
                log_request(_log, fields)


def log_fields(context: RequestContext, route: str, total_seconds: float) -> dict[str, Any]:
    """Return what is logged about a request: sizes, times and names of our own, and no word of anybody's text."""
    fields: dict[str, Any] = {
        "request_id": context.request_id,
        "method": context.method,
        "route": route,
        "status": context.status,
        "request_bytes": context.request_bytes,
        "answer_bytes": context.answer_bytes,
        "items": context.items,
        "tokens": context.tokens,
        "queue_ms": round(1000 * context.queue_seconds, 2),
        "model_ms": round(1000 * context.model_seconds, 2),
        "total_ms": round(1000 * total_seconds, 2),
    }
    if context.model is not None:
        fields["model"] = full_name(context.model)
    if context.caller.key is not None:
        fields["key"] = context.caller.key.name
    if context.kind is not None:
        fields["kind"] = context.kind
    if context.kind in _KINDS_WITH_ADDRESS:
        fields["address"] = context.caller.address
    if context.trace.id is not None:
        fields["trace_id"] = context.trace.id
    return fields


def trace_work(trace: Trace, model: str, done: Done[Any]) -> None:
    """Add the stages of a request's work to its trace: its wait, each run of a batch, and all decoded sentences merged
    into one, for there may be hundreds."""
    if done.work:
        began_at = min(each.began_at for each in done.work)
        trace.add("queue", since=began_at - done.queue_seconds, until=began_at)
    runs = [each for each in done.work if each.stage == "model"]
    decoded = [each for each in done.work if each.stage == "decode"]
    for each in [*runs, reduce(ModelWork.joined, decoded)] if decoded else runs:
        trace.add(each.stage, since=each.began_at, until=each.ended_at, model=model, **each.sizes)
