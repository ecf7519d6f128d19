"""Connections that nobody can hold for nothing: there is a most of them, and none may stall for long.

uvicorn bounds neither the time that a request's headers take, nor that in which an answer is read, nor the size of
headers. Here the parser's callbacks leave marks behind, and once in a while one sweep looks at all connections, so
that a request costs no timer.
"""

from __future__ import annotations

import asyncio
import random
import re
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.api.problems import PROBLEM_JSON, document_bytes, headers_of
from service.api.protection import protections
from service.errors import (
    BodyTimeoutError,
    HeadTooLargeError,
    MalformedHttpError,
    ServiceError,
    TooManyConnectionsError,
    UnreadAnswerError,
)
from service.settings import Settings

MAX_CONNECTIONS = 10_000
FILES_KEPT_FREE = 128  # of the process's limit: models, logs, sockets that listen
MAX_HEAD_BYTES = 32 * 1024
LINGER_SECONDS = 5.0  # for what a caller still sends although it is refused: closing at once would lose the answer
_OFFER = re.compile(rb"(\r\n)upgrade(?=:)", re.IGNORECASE)
SWEEPS_PER_TIMEOUT = 4
MAX_SWEEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What a connection may cost."""

    max_connections: int = MAX_CONNECTIONS
    head_seconds: float = 30.0  # from a request's first byte, or the connection's begin, to the end of its headers
    answer_seconds: float = 60.0
    linger_seconds: float = LINGER_SECONDS

    @classmethod
    def of(cls, settings: Settings) -> ConnectionLimits:
        return cls(
            max_connections=settings.max_connections or most_connections(),
            head_seconds=settings.body_timeout_seconds,
            answer_seconds=settings.answer_timeout_seconds,
        )

    @property
    def sweep_seconds(self) -> float:
        """Between two looks at all connections; by so much is a limit overrun."""
        shortest = min(self.head_seconds, self.answer_seconds, self.linger_seconds)
        return min(MAX_SWEEP_SECONDS, shortest / SWEEPS_PER_TIMEOUT)


DEFAULT_LIMITS = ConnectionLimits()


def most_connections() -> int:
    """As many as are sane, and no more than the process may open files for."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else max(1, min(MAX_CONNECTIONS, files - FILES_KEPT_FREE))


@dataclass(slots=True, kw_only=True, eq=False)
class Watch:
    """All connections of one server, looked at once in a while as long as there are any."""

    limits: ConnectionLimits
    count: Callable[[ServiceError], None]
    connections: set[Connection] = field(default_factory=set)
    _timer: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        return len(self.connections) >= self.limits.max_connections

    @property
    def is_flooded(self) -> bool:
        """Even those who are told to go away would take the files that are kept free."""
        return len(self.connections) >= self.limits.max_connections + FILES_KEPT_FREE // 2

    def add(self, connection: Connection) -> None:
        self.connections.add(connection)
        if self._timer is None:
            self._sweep_later(connection.loop)

    def _sweep_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self.limits.sweep_seconds, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self.connections):
            connection.end_if_stalled(now)
        self._timer = None
        if self.connections:
            self._sweep_later(loop)


class Stall:
    """How long a connection has been seen waiting for the same thing."""

    __slots__ = ("_mark", "_since")

    def __init__(self) -> None:
        self._mark: object = None
        self._since = 0.0

    def seconds(self, mark: object, now: float) -> float:
        """``mark`` stays the same as long as nothing moves; None waits for nothing."""
        if mark is None or mark != self._mark:
            self._mark, self._since = mark, now
        return now - self._since


