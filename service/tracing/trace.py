"""Traces of requests: the stages as they end, and at last the outcome. They never hold text of callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol

from service.errors import SettingsError

Headers = Iterable[tuple[bytes, bytes]]
Exporter = Literal["off", "otlp"]


class Trace(Protocol):
    """Trace of one request."""

    @property
    def id(self) -> str | None:
        """Trace id of 32 hexadecimal digits; None if the request is not traced."""
        ...

    def add(self, stage: str, *, since: float, until: float, **sizes: float | str) -> None:
        """Add a stage of the request, between two readings of ``time.monotonic``."""
        ...

    def end(self, facts: Mapping[str, Any]) -> None:
        """End the trace of an answered request, with the facts that are logged about it."""
        ...


class Tracer(Protocol):
    """Begins traces, between ``start`` and ``stop``, which are called in the process that serves."""

    def start(self) -> None: ...

    def begin(self, headers: Headers) -> Trace:
        """Begin the trace of a request with these headers, which may be a part of its caller's trace."""
        ...

    def stop(self) -> None:
        """Send what was not sent yet, which may take a while."""
        ...


class NoTrace:
    """Trace of a request that is not traced."""

    id = None

    def add(self, stage: str, *, since: float, until: float, **sizes: float | str) -> None:
        pass

    def end(self, facts: Mapping[str, Any]) -> None:
        pass


NO_TRACE = NoTrace()


class NoTracer:
    """Tracer for when tracing is off."""

    def start(self) -> None:
        pass

    def begin(self, headers: Headers) -> Trace:
        return NO_TRACE

    def stop(self) -> None:
        pass


@asynccontextmanager
async def tracing(tracer: Tracer, _: object) -> AsyncIterator[None]:
    """Context manager that runs a tracer as long as an application; at the end it is stopped beside the event loop."""
    tracer.start()
    try:
        yield
    finally:
        await asyncio.to_thread(tracer.stop)


def open_otlp() -> Tracer:
    """Open the OTLP tracer. Raises ImportError if the packages are not installed."""
    from service.tracing.otlp import OtlpTracer, open_provider

    return OtlpTracer(open_provider)


def choose_tracer(exporter: Exporter, open_otlp: Callable[[], Tracer] = open_otlp) -> Tracer:
    """Return the tracer of the configured exporter. Raises SettingsError if its packages are not installed."""
    if exporter == "off":
        return NoTracer()
    try:
        return open_otlp()
    except ImportError as error:
        raise SettingsError(
            f"RIBBON_TRACING={exporter}: {error.name} is not installed; pip install 'ribbon-nlp[tracing]'"
        ) from error
