"""Request log: counters, a line in the log and the end of the trace for every request."""

from __future__ import annotations

import logging
from typing import Any

from service.api.callers import Caller, Callers
from service.api.context import OTHER_METHOD, RequestContext, request_id_of
from service.logs import log_request
from service.metrics import Metrics
from service.telemetry import NO_TRACE, Tracer

_QUIET_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})  # asked every few seconds, for ever
_WORTH_AN_ADDRESS = frozenset({"unauthorized", "rate_limited", "body_timeout"})  # whom to look at
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = logging.getLogger("service.requests")


class RequestLog:
    """Begins request contexts, and records their outcome."""

    def __init__(self, *, metrics: Metrics, callers: Callers, tracer: Tracer) -> None:
        self.metrics = metrics
        self._callers = callers
        self._tracer = tracer

    def caller_of(self, scope: Any) -> Caller:
        """Return the caller of an ASGI scope, by its client and headers."""
        return self._callers.of(scope)

    def begin(self, scope: Any, caller: Caller) -> RequestContext:
        """Make the context of an ASGI scope, or of the parts that are known: method, path, headers."""
        headers, method = scope["headers"], scope["method"]
        trace = NO_TRACE if scope["path"] in _QUIET_ROUTES else self._tracer.begin(headers)
        return RequestContext(
            request_id=request_id_of(headers),
            caller=caller,
            method=method if method in _METHODS else OTHER_METHOD,
            trace=trace,
        )

    def write_down(self, context: RequestContext, route: str) -> None:
        """Record a request that has been answered or given up."""
        metrics, total = self.metrics, context.total_seconds
        metrics.requests.labels(route, str(context.status)).inc()
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
            facts = _facts(context, route, total)
            context.trace.end(facts)
            if is_logged:
                log_request(_log, facts)


def _facts(context: RequestContext, route: str, total_seconds: float) -> dict[str, Any]:
    """Return what is logged about a request: sizes, times and names of our own, and no word of anybody's text."""
    facts: dict[str, Any] = {
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
        facts["model"] = f"{context.model.name}@{context.model.version}"
    if context.caller.key is not None:
        facts["key"] = context.caller.key.name
    if context.kind is not None:
        facts["kind"] = context.kind
    if context.kind in _WORTH_AN_ADDRESS:
        facts["address"] = context.caller.address
    if context.trace.id is not None:
        facts["trace_id"] = context.trace.id
    return facts
