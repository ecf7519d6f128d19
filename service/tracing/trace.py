"""What a request's trace is told: stages as they end, and at last how it was answered. No text, ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol

from service.errors import SettingsError

Headers = Iterable[tuple[bytes, bytes]]
Exporter = Literal["off", "otlp"]


class Trace(Protocol):
    """One request's."""

    @property
    def id(self) -> str | None:
        """32 hexadecimal digits; None if nobody traces."""
        ...

    def add(self, stage: str, *, since: float, until: float, **sizes: float | str) -> None:
        """A stage of the request, between two readings of ``time.monotonic``."""
        ...

    def end(self, facts: Mapping[str, Any]) -> None:
        """The request is answered: with what is written to the log of it."""
        ...


class Tracer(Protocol):
    """Begins traces, between ``start`` and ``stop``, which are called in the process that serves."""

    def start(self) -> None: ...

    def begin(self, headers: Headers) -> Trace:
        """Of a request that has these headers, and may be a part of its caller's trace."""
        ...

    def stop(self) -> None:
        """What was not sent yet is sent, which may take a while."""
        ...


class NoTrace:
    """Of a request that nobody traces."""

    id = None

    def add(self, stage: str, *, since: float, until: float, **sizes: float | str) -> None:
        pass

    def end(self, facts: Mapping[str, Any]) -> None:
        pass


NO_TRACE = NoTrace()


class NoTracer:
    """Tracing is off."""

    def start(self) -> None:
        pass

    def begin(self, headers: Headers) -> Trace:
        return NO_TRACE

    def stop(self) -> None:
        pass


@asynccontextmanager
async def tracing(tracer: Tracer, _: object) -> AsyncIterator[None]:
    """As long as an application runs; what there is to tell at the end is sent beside the event loop."""
    tracer.start()
    try:
        yield
    finally:
        await asyncio.to_thread(tracer.stop)


def open_otlp() -> Tracer:
    """Raises ImportError if the packages are not installed."""
    from service.tracing.otlp import OtlpTracer, open_provider

    return OtlpTracer(open_provider)


def choose_tracer(exporter: Exporter, open_otlp: Callable[[], Tracer] = open_otlp) -> Tracer:
    """Raises SettingsError."""
    if exporter == "off":
        return NoTracer()
    try:
        return open_otlp()
    except ImportError as error:
        raise SettingsError(
            f"RIBBON_TRACING={exporter}: {error.name} is not installed; pip install 'ribbon-nlp[tracing]'"
        ) from error
