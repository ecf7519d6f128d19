"""Request log: counters, a line in the log and the trace of every request."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import reduce
from typing import Any

from service.api.context import OTHER_METHOD, Caller, RequestContext, request_id_of
from service.api_keys import ApiKeys
from service.logs import log_request
from service.metrics import Metrics
from service.models.cards import ModelName
from service.scheduling.job import Done, ModelWork
from service.telemetry import NO_TRACE, Tracer

_QUIET_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})  # asked every few seconds, for ever
_KINDS_WITH_ADDRESS = frozenset({"unauthorized", "rate_limited", "body_timeout"})  # whose senders an operator looks for
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = logging.getLogger("service.requests")


class RequestLog:
    """Begins request contexts, and records their outcome."""

    def __init__(self, *, metrics: Metrics, keys: ApiKeys | None, tracer: Tracer) -> None:
        self.metrics = metrics
        self._keys = keys
        self._tracer = tracer

    def begin(self, scope: Any) -> RequestContext:
        """Make the context of an ASGI scope, or of the parts that are known: method, path, headers, client."""
        headers, method, client = scope["headers"], scope["method"], scope.get("client")
        return RequestContext(
            request_id=request_id_of(headers),
            caller=Caller(client[0] if client else None, None if self._keys is None else self._keys.presented(headers)),
            method=method if method in _METHODS else OTHER_METHOD,
            trace=NO_TRACE if scope["path"] in _QUIET_ROUTES else self._tracer.begin(headers),
        )

    def record(self, context: RequestContext, route: str) -> None:
        """Record a request that has been answered or given up."""
        metrics, total = self.metrics, time.monotonic() - context.started_at
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
        fields["model"] = f"{context.model.name}@{context.model.version}"
    if context.caller.key is not None:
        fields["key"] = context.caller.key.name
    if context.kind is not None:
        fields["kind"] = context.kind
    if context.kind in _KINDS_WITH_ADDRESS:
        fields["address"] = context.caller.address
    if context.trace.id is not None:
        fields["trace_id"] = context.trace.id
    return fields


def record_work(context: RequestContext, model: ModelName, done: Done[Any], *, items: int, tokens: int) -> None:
    """Record what was done for a request in its context, for headers, metrics, log and trace."""
    context.items, context.tokens = items, tokens
    context.queue_seconds, context.model_seconds = done.queue_seconds, done.model_seconds
    if context.trace is NO_TRACE:
        return
    if done.work:
        began_at = min(each.began_at for each in done.work)
        context.trace.add("queue", since=began_at - done.queue_seconds, until=began_at)
    for each in merged_work(done.work):
        name = f"{model.name}@{model.version}"
        context.trace.add(each.stage, since=each.began_at, until=each.ended_at, model=name, **each.sizes)


def merged_work(work: Sequence[ModelWork]) -> list[ModelWork]:
    """Return each run of a batch, and all decoded sentences merged into one: there may be hundreds."""
    runs = [each for each in work if each.stage == "model"]
    decoded = [each for each in work if each.stage == "decode"]
    return [*runs, reduce(ModelWork.joined, decoded)] if decoded else runs
