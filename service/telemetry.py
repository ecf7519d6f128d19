"""Tracing: each request as OpenTelemetry spans, sent where the ``OTEL_`` variables say. Spans hold no text of callers.

The only importer of opentelemetry, which is optional; its SDK is imported only where tracing is on.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

from service.errors import SettingsError

with suppress(ImportError):  # of the extra "tracing", whose absence choose_tracer reports
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer as SpanTracer

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
Headers = Iterable[tuple[bytes, bytes]]


class Trace:
    """Trace of one request; this one records nothing."""

    id: str | None = None  # of 32 hexadecimal digits, if the request is traced

    def add(self, stage: str, *, since: float, until: float, **sizes: float | str) -> None:
        """Add a stage of the request, between two readings of ``time.monotonic``."""

    def end(self, facts: Mapping[str, Any]) -> None:
        """End the trace of an answered request, with the facts that are logged about it."""


NO_TRACE = Trace()


class SpanTrace(Trace):
    """Trace whose spans are a server's, and one for each stage beneath it."""

    def __init__(self, tracer: SpanTracer, headers: Headers) -> None:
        """Begin the spans of a request; they are a part of its caller's trace if the headers name one."""
        self._tracer = tracer
        self._offset = time.time_ns() - time.monotonic_ns()
        carrier = {name.decode(): value.decode("latin-1") for name, value in headers if name in _PARENT_HEADERS}
        parent = TraceContextTextMapPropagator().extract(carrier, Context()) if carrier else Context()
        self._server = tracer.start_span("request", parent, SpanKind.SERVER)
        self.id = f"{self._server.get_span_context().trace_id:032x}"

    def add(self, stage: str, *, since: float, until: float, **sizes: float | str) -> None:
        if self._server.is_recording():
            attributes = {f"ribbon.{name}": size for name, size in sizes.items()}
            beneath = set_span_in_context(self._server, Context())
            span = self._tracer.start_span(stage, beneath, attributes=attributes, start_time=self._at(since))
            span.end(self._at(until))

    def end(self, facts: Mapping[str, Any]) -> None:
        if self._server.is_recording():
            self._server.update_name(f"{facts['method']} {facts['route']}")
            self._server.set_attributes({ATTRIBUTES[name]: fact for name, fact in facts.items() if name in ATTRIBUTES})
            if facts["status"] >= 500:  # a caller's mistake is no error of ours
                self._server.set_status(Status(StatusCode.ERROR))
        self._server.end()

    def _at(self, reading: float) -> int:
        """Convert a clock reading to nanoseconds since 1970."""
        return int(reading * 1e9) + self._offset


class Tracer:
    """Begins traces: with spans of a provider while it runs, or without a provider such as record nothing."""

    def __init__(self, open_provider: Callable[[], TracerProvider] | None = None) -> None:
        self._open_provider = open_provider  # in the process that serves: its thread would not survive a fork
        self._tracer: SpanTracer | None = None
        self.is_on = False  # whether requests are traced

    def begin(self, headers: Headers) -> Trace:
        """Begin the trace of a request with these headers."""
        return NO_TRACE if self._tracer is None else SpanTrace(self._tracer, headers)

    @asynccontextmanager
    async def running(self, _: object) -> AsyncIterator[None]:
        """Trace as long as an application runs; at the end send what is left, without a long wait for a collector."""
        if self._open_provider is None:
            yield
            return
        provider = self._open_provider()
        self._tracer, self.is_on = provider.get_tracer(NAME), True
        try:
            yield
        finally:
            sending = threading.Thread(target=provider.shutdown, daemon=True)
            sending.start()
            await asyncio.to_thread(sending.join, FLUSH_SECONDS)


def choose_tracer(exporter: Literal["off", "otlp"]) -> Tracer:
    """Return the tracer of the configured exporter. Raises SettingsError if its packages are not installed."""
    if exporter == "off":
        return Tracer()
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.export  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            f"RIBBON_TRACING={exporter}: {error.name} is not installed; pip install '.[tracing]' in a clone of Ribbon"
        ) from error
    return Tracer(open_provider)


def open_provider() -> TracerProvider:
    """Open the provider that the ``OTEL_`` variables ask for."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: NAME}))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