class Connection(HttpToolsProtocol):
    """uvicorn's, with an end to everything that a caller can draw out."""

    watch: ClassVar[Watch]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._num_heads = 0  # complete ones
        self._num_drains = 0
        self._in_head = True  # a connection is there to send one
        self._in_body = False
        self._idle_bytes = 0  # received since the parser last had something to say
        self._refused = False
        self._head_stall, self._rest_stall, self._answer_stall = Stall(), Stall(), Stall()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        is_full, is_flooded = self.watch.is_full, self.watch.is_flooded
        self.watch.add(self)
        if is_flooded:
            self.transport = transport
            transport.abort()
        elif is_full:
            self.transport = transport
            most = self.watch.limits.max_connections
            self._refuse(TooManyConnectionsError(f"{most} connections are open", retry_after_seconds=1))
        else:
            super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.watch.connections.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._idle_bytes += len(data)
        try:
            self.parser.feed_data(data if self._in_body else _without_upgrade(data))
        except httptools.HttpParserUpgrade:  # CONNECT: nothing but HTTP/1.1 is spoken here, and that is answered
            pass
        except httptools.HttpParserError as error:
            self._refuse(_cause(error))
        else:
            if self._idle_bytes > MAX_HEAD_BYTES:  # a head, or a chunked body's trailer
                self._refuse(_head_too_large())

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._idle_bytes > MAX_HEAD_BYTES and self._head_size() > MAX_HEAD_BYTES:
            raise _head_too_large()
        self._in_head, self._in_body = False, True
        self._idle_bytes = 0
        self._num_heads += 1
        super().on_headers_complete()
        if self.expect_100_continue or self.parser.should_upgrade():
            # A caller who was not told to go on may send the body or not: what follows could not be told apart.
            self.cycle.keep_alive = False
        self.headers = []  # a trailer is not to come among them

    def on_body(self, body: bytes) -> None:
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._idle_bytes = 0
        self._in_body = False
        super().on_message_complete()

    def resume_writing(self) -> None:
        self._num_drains += 1
        super().resume_writing()

    def shutdown(self) -> None:
        if self._refused:
            self.transport.close()
        else:
            super().shutdown()

    def end_if_stalled(self, now: float) -> None:
        """Called once in a while."""
        limits = self.watch.limits
        if self._rest_stall.seconds(self._rest_mark(), now) >= limits.linger_seconds:
            self.transport.abort()
        elif self._head_stall.seconds(self._head_mark(), now) >= limits.head_seconds:
            self._end_head(limits.head_seconds)
        elif self._answer_stall.seconds(self._answer_mark(), now) >= limits.answer_seconds:
            self.watch.count(UnreadAnswerError("the answer was not read"))
            self.transport.abort()

    def _head_mark(self) -> int | None:
        """A request begun, or bytes between two requests, which end uvicorn's timer for idle connections."""
        is_waiting = self._in_head or (self._idle_bytes > 0 and not self._in_body)
        return self._num_heads if is_waiting and not self._refused else None

    def _rest_mark(self) -> int | None:
        """Something still comes although the answer is written."""
        is_answered = self.cycle is not None and self.cycle.response_complete
        return self._num_heads if self._refused or (self._in_body and is_answered) else None

    def _answer_mark(self) -> tuple[int, int] | None:
        """A finished answer that is not all sent, or a stream whose reader is so far behind that it had to pause."""
        if self._refused or not self.transport.get_write_buffer_size():
            return None
        is_finished = self.cycle is None or self.cycle.response_complete
        return (self._num_heads, self._num_drains) if is_finished or self.flow.write_paused else None

    def _end_head(self, seconds: float) -> None:
        """Somebody who never sent a byte has asked nothing, and is answered nothing."""
        if self._num_heads or self._idle_bytes:
            self._refuse(BodyTimeoutError(f"the headers were not complete after {seconds:g} s"))
        else:
            self.transport.close()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)

    def _refuse(self, error: ServiceError) -> None:
        """Answer this and nothing more. What the caller still sends is taken in for a while, and dropped."""
        self._refused = True
        self.watch.count(error)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # so that the application learns of it, and says nothing more
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        if not self.transport.is_closing():
            self.transport.write(response_bytes(error, self.server_state.default_headers))
            self.transport.write_eof()


def connections_within(
    limits: ConnectionLimits, count: Callable[[ServiceError], None] = lambda _: None
) -> type[Connection]:
    """For one server; ``count`` is told of every refusal that the application never hears of."""
    return type("Connection", (Connection,), {"watch": Watch(limits=limits, count=count)})


def response_bytes(error: ServiceError, more: list[tuple[bytes, bytes]]) -> bytes:
    """A whole HTTP answer: the problem's document, and the connection's end."""
    request_id = f"{random.getrandbits(128):032x}"
    body = document_bytes(error, request_id)
    headers = {
        **{name.lower(): value for name, value in headers_of(error).items()},
        "content-type": PROBLEM_JSON,
        "content-length": str(len(body)),
        "connection": "close",
        "x-request-id": request_id,
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    lines = [b"%b: %b\r\n" % header for header in [*more, *encoded, *protections("POST", ())]]
    status = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n".encode()
    return b"".join([status, *lines, b"\r\n", body])


def _without_upgrade(data: bytes) -> bytes:
    """The parser would stop after the head of a request that offers another protocol, as those of Java's client do,
    and its body would be lost. The offer is renamed, and so declined: RFC 9110, section 7.8."""
    if b"\r\nupgrade:" not in data.lower():
        return data
    head, end, rest = data.partition(b"\r\n\r\n")
    return _OFFER.sub(rb"\1x-offer", head) + end + rest


def _cause(error: httptools.HttpParserError) -> ServiceError:
    """What a callback of ours raised, else the parser's own complaint."""
    cause = error.__context__
    return cause if isinstance(cause, ServiceError) else MalformedHttpError("this is not a request in HTTP/1.1")


def _head_too_large() -> HeadTooLargeError:
    return HeadTooLargeError(f"the path and headers have more than {MAX_HEAD_BYTES} bytes")
