"""What is written down about every request: counters, a line in the log, the end of its trace."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, cast

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service.api.callers import Caller, Callers
from service.api.exchange import OTHER_METHOD, Exchange, request_id_of
from service.api.logs import log_request
from service.api.protection import protections
from service.metrics import Metrics
from service.scheduling.admission import Door
from service.tracing.trace import NO_TRACE, Tracer

NO_CONTENT = 204  # of OPTIONS
UNKNOWN_ROUTE = "unknown"  # every path that is no route shares this label
_QUIET_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})  # asked every few seconds, for ever
FAREWELL = ((b"connection", b"close"),)  # the next request should go to another process
_WORTH_AN_ADDRESS = frozenset({"unauthorized", "rate_limited", "body_timeout"})  # whom to look at
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = logging.getLogger("service.requests")


class Ledger:
    """Begins exchanges, and closes the books on them."""

    def __init__(self, *, metrics: Metrics, callers: Callers, tracer: Tracer) -> None:
        self.metrics = metrics
        self._callers = callers
        self._tracer = tracer

    def caller_of(self, scope: Any) -> Caller:
        """Who asks."""
        return self._callers.of(scope)

    def begin(self, scope: Any) -> Exchange:
        """Of an ASGI scope, or what there is of one: method, path, headers, client."""
        headers, method = scope["headers"], scope["method"]
        trace = NO_TRACE if scope["path"] in _QUIET_ROUTES else self._tracer.begin(headers)
        return Exchange(
            request_id=request_id_of(headers),
            caller=self.caller_of(scope),
            method=method if method in _METHODS else OTHER_METHOD,
            trace=trace,
        )

    def write_down(self, exchange: Exchange, route: str) -> None:
        """It is answered, or given up."""
        metrics, total = self.metrics, exchange.total_seconds
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


class ExchangeMiddleware:
    """Outermost of all, so that unknown paths and wrong methods are counted like everything else."""

    def __init__(self, app: ASGIApp, *, ledger: Ledger, door: Door) -> None:
        self._app = app
        self._ledger = ledger
        self._door = door
        self._in_flight = ledger.metrics.in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._ledger.begin(scope)
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
        self._in_flight.inc()
        try:
            await self._app(scope, receive_counted, send_with_headers)
        finally:
            self._door.inside -= 1
            self._in_flight.dec()
            self._ledger.write_down(exchange, cast("dict[str, Any]", scope).get("path_template") or UNKNOWN_ROUTE)


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
