"""Traces as OpenTelemetry spans. The only importer of opentelemetry, and itself imported only where tracing is on.

The ``OTEL_`` variables, which all programs share, say what is sent where, and how much of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace import Tracer as Spans
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.tracing.trace import Headers, Trace

NAME = "ribbon"
FLUSH_SECONDS = 3.0
# A fact as the log names it, and as OpenTelemetry's conventions do. What is not here is in the spans' own times.
ATTRIBUTES: Mapping[str, str] = {
    "request_id": "ribbon.request_id",
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "request_bytes": "http.request.body.size",
    "answer_bytes": "http.response.body.size",
    "items": "ribbon.items",
    "tokens": "ribbon.tokens",
    "model": "ribbon.model",
    "kind": "error.type",
}
_PARENT_HEADERS = (b"traceparent", b"tracestate")
_parents = TraceContextTextMapPropagator()


class OtlpTracer:
    """Makes spans of a provider that is opened in the process that serves: its thread would not survive a fork."""

    def __init__(self, open_provider: Callable[[], TracerProvider]) -> None:
        self._open_provider = open_provider
        self._provider: TracerProvider | None = None
        self._spans: Spans | None = None

    def start(self) -> None:
        self._provider = self._open_provider()
        self._spans = self._provider.get_tracer(NAME)

    def begin(self, headers: Headers) -> Trace:
        if self._spans is None:
            raise RuntimeError("a tracer that was not started")
        return SpanTrace(self._spans, parent_of(headers))

    def stop(self) -> None:
        """Send what is left, without waiting long for a collector that does not answer."""
        if self._provider is not None:
            sending = threading.Thread(target=self._provider.shutdown, daemon=True)
            sending.start()
            sending.join(FLUSH_SECONDS)


class SpanTrace:
    """Spans of one request: a server's, and one for each stage beneath it."""

    def __init__(self, spans: Spans, parent: Context) -> None:
        self._spans = spans
        self._offset = time.time_ns() - time.monotonic_ns()
        self._server = spans.start_span("request", parent, SpanKind.SERVER)
        self.id = f"{self._server.get_span_context().trace_id:032x}"

    def add(self, stage: str, *, since: float, until: float, **sizes: float | str) -> None:
        if self._server.is_recording():
            attributes = {f"ribbon.{name}": size for name, size in sizes.items()}
            beneath = set_span_in_context(self._server, Context())
            span = self._spans.start_span(stage, beneath, attributes=attributes, start_time=self._at(since))
            span.end(self._at(until))

    def end(self, facts: Mapping[str, Any]) -> None:
        if self._server.is_recording():
            describe_span(self._server, facts)
        self._server.end()

    def _at(self, reading: float) -> int:
        """Convert a clock reading to nanoseconds since 1970."""
        return int(reading * 1e9) + self._offset


def describe_span(span: Span, facts: Mapping[str, Any]) -> None:
    """Describe a server's span by the conventions: a caller's mistake is no error of ours."""
    span.update_name(f"{facts['method']} {facts['route']}")
    span.set_attributes({ATTRIBUTES[name]: fact for name, fact in facts.items() if name in ATTRIBUTES})
    if facts["status"] >= 500:
        span.set_status(Status(StatusCode.ERROR))


def parent_of(headers: Headers) -> Context:
    """Return the caller's span, if the headers name one (W3C Trace Context)."""
    carrier = {name.decode(): value.decode("latin-1") for name, value in headers if name in _PARENT_HEADERS}
    return _parents.extract(carrier, Context()) if carrier else Context()


def open_provider() -> TracerProvider:
    """Open the provider that ``OTEL_SERVICE_NAME``, ``OTEL_TRACES_SAMPLER``, ``OTEL_EXPORTER_OTLP_ENDPOINT`` and
    similar variables ask for."""
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: NAME}))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
