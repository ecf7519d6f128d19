"""What is written down about every request: counters, a line in the log, the end of its trace."""

from __future__ import annotations

import logging
from typing import Any

from service.api.callers import Caller, Callers
from service.api.exchange import OTHER_METHOD, Exchange, request_id_of
from service.api.logs import log_request
from service.metrics import Metrics
from service.tracing.trace import NO_TRACE, Tracer

_QUIET_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})  # asked every few seconds, for ever
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
        """Who asks, by a scope's client and headers."""
        return self._callers.of(scope)

    def begin(self, scope: Any, caller: Caller) -> Exchange:
        """Of an ASGI scope, or what there is of one: method, path, headers."""
        headers, method = scope["headers"], scope["method"]
        trace = NO_TRACE if scope["path"] in _QUIET_ROUTES else self._tracer.begin(headers)
        return Exchange(
            request_id=request_id_of(headers),
            caller=caller,
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
