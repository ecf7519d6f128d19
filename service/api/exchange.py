"""One request and its answer: who, since when, until when, and what is written down about it afterwards."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from litestar.connection import ASGIConnection
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service.api.callers import NOBODY, Caller, Callers
from service.api.logs import log_request
from service.api.protection import protections
from service.api.schemas import ModelName
from service.errors import FieldError, InvalidRequestError
from service.metrics import Metrics
from service.scheduling.admission import Door
from service.scheduling.virtual_time import Priority
from service.tracing.trace import NO_TRACE, Trace, Tracer

PRIORITY_HEADER = "X-Priority"
TIMEOUT_HEADER = "X-Request-Timeout-Ms"
MAX_TIMEOUT_MS = 3_600_000
NO_CONTENT = 204  # of OPTIONS
UNKNOWN_ROUTE = "unknown"  # every path that is no route shares this label
_QUIET_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})  # asked every few seconds, for ever
FAREWELL = ((b"connection", b"close"),)  # the next request should go to another process
_WORTH_AN_ADDRESS = frozenset({"unauthorized", "rate_limited", "body_timeout"})  # whom to look at
_NUMBER = re.compile(r"[0-9]{1,16}(\.[0-9]{1,32})?([eE][+-]?[0-9]{1,3})?")  # as in JSON
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "_OTHER"  # whatever else a caller makes up
_SANE_ID = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,128}")

_log = logging.getLogger("service.requests")


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


class ExchangeMiddleware:
    """Outermost of all, so that unknown paths and wrong methods are counted like everything else."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, door: Door, callers: Callers, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer
        self._metrics = metrics
        self._door = door
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._begin(scope)
        scope.setdefault("state", {})["exchange"] = exchange
        method = cast("dict[str, str]", scope)["method"]
        if method == "HEAD":
            scope, send = cast("Scope", {**scope, "method": "GET"}), without_body(send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                headers = message["headers"] if exchange.status != NO_CONTENT else _with_head(message["headers"])
                farewell = FAREWELL if self._door.is_ending else ()
                message["headers"] = [*headers, *protections(method, headers), *exchange.headers(), *farewell]
            elif method != "HEAD":
                exchange.answer_bytes += len(cast("dict[str, Any]", message).get("body", b""))
            await send(message)

        async def receive_counted() -> Any:
            message = await receive()
            exchange.request_bytes += len(cast("dict[str, Any]", message).get("body", b""))
            return message

        self._door.inside += 1
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive_counted, send_with_headers)
        finally:
            self._door.inside -= 1
            self._metrics.in_flight.dec()
            self._write_down(exchange, cast("dict[str, Any]", scope).get("path_template") or UNKNOWN_ROUTE)

    def _begin(self, scope: Scope) -> Exchange:
        headers, method = scope["headers"], cast("dict[str, str]", scope)["method"]
        trace = NO_TRACE if scope["path"] in _QUIET_ROUTES else self._tracer.begin(headers)
        return Exchange(
            request_id=request_id_of(headers),
            caller=self._callers.of(scope),
            method=method if method in _METHODS else OTHER_METHOD,
            trace=trace,
        )

    def _write_down(self, exchange: Exchange, route: str) -> None:
        metrics, total = self._metrics, exchange.total_seconds
        metrics.requests.labels(route, str(exchange.status)).inc()
        if exchange.kind is not None:
            metrics.errors.labels(exchange.kind).inc()
        elif exchange.items:
            metrics.queue_seconds.observe(exchange.queue_seconds)
            metrics.model_seconds.observe(exchange.model_seconds)
            metrics.total_seconds.observe(total)
            metrics.tokens.inc(exchange.tokens)
            if exchange.caller.key is not None:
                metrics.key_items.labels(exchange.caller.key.name).inc(exchange.items)
        is_logged = route not in _QUIET_ROUTES and _log.isEnabledFor(logging.INFO)
        if is_logged or exchange.trace is not NO_TRACE:
            facts = _facts(exchange, route, total)
            exchange.trace.end(facts)
            if is_logged:
                log_request(_log, facts)


def _facts(exchange: Exchange, route: str, total_seconds: float) -> dict[str, Any]:
    """What is written down about a request: sizes, times and names of our own, and no word of anybody's."""
    facts: dict[str, Any] = {
        "request_id": exchange.request_id,
        "method": exchange.method,
        "route": route,
        "status": exchange.status,
        "request_bytes": exchange.request_bytes,
        "answer_bytes": exchange.answer_bytes,
        "items": exchange.items,
        "tokens": exchange.tokens,
        "queue_ms": round(1000 * exchange.queue_seconds, 2),
        "model_ms": round(1000 * exchange.model_seconds, 2),
        "total_ms": round(1000 * total_seconds, 2),
    }
    if exchange.model is not None:
        facts["model"] = f"{exchange.model.name}@{exchange.model.version}"
    if exchange.caller.key is not None:
        facts["key"] = exchange.caller.key.name
    if exchange.kind is not None:
        facts["kind"] = exchange.kind
    if exchange.kind in _WORTH_AN_ADDRESS:
        facts["address"] = exchange.caller.address
    if exchange.trace.id is not None:
        facts["trace_id"] = exchange.trace.id
    return facts


def _with_head(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Litestar's answer to OPTIONS does not know that HEAD is answered wherever GET is."""
    return [(name, value.replace(b"GET", b"GET, HEAD") if name == b"allow" else value) for name, value in headers]


def without_body(send: Send) -> Send:
    """HEAD is answered as GET is, and then nothing follows the headers."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message["body"] = b""
        await send(message)

    return send_head


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The caller's id if it is short and plain, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return value.decode("ascii")
    return f"{random.getrandbits(128):032x}"  # an id, not a secret: no system call


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
